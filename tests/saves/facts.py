"""Facts as an engine would write them, short enough to read in a test."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from configs.paths import SaveFolder
from saves.checkpoint_folder import LEDGER_FILE, model_digest, sha256
from saves.exams import add_exam
from saves.ledger import add_checkpoint, free_name
from saves.rows import Checkpoint, Exam, ExamItem, StepWindow
from saves.runs import open_run
from saves.steps import add_window

CAMPAIGN = "campaign-001"


def begin(conn: sqlite3.Connection, first_step: int = 0, parent: Checkpoint | None = None) -> int:
    """A run from the beginning, or from a checkpoint."""
    return open_run(
        conn,
        CAMPAIGN,
        first_step=parent.step if parent else first_step,
        parent_run_id=parent.run_id if parent else None,
        parent_checkpoint_id=parent.id if parent else None,
        pid=4242,
        environment={"device": "cpu"},
        exact=True,
    )


def window(run_id: int, first: int, last: int, **changes: Any) -> StepWindow:
    """Steps ``first`` to ``last``, loss 1.0 and strain 0.4 each, one second a step."""
    steps = last - first + 1
    values: dict[str, Any] = {
        "run_id": run_id, "first_step": first, "last_step": last, "first_at": 1000.0 + first, "last_at": 1000.0 + last,
        "active_s": float(steps), "skill": "bin", "quest_attempt_id": None, "floor": 0.6, "steps": steps,
        "loss_sum": 1.0 * steps, "loss_min": 1.0, "loss_last": 1.0, "strain_sum": 0.5 * steps, "strain_last": 0.5,
        "zone_recovery": 0, "zone_productive": 0, "zone_stretch": steps, "zone_overload": 0, "zone_unknown": 0,
        "new_bests": 1, "misses": 0, "nonfinite": 0, "longest_streak": steps, "tokens": 100 * steps,
        "trained_tokens": 10 * steps, "examples": 32 * steps, "grad_norm_sum": 0.25 * steps, "grad_norm_max": 0.25,
        "learning_rate": 0.003,
    }  # fmt: skip
    return StepWindow(**(values | changes))


def train(conn: sqlite3.Connection, run_id: int, first: int, last: int, size: int = 50, **changes: Any) -> None:
    """Windows of ``size`` steps from ``first`` to ``last``."""
    for start in range(first, last + 1, size):
        add_window(conn, window(run_id, start, min(start + size - 1, last), **changes))


def checkpoint(conn: sqlite3.Connection, run_id: int, step: int, **changes: Any) -> Checkpoint:
    """A checkpoint in the ledger (no folder on disk)."""
    name = free_name(conn, step, 1_764_000_000.0)
    values: dict[str, Any] = {
        "run_id": run_id, "campaign_id": CAMPAIGN, "step": step, "name": name, "path": f"checkpoints/{name}",
        "digest": f"{step:064x}", "bytes": 10, "reasons": ("anchor",), "facts": {"train_loss": 0.5}, "at": 1000.0 + step,
    }  # fmt: skip
    made = Checkpoint(**(values | changes))
    return replace(made, id=add_checkpoint(conn, made))


def exam(conn: sqlite3.Connection, run_id: int, step: int, correct: int = 52, items: int = 64, **changes: Any) -> int:
    """An exam whose first ``correct`` answers are right."""
    values: dict[str, Any] = {
        "run_id": run_id, "step": step, "skill": "bin", "level": 1, "mix": "hatchling", "kind": "gate",
        "first_index": 0, "items": items, "correct": correct, "weights": "ema", "duration_s": 1.5, "at": 1000.0 + step,
        "results": {"crit": correct, "miss": items - correct}, "operations": {"add": {"correct": correct, "items": items}},
    }  # fmt: skip
    answers = [
        ExamItem(
            position=i, item_index=i, operation="add", tier="easy", problem_digest=f"{i:08x}", prompt="②+②", expected="④",
            answer="④" if i < correct else "⑤", result="crit" if i < correct else "miss", correct=i < correct,
        )
        for i in range(items)
    ]  # fmt: skip
    return add_exam(conn, Exam(**(values | changes)), answers)


def form(folder: SaveFolder, conn: sqlite3.Connection, run_id: int, step: int, **changes: Any) -> Checkpoint:
    """A checkpoint with its folder on disk, whole and digested."""
    made = checkpoint(conn, run_id, step)
    path = folder.root / made.path
    contents = {
        "config.json": b"{}", "model.safetensors": f"weights at {step} ".encode() * 500, "trainer/state.json": b"{}",
    }  # fmt: skip
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return replace(_digested(conn, path, made), **changes)


def real_form(
    folder: SaveFolder, conn: sqlite3.Connection, run_id: int, step: int, write: Callable[[Path], object]
) -> Checkpoint:
    """The same with a real model, which ``write`` puts into the folder."""
    made = checkpoint(conn, run_id, step)
    path = folder.root / made.path
    path.mkdir(parents=True)
    write(path)
    return _digested(conn, path, made)


def _digested(conn: sqlite3.Connection, path: Path, made: Checkpoint) -> Checkpoint:
    files = {file.relative_to(path).as_posix(): sha256(file) for file in sorted(path.rglob("*")) if file.is_file()}
    digest = model_digest(files)
    (path / LEDGER_FILE).write_text(json.dumps({"step": made.step, "digest": digest, "files": files}))
    conn.execute("UPDATE checkpoints SET digest = ? WHERE id = ?", (digest, made.id))
    return replace(made, digest=digest)

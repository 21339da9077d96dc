"""A save with a real history in it, written as an engine would, for the charts."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import replace
from typing import Any

from configs.loader import load_hero
from saves.campaigns import add_campaign
from saves.exams import add_exam
from saves.ledger import add_checkpoint, free_name
from saves.rows import Checkpoint, Exam, LevelUp, QuestAttempt, StepWindow, insert
from saves.runs import open_run
from saves.steps import add_window

NOW = 1_764_000_000.0
CAMPAIGN = "campaign-001"


def run(conn: sqlite3.Connection, campaign: str = CAMPAIGN, first: int = 0) -> int:
    """A run that begins after step ``first``."""
    return open_run(
        conn,
        campaign,
        first_step=first,
        parent_run_id=None,
        parent_checkpoint_id=None,
        pid=4242,
        environment={"device": "cpu"},
        exact=True,
    )


def loss_at(step: int) -> float:
    """A loss that falls with a relapse."""
    return 1.9 * math.exp(-step / 500) + 0.16 + 0.3 * math.exp(-(((step - 2200) / 120) ** 2))


def window(run_id: int, first: int, last: int, **changes: Any) -> StepWindow:
    """Steps of the curve, 0.05 s and 800 tokens each, with an eighth of a second between two windows."""
    steps = last - first + 1
    loss = loss_at((first + last) // 2)
    strain = max(0.0, loss - 0.02)
    zones = dict.fromkeys(("zone_recovery", "zone_productive", "zone_stretch", "zone_overload"), 0)
    zones["zone_overload" if strain >= 0.5 else "zone_stretch" if strain >= 0.3 else "zone_productive"] = steps
    values: dict[str, Any] = {
        "run_id": run_id, "first_step": first, "last_step": last, "active_s": 0.05 * steps, "skill": "bin",
        "first_at": NOW + first * 0.0525, "last_at": NOW + last * 0.0525, "quest_attempt_id": None, "floor": 0.02,
        "steps": steps, "loss_sum": loss * steps, "loss_min": loss, "loss_last": loss, "strain_sum": strain * steps,
        "strain_last": strain, "zone_unknown": 0, "new_bests": 0, "misses": 0, "nonfinite": 0, "longest_streak": steps,
        "tokens": 800 * steps, "trained_tokens": 80 * steps, "examples": 32 * steps, "grad_norm_sum": 0.3 * loss * steps,
        "grad_norm_max": 0.5 * loss, "learning_rate": 0.02 * min(1.0, first / 100), **zones,
    }  # fmt: skip
    return StepWindow(**(values | changes))


def train(conn: sqlite3.Connection, run_id: int, first: int, last: int, size: int = 50, **changes: Any) -> None:
    """Windows of ``size`` steps."""
    for start in range(first, last + 1, size):
        add_window(conn, window(run_id, start, min(start + size - 1, last), **changes))


def checkpoint(conn: sqlite3.Connection, run_id: int, step: int, campaign: str = CAMPAIGN) -> Checkpoint:
    """A form in the ledger."""
    name = free_name(conn, step, NOW)
    made = Checkpoint(
        run_id=run_id, campaign_id=campaign, step=step, name=name, path=f"checkpoints/{name}", digest=f"{step:064x}",
        bytes=10, reasons=("level_up",), facts={}, at=NOW + step * 0.05,
    )  # fmt: skip
    return replace(made, id=add_checkpoint(conn, made))


def exam(conn: sqlite3.Connection, run_id: int, step: int, correct: int, level: int = 1, **changes: Any) -> int:
    """A gate exam of 64 items."""
    values: dict[str, Any] = {
        "run_id": run_id, "step": step, "skill": "bin", "level": level, "mix": "hatchling", "kind": "gate",
        "first_index": 0, "items": 64, "correct": correct, "weights": "ema", "duration_s": 2.0, "at": NOW + step * 0.05,
    }  # fmt: skip
    return add_exam(conn, Exam(**(values | changes)), [])


def level_up(conn: sqlite3.Connection, run_id: int, step: int, level: int, campaign: str = CAMPAIGN) -> None:
    """A level won, with its checkpoint."""
    form = checkpoint(conn, run_id, step, campaign)
    insert(
        conn,
        LevelUp(
            run_id=run_id, step=step, skill="bin", from_level=level - 1, to_level=level, exam_ids=(), steps=500,
            effort=100.0 * level, start_loss=1.2, end_loss=0.2, checkpoint_id=form.id, at=form.at,
        ),
    )  # fmt: skip


def story(conn: sqlite3.Connection) -> int:
    """The active campaign's way: 3,000 steps, two levels, six exams, a player's file in the middle; its run."""
    first = run(conn)
    train(conn, first, 1, 1500)
    conn.execute(
        """INSERT INTO quests (id, name, file, digest, format, priority, epochs, counts_json, source, created_at)
           VALUES (1, 'letters.jsonl', 'letters.jsonl', 'd', 'messages', 'normal', 1, '{}', 'cli', ?)""",
        (NOW,),
    )
    attempt = QuestAttempt(
        quest_id=1, run_id=first, continues_id=None, first_step=1501, last_step=1800, state="completed", steps_total=300,
        examples_done=100, tokens={}, loss_before=2.4, loss_after=1.6, samples=(), reason=None, started_at=NOW,
        ended_at=NOW,
    )  # fmt: skip
    attempt_id = insert(conn, attempt)
    train(conn, first, 1501, 1800, skill=None, quest_attempt_id=attempt_id, floor=None)
    train(conn, first, 1801, 3000)
    for step, correct in ((300, 20), (600, 41), (900, 53), (1400, 58), (2000, 44), (2900, 60)):
        exam(conn, first, step, correct)
    level_up(conn, first, 950, 1)
    level_up(conn, first, 2950, 2)
    return first


def other_campaign(conn: sqlite3.Connection, name: str, *, levels: int, last: int = 2000) -> str:
    """Another campaign of the same hero, finished."""
    made = add_campaign(conn, hero=load_hero("pip").model_dump(mode="json"), name=name, seed=3, overrides={})
    begun = run(conn, made.id)
    train(conn, begun, 1, last)
    for level in range(1, levels + 1):
        level_up(conn, begun, 400 * level, level, made.id)
    return made.id

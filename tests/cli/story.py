"""The facts of a short, eventful campaign, written as an engine would write them."""

from __future__ import annotations

import sqlite3
from typing import Any

from configs import clock
from configs.paths import SaveFolder
from saves import exams, incidents, ledger, quests, runs
from saves.rows import Hold, LevelUp
from tests.saves import facts

START = 1_764_000_000.0
"""When the first step was taken; one step a second from there on."""
NOW = START + 4000.0
"""When the tests look at it."""
OPERATIONS = {
    "add": {"correct": 14, "items": 16},
    "and": {"correct": 15, "items": 16},
    "equals": {"correct": 9, "items": 16},
    "subtract": {"correct": 13, "items": 16},
}
"""51 of 64; `equals` is a verdict, so 9 of 16 cannot be told from chance."""


def at(step: float) -> float:
    """The moment of a step."""
    return START + step


def run_until(conn: sqlite3.Connection, first: int, last: int, loss: float, strain: float, run_id: int) -> None:
    """Windows of 50 steps with one loss throughout."""
    for start in range(first, last + 1, 50):
        end = min(start + 49, last)
        n = end - start + 1
        facts.train(
            conn, run_id, start, end,
            first_at=at(start), last_at=at(end), floor=0.02, loss_sum=loss * n, loss_min=loss, loss_last=loss,
            strain_sum=strain * n, strain_last=strain,
        )  # fmt: skip


def exam(conn: sqlite3.Connection, run_id: int, step: int, level: int, correct: int, **over: Any) -> int:
    return facts.exam(conn, run_id, step, correct=correct, level=level, at=at(step), **over)


def level_up(conn: sqlite3.Connection, run_id: int, step: int, level: int, exam_ids: tuple[int, ...]) -> int:
    saved = facts.checkpoint(
        conn, run_id, step, at=at(step), reasons=("level_up",), name=f"checkpoint-{step}-20251124-16{level:02d}",
        path=f"checkpoints/checkpoint-{step}", bytes=2_400_000,
        facts={"train_loss": 0.3, "exam": {"id": exam_ids[-1], "skill": "bin", "level": level, "correct": 60, "items": 64,
               "accuracy": 0.9375}, "levels_held": {"bin": level}, "skill_levels": {"bin": level}},
    )  # fmt: skip
    exams.add_level_up(
        conn,
        LevelUp(
            run_id=run_id, step=step, skill="bin", from_level=level - 1, to_level=level, exam_ids=exam_ids, steps=step,
            effort=120.0, start_loss=2.1, end_loss=0.3, checkpoint_id=saved.id, at=at(step),
        ),
    )  # fmt: skip
    return saved.id


def hold(conn: sqlite3.Connection, run_id: int, step: int, level: int, correct: int, items: int, lost: bool) -> None:
    exams.add_hold(
        conn,
        Hold(run_id=run_id, step=step, skill="bin", level=level, items=items, correct=correct, lost=lost, at=at(step)),
    )


def write_story(conn: sqlite3.Connection, folder: SaveFolder) -> None:
    """Levels 1 and 2 won, level 1 lost again, 51 of 64 at level 3, a quest done, a champion, stopped at step 1250."""
    clock.use(lambda: at(0))
    run_id = facts.begin(conn)
    run_until(conn, 1, 400, 2.0, 1.98, run_id)
    first = tuple(exam(conn, run_id, step, 1, 60) for step in (300, 350, 400))
    level_up(conn, run_id, 400, 1, first)
    run_until(conn, 401, 900, 0.9, 0.88, run_id)
    second = tuple(exam(conn, run_id, step, 2, 58) for step in (800, 850, 900))
    hold(conn, run_id, 900, 1, 15, 16, False)
    crowned = level_up(conn, run_id, 900, 2, second)
    clock.use(lambda: at(902))
    ledger.crown(conn, crowned, second[-1], f"champions/{ledger.checkpoint(conn, crowned).name}")
    clock.use(lambda: at(905))
    quest_id = quests.add_quest(
        conn, name="chats", file="chats.jsonl", digest="c0ffee", format="messages", priority="high",
        counts={"examples": 412, "tokens": 9000, "assistant_turns": 412, "longest": 60}, source="command line",
    )  # fmt: skip
    attempt = quests.start_attempt(
        conn, quest_id, run_id, first_step=901, steps_total=100, loss_before=3.25, samples=()
    )
    run_until(conn, 901, 1000, 1.4, 1.38, run_id)
    clock.use(lambda: at(1000))
    quests.finish_attempt(
        conn, attempt, "completed", last_step=1000, loss_after=1.125, examples_done=391,
        tokens={
            "in": 8600, "trained": 2600, "masked": 5700, "truncated": 120, "dropped": 180, "held_out": 400, "examples": 391,
            "held_out_examples": 20, "truncated_examples": 2, "dropped_examples": 1, "plan": "0123456789abcdef",
            "masking": {"verdict": "warn", "masked_share": 0.294, "findings": [
                {"validator": "MaskingRatio", "severity": "warn", "detail": "29.4% of the tokens are masked; 30% to 85% is usual"},
                {"validator": "PackedSequence", "severity": "ok", "detail": "100.0% of the answers are trained whole"}]},
        },
        samples=[{"line": 3, "prompt": "who are you?", "expected": "PIP", "before": "⓪⓪\x1b[31m", "after": "PIP"}],
    )  # fmt: skip
    quests.add_quest(
        conn, name="later", file="later.jsonl", digest="beef", format="text", priority="low",
        counts={"examples": 12, "tokens": 300}, source="inbox/later.jsonl",
    )  # fmt: skip
    run_until(conn, 1001, 1250, 0.31, 0.29, run_id)
    hold(conn, run_id, 1200, 1, 50, 80, True)
    exam(conn, run_id, 1150, 3, 53, operations={**OPERATIONS, "add": {"correct": 16, "items": 16}})
    exam(conn, run_id, 1200, 3, 51, operations=OPERATIONS)
    clock.use(lambda: at(1210))
    incidents.raise_incident(
        conn, "nan_loss", category="training", severity="critical", title="loss not finite: step 1205 was refused",
        fix="look at the named items", detail={}, run_id=run_id, step=1205,
    )  # fmt: skip
    facts.checkpoint(
        conn, run_id, 1250, at=at(1250), reasons=("stop",), name="checkpoint-1250-20251124-1621",
        path="checkpoints/checkpoint-1250", bytes=2_400_000,
    )  # fmt: skip
    clock.use(lambda: at(1251))
    runs.close_run(conn, run_id, 1250, "stopped")
    clock.use(lambda: NOW)

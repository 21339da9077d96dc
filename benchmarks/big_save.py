"""Makes a save of a size that a year of play leaves behind, for measuring; nothing in it was trained.

    python -m benchmarks.big_save SAVE_FOLDER [--facts 1000000] [--pruned]

A million facts come with ten million optimizer steps: windows of 50 steps that nobody has merged yet (``--pruned``: as retention
leaves them), an exam every 18 steps, screenings of won levels, drifts, forms, quests, incidents, orders, and resumed runs that left
steps behind. Figures differ from row to row but are drawn from one seed, so two saves of one size are equal row by row but for
their dates: the newest row is as old as the call.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from configs import clock
from configs.loader import load_hero
from configs.paths import SaveFolder
from configs.schema import HeroConfig
from saves.campaigns import active_campaign, set_setting
from saves.connection import transaction
from saves.database import create_save, open_save
from saves.retention import prune
from saves.rows import (
    Checkpoint,
    Decision,
    Drift,
    Exam,
    ExamItem,
    Hold,
    Incident,
    JournalEntry,
    LevelUp,
    Milestone,
    QuestAttempt,
    Row,
    StepWindow,
    Trial,
    columns,
    insert,
)
from saves.steps import add_window
from skills.registry import get_skill

WINDOW = 50
STEP_S = 0.1
RUNS = 40
LEFT_BEHIND = 20
"""Windows at a run's end that the next run does again."""
LEVELS = {"bin": 24, "sy": 18}
"""Levels won by the end."""
ITEMS_OF = 2_000
"""Newest exams whose questions are still there."""


class Filler:
    """Writes rows of one save, many at a time.

    Args:
        conn: a writable, new save.
        facts: about how many rows.
        ended: when the newest row is dated, UTC seconds.
    """

    def __init__(self, conn: sqlite3.Connection, facts: int, ended: float) -> None:
        self.conn, self.facts = conn, facts
        self.campaign = active_campaign(conn).id
        self.draw = random.Random(facts)
        self.windows = max(facts // 5, RUNS * 2 * LEFT_BEHIND)
        self.steps = self.windows * WINDOW
        self.began = ended - self.steps * STEP_S

    def at(self, step: int) -> float:
        """When a step ended."""
        return self.began + step * STEP_S

    def run_of(self, step: int) -> int:
        """The run whose live step this is."""
        return min(RUNS, 1 + (step - 1) * RUNS // self.steps)

    def fill(self) -> None:
        """Write everything."""
        with transaction(self.conn):
            self._runs()
            self._many(self._windows())
            self._many(self._checkpoints())
            self._many(self._attempts())
            self._many(self._exams())
            self._many(self._items())
            self._many(self._holds())
            self._many(self._level_ups())
            self._many(self._drifts())
            self._many(self._decisions())
            self._many(self._rest())

    def _many(self, rows: Iterator[tuple[Row, list[dict[str, Any]]]]) -> None:
        """Insert rows given as a pattern and what differs from it."""
        for pattern, changes in rows:
            base = columns(pattern)
            for key in ("id", "seq"):
                if base.get(key) == 0:
                    del base[key]
            marks = ", ".join(f":{name}" for name in base)
            self.conn.executemany(
                f"INSERT INTO {pattern.table} ({', '.join(base)}) VALUES ({marks})",
                ({**base, **change} for change in changes),
            )

    def _spread(self, count: int) -> Iterator[int]:
        """``count`` steps, evenly over the campaign."""
        return (max(1, (number + 1) * self.steps // count) for number in range(count))

    def _runs(self) -> None:
        per_run = self.steps // RUNS
        for number in range(RUNS):
            first, last = number * per_run, (number + 1) * per_run
            more = LEFT_BEHIND * WINDOW if number < RUNS - 1 else 0
            self.conn.execute(
                """INSERT INTO runs (campaign_id, parent_run_id, first_step, superseded_after, pid, environment_json,
                       started_at, ended_at, end_reason, last_step) VALUES (?, ?, ?, ?, 1, '{}', ?, ?, 'stopped', ?)""",
                (
                    *(self.campaign, number or None, first, last if more else None),
                    *(self.at(first), self.at(last), last + more),
                ),
            )

    def _windows(self) -> Iterator[tuple[Row, list[dict[str, Any]]]]:
        draw, changes = self.draw, []
        per_run = self.windows // RUNS
        for run in range(1, RUNS + 1):
            extra = LEFT_BEHIND if run < RUNS else 0
            for number in range((run - 1) * per_run, run * per_run + extra):
                strain = 0.15 + draw.random() * 0.4
                changes.append(
                    {
                        "run_id": run,
                        "first_step": number * WINDOW + 1,
                        "last_step": (number + 1) * WINDOW,
                        "first_at": self.at(number * WINDOW + 1),
                        "last_at": self.at((number + 1) * WINDOW),
                        "skill": ("bin", "sy")[number // 40 % 2],
                        "loss_sum": (strain + 0.02) * WINDOW,
                        "loss_min": strain * 0.8,
                        "loss_last": strain + 0.02,
                        "strain_sum": strain * WINDOW,
                        "strain_last": strain,
                        "zone_stretch": 20 + number % 11,
                        "zone_productive": 30 - number % 11,
                        "new_bests": number % 997 == 0,
                        "longest_streak": draw.randrange(1, 30),
                        "grad_norm_sum": draw.uniform(30, 45),
                    }
                )
        yield _WINDOW, changes

    def _checkpoints(self) -> Iterator[tuple[Row, list[dict[str, Any]]]]:
        count = max(60, self.facts // 1000)
        yield (
            Checkpoint(
                run_id=1,
                campaign_id=self.campaign,
                step=0,
                name="",
                path="",
                digest="",
                bytes=6_300_000,
                reasons=("anchor",),
                facts={"loss": 0.3, "skills": {"bin": 9}},
                at=0.0,
            ),
            [
                {
                    "run_id": self.run_of(step),
                    "step": step,
                    "name": f"checkpoint-{step}-{number}",
                    "path": f"checkpoints/checkpoint-{step}-{number}",
                    "digest": f"{number:064x}",
                    "at": self.at(step),
                    "deleted_at": self.at(step) + 900 if number < count - 5 else None,
                }
                for number, step in enumerate(step // WINDOW * WINDOW for step in self._spread(count))
            ],
        )

    def _attempts(self) -> Iterator[tuple[Row, list[dict[str, Any]]]]:
        count = max(5, self.facts // 5000)
        steps = list(self._spread(count))
        self.conn.executemany(
            """INSERT INTO quests (name, file, digest, format, priority, epochs, counts_json, source, created_at)
               VALUES (?, ?, ?, 'messages', 'normal', 1, '{"examples":500}', 'a file', ?)""",
            [(f"quest {n}", f"quest-{n}.jsonl", f"{n:064x}", self.at(step)) for n, step in enumerate(steps)],
        )
        yield (
            QuestAttempt(
                quest_id=1,
                run_id=1,
                continues_id=None,
                first_step=1,
                last_step=2,
                state="completed",
                steps_total=100,
                examples_done=500,
                tokens={"in": 50_000, "trained": 40_000, "truncated": 6_000, "dropped": 4_000},
                loss_before=1.0,
                loss_after=0.5,
                samples=({"prompt": "a question", "answer": "an answer"},),
                reason=None,
                started_at=0.0,
                ended_at=1.0,
            ),
            [
                {
                    "quest_id": number + 1,
                    "run_id": self.run_of(step),
                    "first_step": max(1, step - 100),
                    "last_step": step,
                    "state": "failed" if number % 7 == 3 else "completed",
                    "started_at": self.at(step - 100),
                    "ended_at": self.at(step),
                }
                for number, step in enumerate(steps)
            ],
        )

    def _exams(self) -> Iterator[tuple[Row, list[dict[str, Any]]]]:
        draw, count = self.draw, self.facts * 11 // 20
        letters = ["".join(draw.choices("CHGMX", (20, 25, 3, 14, 2), k=64)) for _ in range(64)]
        operations = _operations()
        changes = []
        for number, step in enumerate(self._spread(count)):
            skill, level = self._where(step, number)
            sequence = letters[number % 64]
            correct = sequence.count("C") + sequence.count("H")
            changes.append(
                {
                    "run_id": self.run_of(step),
                    "step": step,
                    "skill": skill,
                    "level": level,
                    "kind": "gate" if number % 3 else "quick",
                    "plan": "" if number % 3 else "watch",
                    "first_index": number * 64,
                    "correct": correct,
                    "sequence": sequence,
                    "operations_json": operations[skill],
                    "results_json": f'{{"crit":{sequence.count("C")},"hit":{correct - sequence.count("C")},"miss":{64 - correct}}}',
                    "at": self.at(step),
                }
            )
        yield _EXAM, changes

    def _where(self, step: int, number: int) -> tuple[str, int]:
        """Skill and level of the exam at a step: the level in training then."""
        skill = ("bin", "sy")[number % 2]
        return skill, 1 + step * LEVELS[skill] // (self.steps + 1)

    def _items(self) -> Iterator[tuple[Row, list[dict[str, Any]]]]:
        newest = self.conn.execute("SELECT id, first_index FROM exams ORDER BY id DESC LIMIT ?", (ITEMS_OF,)).fetchall()
        pattern = ExamItem(
            position=0,
            item_index=0,
            operation="increment",
            tier="plain",
            problem_digest="0" * 64,
            prompt="What is ①⓪①① plus one?",
            expected="①①⓪⓪",
            answer="①①⓪⓪",
            result="hit",
            correct=True,
        )
        yield (
            pattern,
            [
                {
                    "exam_id": exam,
                    "position": place,
                    "item_index": first + place,
                    "problem_digest": f"{first + place:064x}",
                }
                for exam, first in reversed(newest)
                for place in range(64)
            ],
        )

    def _holds(self) -> Iterator[tuple[Row, list[dict[str, Any]]]]:
        changes = []
        for number, step in enumerate(self._spread(self.facts // 5)):
            skill, training = self._where(step, number)
            level = 1 + number // 2 % max(1, training - 1)
            correct = 16 - self.draw.randrange(6)
            changes.append(
                {
                    "run_id": self.run_of(step),
                    "step": step,
                    "skill": skill,
                    "level": level,
                    "correct": correct,
                    "lost": correct < 11,
                    "at": self.at(step),
                }
            )
        yield Hold(run_id=1, step=1, skill="bin", level=1, items=16, correct=15, lost=False, at=0.0), changes

    def _level_ups(self) -> Iterator[tuple[Row, list[dict[str, Any]]]]:
        first = self.conn.execute("SELECT min(id) FROM checkpoints").fetchone()[0]
        changes: list[dict[str, Any]] = []
        for skill, levels in LEVELS.items():
            for level in range(1, levels):
                step = level * self.steps // levels
                proofs = [
                    row[0]
                    for row in self.conn.execute(
                        "SELECT id FROM exams WHERE skill = ? AND level = ? AND kind = 'gate' ORDER BY id DESC LIMIT 3",
                        (skill, level),
                    )
                ]
                self.conn.executemany("UPDATE exams SET won_level = 1 WHERE id = ?", [(i,) for i in proofs])
                changes.append(
                    {
                        "run_id": self.run_of(step),
                        "step": step,
                        "skill": skill,
                        "from_level": level - 1,
                        "to_level": level,
                        "exam_ids_json": str(proofs[::-1]).replace(" ", ""),
                        "at": self.at(step),
                    }
                )
        changes.sort(key=lambda change: change["step"])
        yield (
            LevelUp(
                run_id=1,
                step=1,
                skill="bin",
                from_level=0,
                to_level=1,
                exam_ids=(),
                steps=1000,
                effort=220.0,
                start_loss=1.2,
                end_loss=0.2,
                checkpoint_id=first,
                at=0.0,
            ),
            changes,
        )

    def _drifts(self) -> Iterator[tuple[Row, list[dict[str, Any]]]]:
        yield (
            Drift(
                run_id=1, step=1, plan="watch", skill="bin", level=1, baseline=0.9, share=0.9, severity="none", at=0.0
            ),
            [
                {
                    "run_id": self.run_of(step),
                    "step": step,
                    "skill": ("bin", "sy")[number % 2],
                    "level": 1 + number % 12,
                    "share": 0.7 + self.draw.random() * 0.3,
                    "severity": "warning" if number % 400 == 7 else "none",
                    "at": self.at(step),
                }
                for number, step in enumerate(self._spread(self.facts // 25))
            ],
        )

    def _decisions(self) -> Iterator[tuple[Row, list[dict[str, Any]]]]:
        pattern = Decision(
            run_id=1, step=1, kind="strategy", decision="bin 60 %, sy 40 %", reason="bin is behind", at=0.0
        )
        for kind, count in (("strategy", 2000), ("attempt", self.facts // 2000), ("regression", self.facts // 10_000)):
            yield (
                pattern,
                [
                    {"run_id": self.run_of(step), "step": step, "kind": kind, "skill": "bin", "at": self.at(step)}
                    for step in self._spread(max(1, count))
                ],
            )

    def _rest(self) -> Iterator[tuple[Row, list[dict[str, Any]]]]:
        """Tables that stay small: incidents, orders, trials, milestones."""

        def when(count: int) -> list[dict[str, Any]]:
            return [{"run_id": self.run_of(s), "step": s, "at": self.at(s)} for s in self._spread(max(1, count))]

        yield (
            Incident(
                run_id=1,
                step=1,
                rule="loss_spike",
                category="training",
                severity="low",
                status="resolved",
                title="the loss jumped",
                fix="nothing to do",
                blocks=False,
                detail={},
                at=0.0,
                last_at=0.0,
            ),
            [
                {
                    **row,
                    "last_at": row["at"],
                    "status": "open" if n % 100 == 3 else "resolved",
                    "resolved_at": row["at"],
                }
                for n, row in enumerate(when(self.facts // 2000))
            ],
        )
        yield (
            JournalEntry(command_id=None, run_id=1, step=1, verb="checkpoint", args={}, changes_training=False, at=0.0),
            when(self.facts // 1000),
        )
        yield (
            Trial(
                run_id=1, step=1, discipline="bin", level=1, items=100, correct=91, threshold=0.9, passed=True, at=0.0
            ),
            [{**row, "level": 1 + n, "correct": 91} for n, row in enumerate(when(12))],
        )
        yield (
            Milestone(campaign_id=self.campaign, step=1, kind="note", note="a good day", at=0.0),
            [{"step": row["step"], "at": row["at"]} for row in when(100)],
        )


_WINDOW = StepWindow(
    run_id=1,
    first_step=1,
    last_step=WINDOW,
    first_at=0.0,
    last_at=0.0,
    active_s=WINDOW * STEP_S,
    skill=None,
    quest_attempt_id=None,
    floor=0.02,
    steps=WINDOW,
    loss_sum=0.0,
    loss_min=None,
    loss_last=None,
    strain_sum=0.0,
    strain_last=None,
    zone_recovery=0,
    zone_productive=0,
    zone_stretch=0,
    zone_overload=0,
    zone_unknown=0,
    new_bests=0,
    misses=0,
    nonfinite=0,
    longest_streak=0,
    tokens=64_000,
    trained_tokens=20_000,
    examples=1_600,
    grad_norm_sum=0.0,
    grad_norm_max=1.4,
    learning_rate=0.02,
)
_EXAM = Exam(
    run_id=1,
    step=1,
    skill="bin",
    level=1,
    mix="full",
    kind="gate",
    first_index=0,
    items=64,
    correct=0,
    weights="ema",
    duration_s=0.4,
    at=0.0,
    skill_version="1",
    context_hash="0" * 16,
)


def _operations() -> dict[str, str]:
    """What the exams of a skill say of its operations, the same for all of them."""
    found = {}
    for skill in LEVELS:
        names = sorted({get_skill(skill).generate(6, index, "exam", "full").operation for index in range(200)})[:5]
        found[skill] = "{" + ",".join(f'"{name}":{{"chance":0.1,"correct":9,"items":12}}' for name in names) + "}"
    return found


def make(folder: SaveFolder, *, facts: int = 1_000_000, pruned: bool = False) -> int:
    """Make a save; the number of its facts.

    Args:
        folder: where; must not hold a save.
        facts: about how many, at least some thousands.
        pruned: merge and drop what retention would have.
    """
    folder.root.parent.mkdir(parents=True, exist_ok=True)
    base = load_hero("pip").model_dump(mode="json")
    hero = HeroConfig.model_validate({**base, "skills": dict.fromkeys(LEVELS, "full"), "floors": {}})
    create_save(folder, hero, seed=1)
    with closing(open_save(folder, write=True)) as conn:
        filler = Filler(conn, facts, clock.now())
        set_setting(conn, "face.names", "tavern")
        conn.execute("UPDATE campaigns SET created_at = ?", (filler.began,))
        filler.fill()
        if pruned:
            from configs.loader import load_game

            prune(conn, filler.campaign, load_game().retention)
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return count(conn)


class Player:
    """Writes on where a save ends, as an engine does: a window, and an exam after every second one."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn
        newest = conn.execute(
            "SELECT run_id, last_step FROM step_windows ORDER BY run_id DESC, first_step DESC"
        ).fetchone()
        self.run, self.step = int(newest[0]), int(newest[1])

    def play(self) -> None:
        """The next window of steps, and what follows it."""
        window = replace(_WINDOW, run_id=self.run, first_step=self.step + 1, last_step=self.step + WINDOW)
        self.step += WINDOW
        now = clock.now()
        add_window(
            self.conn, replace(window, first_at=now - 5, last_at=now, skill="bin", strain_sum=12.0, loss_sum=13.0)
        )
        if self.step % (2 * WINDOW) == 0:
            sequence = "HHCHHHCHMHHHHCHH" * 4
            exam = replace(_EXAM, run_id=self.run, step=self.step, level=24, correct=60, sequence=sequence, at=now)
            with transaction(self.conn):
                insert(self.conn, exam)


def count(conn: sqlite3.Connection) -> int:
    """Rows of all tables that hold facts; questions of exams are not counted."""
    tables = (
        *(
            "step_windows",
            "exams",
            "holds",
            "level_ups",
            "checkpoints",
            "quest_attempts",
            "drifts",
            "decisions",
            "trials",
        ),
        *("incidents", "journal", "milestones", "runs", "quests", "forged_quests", "balances", "champions", "sparring"),
    )
    return sum(int(conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in tables)


def main(arguments: list[str]) -> int:
    """Make one, and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--facts", type=int, default=1_000_000)
    parser.add_argument("--pruned", action="store_true", help="as retention leaves it")
    options = parser.parse_args(arguments)
    folder = SaveFolder(options.folder)
    found = make(folder, facts=options.facts, pruned=options.pruned)
    print(f"{found:,} facts, {folder.database.stat().st_size / 1e6:.0f} MB: {folder.root}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What was asked so far, read from the save, and what can be asked on this machine."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

from configs.errors import RealmError
from configs.exam_plan import ExamPlanConfig
from engine.curriculum.exam_plan import PlanRecord, School, Taken
from engine.curriculum.state import Tally
from engine.statistics import interval
from saves import exams
from saves.rows import Exam
from skills.judging import guarded
from skills.registry import get_skill

BASE = "base"
"""The hero as it was before it learnt anything here; also what `saves.rows.Exam.weights` says of it."""
GATES = ("gate", "screen")
"""Kinds of the gate's own exams; their problems are counted by the curriculum."""
COLUMNS = (
    "plan", "kind", "step", "skill", "mix", "level", "correct", "items", "errors", "skill_version", "at", "weights",
    "checkpoint_id",
)  # fmt: skip
"""What `told` reads of an exam."""

POOL_LIMIT_S = 30.0
"""Time in which a skill must have counted the problems it holds out at a level; the first count may load its words."""


def read_record(conn: sqlite3.Connection, campaign_id: str, plan: ExamPlanConfig) -> PlanRecord:
    """The record of a campaign's live exams."""
    record = PlanRecord()
    for row in exams.every_exam(conn, campaign_id):
        record = told(record, row, plan)
    return record


def told(record: PlanRecord, row: Any, plan: ExamPlanConfig) -> PlanRecord:
    """The record with one more exam, given by its `COLUMNS`."""
    asked = row["items"] + row["errors"]
    place = (row["skill"], row["mix"], row["level"])
    gate = row["kind"] in GATES
    if row["checkpoint_id"] is not None or row["weights"] == BASE:
        # Another form answered: only the problems are used up.
        return replace(record, outside={**record.outside, place: record.outside.get(place, 0) + asked})
    entry = plan.entries.get(row["plan"])
    taken = Taken(
        entry=row["plan"] if entry is not None else "",
        step=row["step"],
        skill=row["skill"],
        mix=row["mix"],
        level=row["level"],
        tally=Tally(row["correct"], row["items"]),
        version=row["skill_version"],
        at=row["at"],
        counted=gate or (entry is not None and entry.when.trigger != "idle"),
        asked=asked,
    )
    return record.after(taken, gate=gate, baseline_items=plan.drift.baseline_items)


def cannot_ask(skill_id: str, mix: str) -> str:
    """Why a skill's mix cannot be asked here; empty: it can."""
    try:
        get_skill(skill_id).mix(mix)
    except RealmError as error:
        return error.what
    return ""


def _held_out(skill_id: str, mix: str, level: int, limit: int) -> int:
    """Problems held out at a level; none where the skill cannot say."""
    skill = get_skill(skill_id)
    try:
        what = f"exam problems of level {level}"
        return guarded(skill_id, what, lambda: skill.exam_pool(level, mix, limit), limit_s=POOL_LIMIT_S)
    except RealmError:
        return 0


HERE = School(cannot_ask, _held_out)
"""The skills of this machine."""


def facts(exam: Exam, alpha: float) -> dict[str, Any]:
    """What is said of an exam: never an accuracy without its interval."""
    return {
        "id": exam.id,
        "kind": exam.kind,
        "plan": exam.plan or None,
        "skill": exam.skill,
        "mix": exam.mix,
        "level": exam.level,
        "step": exam.step,
        "correct": exam.correct,
        "items": exam.items,
        "accuracy": exam.correct / exam.items if exam.items else None,
        "interval": list(interval(exam.correct, exam.items, alpha)),
        "errors": exam.errors,
        "format_failures": exam.format_failures,
        "apprentice": exam.apprentice,
        "weights": exam.weights,
    }

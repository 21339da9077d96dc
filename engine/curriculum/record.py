"""What a save knows of a course: the exams at a level, levels below their peak, attempts that ended, primitives asked."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from configs.schema import GameConfig
from engine.curriculum.forgetting import Regression, regressions
from engine.curriculum.primitives import Seen
from engine.curriculum.progress import Attempted
from engine.curriculum.state import NOTHING, Tally
from saves import decisions, exams

BASE = "base"
"""Who answered an exam row, where it was the hero as it was before it learnt anything here."""
PROFILE_EXAMS = 2000
"""Newest exams in which a profile looks for a primitive's answers."""


class Paper(NamedTuple):
    """An exam, as far as it is about primitives."""

    step: int
    skill: str
    level: int
    skill_version: str
    primitives: Mapping[str, Mapping[str, int]]
    """By primitive: right answers and questions (`saves.rows.Exam.primitives`)."""


def gate_exams(conn: sqlite3.Connection, campaign_id: str, skill: str, level: int, since: int) -> list[tuple[int, str]]:
    """The live gate exams at a level after step ``since`` as (step, sequence of results), oldest first."""
    found = exams.recent_exams(conn, campaign_id, skill=skill, level=level, kind="gate")
    return [(e.step, e.sequence) for e in reversed(found) if e.step > since]


def attempts(conn: sqlite3.Connection, campaign_id: str, skill: str) -> list[Attempted]:
    """A skill's attempts that ended, oldest first."""
    found = decisions.recent_decisions(conn, campaign_id, kind="attempt", skill=skill)
    return [Attempted.from_dict(row.detail) for row in reversed(found)]


def regressed(conn: sqlite3.Connection, campaign_id: str, skill: str, rules: GameConfig) -> tuple[Regression, ...]:
    """Levels won that stand below the exams that won them, by their newest screening; worst first."""
    peaks: dict[int, Tally] = {}
    for won in exams.level_ups(conn, campaign_id, skill=skill):
        peak = NOTHING
        for exam_id in won.exam_ids:
            paper = exams.exam(conn, exam_id)
            if paper is not None:
                peak = peak.plus(Tally(paper.correct, paper.items))
        peaks[won.to_level] = peak
    now = {level: Tally(h.correct, h.items) for level, h in exams.holds(conn, campaign_id, skill).items()}
    return regressions(skill, peaks, now, rules.forgetting, rules.exams.alpha)


def primitives_seen(papers: Sequence[Paper]) -> dict[str, tuple[Seen, ...]]:
    """What exams said of each primitive, oldest first; of several versions of a skill only the newest counts.

    Args:
        papers: exams, newest first.
    """
    versions: dict[str, str] = {}
    found: dict[str, list[Seen]] = {}
    for paper in papers:
        if not paper.primitives or versions.setdefault(paper.skill, paper.skill_version) != paper.skill_version:
            continue
        for name, counts in paper.primitives.items():
            if counts["items"]:
                seen = Seen(paper.step, paper.skill, paper.level, counts["correct"], counts["items"])
                found.setdefault(name, []).append(seen)
    return {name: tuple(reversed(seen)) for name, seen in found.items()}


def hero_exams(conn: sqlite3.Connection, campaign_id: str, newest: int | None = None) -> list[Paper]:
    """Live exams that the hero in training answered, here or elsewhere, newest first; with ``newest`` only so many are looked at."""
    found = exams.asked_primitives(conn, campaign_id, newest)
    return [_paper(row) for row in found if row["own"]]


def base_exams(conn: sqlite3.Connection, campaign_id: str) -> list[Paper]:
    """Live exams that the hero answered as it was before it learnt anything here, newest first."""
    return [_paper(row) for row in exams.asked_primitives(conn, campaign_id) if row["weights"] == BASE]


def _paper(row: sqlite3.Row) -> Paper:
    return Paper(row["step"], row["skill"], row["level"], row["skill_version"], json.loads(row["primitives_json"]))


def last_drilled(conn: sqlite3.Connection, campaign_id: str) -> str | None:
    """The primitive drilled last; None before the first drill."""
    newest = decisions.latest_decision(conn, campaign_id, kind="drill")
    return None if newest is None else str(newest.detail["primitive"])

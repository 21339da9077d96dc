"""What a save knows of a course: the exams at a level, levels below their peak, attempts that ended."""

from __future__ import annotations

import sqlite3

from configs.schema import GameConfig
from engine.curriculum.forgetting import Regression, regressions
from engine.curriculum.progress import Attempted
from engine.curriculum.state import NOTHING, Tally
from saves import decisions, exams


def gate_exams(conn: sqlite3.Connection, campaign_id: str, skill: str, level: int) -> list[tuple[int, Tally]]:
    """Every live gate exam at a level as (step, tally), oldest first."""
    found = exams.recent_exams(conn, campaign_id, skill=skill, level=level, kind="gate")
    return [(e.step, Tally(e.correct, e.items)) for e in reversed(found)]


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

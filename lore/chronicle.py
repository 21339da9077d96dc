"""The chronicle: one page for each UTC day, told from the facts of that day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from configs.errors import UsageError
from configs.schema import ExamRules
from lore.away import AwayReport, Mark, away_report
from lore.events import Chapter
from lore.figures import duration
from lore.narrator import Tale, compose
from lore.saga import Line

_OWN_LINES = ("hero.achievement", "world.region", "world.boss", "world.talent", "hero.title_won", "hero.title_lost")
"""Of what the fold tells, what a day's page names."""


@dataclass(frozen=True, slots=True)
class Chronicle:
    """The page of one day."""

    day: str
    """``YYYY-MM-DD``, UTC."""
    report: AwayReport
    """The sums and moments of the day; a merged window belongs to the day on which it ended."""
    saga: tuple[Line, ...]
    """What the saga tells of the day, oldest first."""
    open: bool
    """Whether the day is not over yet."""

    def lines(self, hero: str) -> list[Tale]:
        """The page line by line: the day, its sums, then what was earned."""
        report = self.report
        which = "trained" if report.active_s > 0 else "idle"
        words = {"day": self.day, "active": duration(report.active_s), "hero": hero}
        first = compose("chronicle.day", which, report.now.at, words)
        earned = [line.tale for line in self.saga if line.event.type in _OWN_LINES]
        return [first, *report.lines(hero)[1:], *earned]

    def as_dict(self, hero: str) -> dict[str, Any]:
        """The machine form."""
        report = self.report
        return {
            "day": self.day,
            "open": self.open,
            "steps": report.steps,
            "active_s": report.active_s,
            "tokens": report.tokens,
            "effort": report.effort,
            "loss_from": report.loss_from,
            "loss_to": report.loss_to,
            "zone": report.zone,
            "won": {skill: list(levels) for skill, levels in report.won.items()},
            "lost": {skill: list(levels) for skill, levels in report.lost.items()},
            "exams": report.exams,
            "exams_passed": report.exams_passed,
            "checkpoints": report.checkpoints,
            "crashes": len(report.falls),
            "lines": [{"plain": tale.plain, "tavern": tale.tavern, "tone": tale.tone} for tale in self.lines(hero)],
        }


def bounds(day: str) -> tuple[float, float]:
    """The first moment of a day and the first one after it, UTC seconds.

    Raises:
        UsageError: ``day`` is not a date.
    """
    try:
        found = date.fromisoformat(day)
    except ValueError as error:
        raise UsageError(f"{day!r} is not a day", fix="write it as 2026-01-31", code="BAD_DAY") from error
    begin = datetime(found.year, found.month, found.day, tzinfo=UTC)
    return begin.timestamp(), (begin + timedelta(days=1)).timestamp()


def chronicle(
    day: str, before: Mark, now: Mark, chapter: Chapter, exam_rules: ExamRules, told: Sequence[Line], *, is_open: bool
) -> Chronicle:
    """The page of a day.

    Args:
        day: ``YYYY-MM-DD``.
        before: how far the campaign was at its first moment.
        now: how far it was at its last.
        chapter: the rows between the two.
        exam_rules: what passes an exam.
        told: the saga's lines of the day, oldest first.
        is_open: the day is not over yet.
    """
    report = away_report(before, now, chapter, exam_rules)
    assert report is not None, "there is a mark to begin with"
    return Chronicle(day, report, tuple(told), is_open)

"""The away report: compares the save with what was seen at the last look, and remembers this one."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass

from configs import clock
from configs.paths import SaveFolder
from lore.away import AwayReport, Mark, away_report
from lore.events import Chapter, events
from lore.narrator import Tale, tell
from realm_tui.runtime.events import chapter
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.status import Status
from saves.campaigns import active_campaign, last_seen, mark_seen
from saves.exams import mastered_level
from saves.steps import windows

TOLD_MOST = 400
"""Events that the page of the away report lists one by one; of a longer time the newest."""
LOOK = "look"
"""Key under which the last look is kept."""


@dataclass(frozen=True, slots=True)
class AwayTale:
    """One thing that happened while the player was away."""

    key: str
    """Type and row of the event."""
    step: int | None
    tale: Tale
    moment: str = ""
    """``best`` or ``worst`` of the time, or empty."""


@dataclass(frozen=True, slots=True)
class AwayView:
    """The time between two looks."""

    since: float
    """UTC seconds."""
    until: float
    trained_s: float
    examined_s: float
    summary: tuple[Tale, ...]
    """The time in a few lines, most telling first; what is at risk with its way out last."""
    told: tuple[AwayTale, ...]
    """What happened, oldest first."""
    left_out: int = 0
    """Earlier events that are not listed."""

    @property
    def elapsed_s(self) -> float:
        """Seconds between the looks."""
        return max(0.0, self.until - self.since)

    @property
    def idle_s(self) -> float:
        """Seconds in which the accelerator neither trained nor answered exams."""
        return max(0.0, self.elapsed_s - self.trained_s - self.examined_s)


def mark_of(status: Status) -> Mark:
    """What a screen with this status shows."""
    return Mark(status.at, status.step or 0, {skill: found.mastered for skill, found in status.skills.items()})


def away_view(save: OpenedSave) -> AwayView | None:
    """What happened since the last look, in order; None when nothing did, or at the first look."""
    found = _compared(save, None)
    if found is None:
        return None
    report, rows = found
    name, since, until = save.hero.name, report.before.at, report.now.at
    happened = [e for e in events(rows, save.rules.exams, since=since) if e.at <= until]
    moments = {e.key: word for word, e in (("worst", report.worst), ("best", report.best)) if e is not None}
    newest = happened[-TOLD_MOST:]
    return AwayView(
        since=since,
        until=until,
        trained_s=report.active_s,
        examined_s=math.fsum(e.duration_s for e in rows.exams if since < e.at <= until),
        summary=tuple(report.lines(name)),
        told=tuple(AwayTale(e.key, e.step, tell(e, name), moments.get(e.key, "")) for e in newest),
        left_out=len(happened) - len(newest),
    )


def _compared(save: OpenedSave, status: Status | None) -> tuple[AwayReport, Chapter] | None:
    """The report of the time since the last look and the rows it was made of; None when there is nothing to tell."""
    seen = last_seen(save.conn, LOOK)
    before = Mark.from_dict(seen.value) if seen is not None else None
    if before is None:
        return None
    now = mark_of(status) if status is not None else _saved_mark(save)
    rows = chapter(save, before.at)
    report = away_report(before, now, rows, save.rules.exams)
    return (report, rows) if report is not None and report.anything else None


def away_tales(save: OpenedSave, status: Status | None = None) -> list[Tale]:
    """What happened since the last look, most telling first; empty when nothing did, or at the first look.

    Args:
        save: an open save.
        status: what the screen shows now, when it is known already.
    """
    found = _compared(save, status)
    return found[0].lines(save.hero.name) if found is not None else []


def look_now(folder: SaveFolder) -> None:
    """Remember that everything up to now was seen."""
    from saves.database import open_save

    with closing(open_save(folder, write=True)) as conn:
        campaign = active_campaign(conn)
        newest = windows(conn, campaign.id, 1)
        mastered = {skill: mastered_level(conn, campaign.id, skill) for skill in campaign.hero.get("skills", {})}
        mark = Mark(clock.now(), newest[0].last_step if newest else campaign.starting_step, mastered)
        mark_seen(conn, LOOK, mark.as_dict())


def _saved_mark(save: OpenedSave) -> Mark:
    newest = windows(save.conn, save.campaign.id, 1)
    return Mark(
        clock.now(),
        newest[0].last_step if newest else save.campaign.starting_step,
        {skill: mastered_level(save.conn, save.campaign.id, skill) for skill in save.hero.skills},
    )

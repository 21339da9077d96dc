"""The away report: compares the save with what was seen at the last look, and remembers this one."""

from __future__ import annotations

from contextlib import closing

from configs import clock
from configs.paths import SaveFolder
from lore.away import Mark, away_report
from lore.narrator import Tale
from realm_tui.runtime.events import chapter
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.status import Status
from saves.campaigns import active_campaign, last_seen, mark_seen
from saves.exams import mastered_level
from saves.steps import windows

LOOK = "look"
"""Key under which the last look is kept."""


def mark_of(status: Status) -> Mark:
    """What a screen with this status shows."""
    return Mark(status.at, status.step or 0, {skill: found.mastered for skill, found in status.skills.items()})


def away_tales(save: OpenedSave, status: Status | None = None) -> list[Tale]:
    """What happened since the last look, most telling first; empty when nothing did, or at the first look.

    Args:
        save: an open save.
        status: what the screen shows now, when it is known already.
    """
    seen = last_seen(save.conn, LOOK)
    before = Mark.from_dict(seen.value) if seen is not None else None
    if before is None:
        return []
    now = mark_of(status) if status is not None else _saved_mark(save)
    report = away_report(before, now, chapter(save, before.at), save.rules.exams)
    return report.lines(save.hero.name) if report is not None and report.anything else []


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

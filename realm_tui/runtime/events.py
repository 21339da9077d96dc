"""Reads what happened out of the save, for the event list, the adventure log and the away report."""

from __future__ import annotations

from collections.abc import Iterable

from configs import clock
from lore.events import Chapter, Event, events
from lore.figures import number
from lore.narrator import tell
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.opened import OpenedSave
from saves import exams, incidents, journal, ledger, quests, runs, steps
from saves.rows import Checkpoint

_OVERLAP_S = 60.0
"""How far back a look reaches beyond the last one: facts are dated when they happen and written a little later."""


def chapter(save: OpenedSave, since: float = 0.0) -> Chapter:
    """The rows of the active campaign later than ``since`` (UTC seconds), and those they refer to."""
    conn, campaign = save.conn, save.campaign.id
    attempts = quests.recent_attempts(conn, campaign, since=since)
    wanted = {a.quest_id for a in attempts}
    champions = ledger.champions(conn, campaign, since=since)
    saved = {c.id: c for c in ledger.recent_checkpoints(conn, campaign, since=since)}
    crowned = (ledger.checkpoint(conn, c.checkpoint_id) for c in champions)
    return Chapter(
        runs=runs.runs(conn, campaign, since=since),
        windows=steps.windows(conn, campaign, since=since),
        quests=[q for q in quests.quests(conn, removed=True) if q.id in wanted or q.created_at > since],
        attempts=attempts,
        exams=exams.recent_exams(conn, campaign, since=since),
        holds=exams.recent_holds(conn, campaign, since=since),
        level_ups=exams.level_ups(conn, campaign, since=since),
        checkpoints=_all(saved, crowned),
        champions=champions,
        incidents=incidents.incidents(conn, since=since, campaign_id=campaign),
        journal=journal.recent(conn, campaign, limit=1000, since=since),
    )


def _all(known: dict[int, Checkpoint], more: Iterable[Checkpoint]) -> list[Checkpoint]:
    return list({**known, **{c.id: c for c in more}}.values())


class EventFeed:
    """Gives each event once, in order; looks only at what is new.

    Args:
        save: an open save, read while it is being written.
        since: UTC seconds; earlier events are never given.
    """

    def __init__(self, save: OpenedSave, *, since: float = 0.0) -> None:
        self._save = save
        self._since = self._from = since
        self._given: set[str] = set()

    def news(self) -> list[Event]:
        """What was not given before, oldest first."""
        looked_at = clock.now()
        rows = chapter(self._save, self._from)
        found = [e for e in events(rows, self._save.rules.exams, since=self._since or None) if e.key not in self._given]
        self._from = max(self._from, looked_at - _OVERLAP_S)
        self._given.update(e.key for e in found)
        return found


def event_line(event: Event, hero: str) -> str:
    """An event as one plain line: time (UTC), step, sentence."""
    step = "" if event.step is None else f"step {number(event.step)}"
    return f"{clock.utc(event.at):%Y-%m-%d %H:%M:%S}Z  {step:<12} {clean(tell(event, hero).plain)}"

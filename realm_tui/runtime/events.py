"""Reads what happened out of the save, for the event list, the adventure log and the away report."""

from __future__ import annotations

from configs import clock
from lore.deeds import PASSING, of_happening
from lore.events import Chapter, Event, events, order
from lore.figures import number
from lore.fold import Game
from lore.narrator import tell
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.opened import OpenedSave
from saves import exams, steps
from saves.between import Between, rows_between
from saves.stream import lineage

_OVERLAP_S = 60.0
"""How far back a look reaches beyond the last one: facts are dated when they happen and written a little later."""


def chapter(save: OpenedSave, since: float = 0.0) -> Chapter:
    """The rows of the active campaign later than ``since`` (UTC seconds), and those they refer to.

    What the curriculum decides in passing is left out: `realm curriculum` and the battle log tell it.
    """
    rows = rows_between(save.conn, save.campaign.id, since=since)
    rows.decisions = [d for d in rows.decisions if d.kind not in PASSING]
    return chapter_of(rows)


def chapter_of(rows: Between) -> Chapter:
    """The rows as events are made of them."""
    return Chapter(
        runs=rows.runs,
        windows=rows.windows,
        quests=rows.quests,
        attempts=rows.attempts,
        exams=rows.exams,
        holds=rows.holds,
        level_ups=rows.level_ups,
        checkpoints=rows.checkpoints,
        champions=rows.champions,
        incidents=rows.incidents,
        journal=rows.journal,
        trials=rows.trials,
        drifts=rows.drifts,
        sparring=rows.sparring,
        notes=rows.notes,
        decisions=rows.decisions,
    )


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

    def news(self, game: Game | None = None) -> list[Event]:
        """What was not given before, oldest first.

        Args:
            game: what was folded from the save now; None leaves out what only the fold knows.
        """
        looked_at = clock.now()
        found = events(chapter(self._save, self._from), self._save.rules.exams, since=self._since or None)
        if game is not None:
            told = (of_happening(h) for h in game.happenings)
            found = sorted([*found, *(e for e in told if e.at > self._since)], key=lambda e: e.at)
        found = [e for e in found if e.key not in self._given]
        self._from = max(self._from, looked_at - _OVERLAP_S)
        self._given.update(e.key for e in found)
        return found


class NewestEvents:
    """The newest events of one save, asked for again and again; only what is new is read.

    Args:
        most: how many are kept.
        reach_s: how far before the newest step window the first look goes back.
    """

    def __init__(self, most: int, reach_s: float) -> None:
        self._most, self._reach_s = most, reach_s
        self._kept: dict[str, Event] = {}
        self._way: tuple[str, list[tuple[int, int, int | None]]] | None = None
        self._from = 0.0

    def read(self, save: OpenedSave) -> list[Event]:
        """The newest events, oldest first."""
        looked_at = clock.now()
        way = save.campaign.id, lineage(save.conn, save.campaign.id)
        if way == self._way:
            self._kept |= {event.key: event for event in self._since(save, self._from)}
        else:
            self._kept = {event.key: event for event in self._begin(save)}
            self._way = way
        newest = sorted(self._kept.values(), key=order)[-self._most :]
        self._kept = {event.key: event for event in newest}
        self._from = max(self._from, looked_at - _OVERLAP_S)
        return newest

    def _begin(self, save: OpenedSave) -> list[Event]:
        conn, campaign = save.conn, save.campaign.id
        newest = steps.windows(conn, campaign, 1)
        farthest = newest[0].last_at - self._reach_s if newest else 0.0
        # So many exams are events enough; what is older need not be read.
        last = exams.recent_exams(conn, campaign, limit=self._most)
        enough = last[-1].at if len(last) == self._most else 0.0
        if enough > farthest:
            found = self._since(save, enough)
            if len(found) >= self._most - 1:
                return found
        return self._since(save, farthest)

    def _since(self, save: OpenedSave, since: float) -> list[Event]:
        return events(chapter(save, since), save.rules.exams, since=since or None)


def event_line(event: Event, hero: str) -> str:
    """An event as one plain line: time (UTC), step, sentence."""
    step = "" if event.step is None else f"step {number(event.step)}"
    return f"{clock.utc(event.at):%Y-%m-%d %H:%M:%S}Z  {step:<12} {clean(tell(event, hero).plain)}"

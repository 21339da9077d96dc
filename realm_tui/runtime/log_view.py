"""The battle log: every event of the active campaign with its channel and how loud it is, back to a moment that can be moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lore.deeds import of_happening
from lore.events import events
from lore.saga import Line, line
from realm_tui.runtime.events import chapter
from realm_tui.runtime.game import GameReader
from realm_tui.runtime.opened import OpenedSave
from saves.runs import latest_run
from saves.steps import windows

REACHES_S: tuple[float | None, ...] = (6 * 3600.0, 24 * 3600.0, 7 * 86400.0, 30 * 86400.0, None)
"""How far back a look reaches, first to last; None: to the beginning."""
MOST = 20_000
"""Newest events that are kept at most."""
_OVERLAP_S = 60.0
"""Facts are dated when they happen and written a little later."""


@dataclass(frozen=True, slots=True)
class LogView:
    """The log as far as it was read, newest first."""

    lines: tuple[Line, ...] = ()
    reach_s: float | None = None
    """How far back it was read."""
    cut: int = 0
    """Older events within that reach that were left out."""

    def line(self, key: str | None) -> Line | None:
        """The line of an event; None when it is not there."""
        return next((one for one in self.lines if one.key == key), None)


class LogReader:
    """Reads the log again and again; what it gave before is kept, and only the newest minute is looked at again."""

    def __init__(self, *, told: bool = False) -> None:
        """
        Args:
            told: keep only what the saga tells.
        """
        self._told = told
        self._games = GameReader()
        self._known: dict[str, Line] = {}
        self._state: tuple[object, ...] = ()
        self._from = 0.0

    def read(self, save: OpenedSave, reach: int = 0) -> LogView:
        """The log back to `REACHES_S` of ``reach``."""
        run = latest_run(save.conn, save.campaign.id)
        state = (save.campaign.id, None if run is None else (run.id, run.parent_run_id), reach)
        if state != self._state:
            self._known, self._from, self._state = {}, self._since(save, reach), state
        newest = max((one.event.at for one in self._known.values()), default=self._from)
        since = max(self._from, newest - _OVERLAP_S)
        self._known |= {one.key: one for one in self._lines(save, since) if one.told or not self._told}
        ordered = sorted(self._known.values(), key=lambda one: (one.event.at, one.event.step or 0), reverse=True)
        self._known = {one.key: one for one in ordered[:MOST]}
        return LogView(tuple(ordered[:MOST]), REACHES_S[reach], max(0, len(ordered) - MOST))

    def _since(self, save: OpenedSave, reach: int) -> float:
        span = REACHES_S[reach]
        newest = windows(save.conn, save.campaign.id, 1)
        return 0.0 if span is None or not newest else newest[0].last_at - span

    def _lines(self, save: OpenedSave, since: float) -> Iterator[Line]:
        hero = save.hero.name
        for event in events(chapter(save, since), save.rules.exams, since=since or None):
            yield line(event, hero)
        for happening in self._games.read(save).happenings:
            if happening.at > since:
                yield line(of_happening(happening), hero)

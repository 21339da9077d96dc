"""What the screens of the battle log and the saga show: lines of the story back to a count, a day's page, and the whole journey."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from configs import clock
from lore.chronicle import Chronicle
from lore.journey import Journey
from lore.saga import Line
from realm_tui.runtime import saga_view
from realm_tui.runtime.game import Games
from realm_tui.runtime.opened import OpenedSave
from saves.between import Day
from saves.runs import latest_run

COUNTS = (500, 2_000, 10_000)
"""How many lines a look reads, first to last."""
KEPT_S = 60.0
"""How long a page stands: summing a year up takes a second or two."""
_OVERLAP_S = 60.0
"""Facts are dated when they happen and written a little later."""
Part = Literal["saga", "chronicle", "journey"]
PARTS: tuple[Part, ...] = ("saga", "chronicle", "journey")


@dataclass(frozen=True, slots=True)
class LogView:
    """Lines of the story as far as they were read, newest first."""

    lines: tuple[Line, ...] = ()
    older: bool = False
    """Whether there may be older ones."""

    def line(self, key: str | None) -> Line | None:
        """The line of an event; None when it is not there."""
        return next((one for one in self.lines if one.key == key), None)


@dataclass(frozen=True, slots=True)
class SagaView(LogView):
    """The story with its pages; a part that is not looked at stays empty."""

    hero: str = ""
    days: tuple[Day, ...] = ()
    """Days on which something was trained, newest first."""
    page: Chronicle | None = None
    journey: Journey | None = None


class Story:
    """Reads the newest lines again and again: all of them once, then only what came since."""

    def __init__(self, *, everything: bool) -> None:
        """
        Args:
            everything: the whole battle log; else the saga.
        """
        self._wanted = saga_view.Wanted(everything=everything)
        self._lines: tuple[Line, ...] = ()
        self._older = False
        self._state: tuple[object, ...] = ()

    def read(self, save: OpenedSave, games: Games, look: int = 0) -> tuple[tuple[Line, ...], bool]:
        """The newest `COUNTS` lines of ``look``, newest first, and whether there may be older ones."""
        run, count, game = latest_run(save.conn, save.campaign.id), COUNTS[look], games.read(save)
        state = (save.campaign.id, None if run is None else run.id, look)
        if state != self._state or not self._lines:
            found = saga_view.newest_lines(save, game, count, self._wanted)
            self._older = len(found) == count
        else:
            since = self._lines[0].event.at - _OVERLAP_S
            news = saga_view.lines_since(save, game, since, self._wanted)
            found = [*news, *(line for line in self._lines if line.event.at <= since)]
        self._state, self._lines = state, tuple(found[:count])
        self._older = self._older or len(found) > count
        return self._lines, self._older


class Pages:
    """Reads the days and the journey; the same one is read again at most every `KEPT_S` seconds."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], tuple[float, SagaView]] = {}

    def read(self, save: OpenedSave, games: Games, part: Part, day: str | None = None) -> SagaView:
        """The days with the page of one of them (None: the newest), or the journey."""
        key, now = (save.campaign.id, part, day), clock.now()
        kept = self._kept.get(key)
        if kept is None or not 0 <= now - kept[0] < KEPT_S:
            kept = self._kept[key] = (now, _anew(save, games, part, day))
        return kept[1]


def _anew(save: OpenedSave, games: Games, part: Part, day: str | None) -> SagaView:
    game, hero = games.read(save), save.hero.name
    if part == "journey":
        return SagaView(hero=hero, journey=saga_view.journey(save, game))
    days = tuple(saga_view.trained_days(save))
    chosen = day if any(d.day == day for d in days) else days[0].day if days else None
    return SagaView(hero=hero, days=days, page=saga_view.day_page(save, game, chosen) if chosen else None)

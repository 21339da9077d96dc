"""What the screens of the battle log and the saga show: lines of the story back to a count, a day's page, and the whole journey."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lore.chronicle import Chronicle
from lore.journey import Journey
from lore.saga import Line
from realm_tui.runtime import saga_view
from realm_tui.runtime.game import Games
from realm_tui.runtime.opened import OpenedSave
from saves.between import Day

COUNTS = (500, 2_000, 10_000)
"""How many lines a look reads, first to last."""
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


def log_view(save: OpenedSave, games: Games, look: int = 0) -> LogView:
    """The battle log: the newest `COUNTS` lines of ``look``."""
    count = COUNTS[look]
    found = saga_view.newest_lines(save, games.read(save), count, saga_view.Wanted(everything=True))
    return LogView(tuple(found), len(found) == count)


def saga_pages(save: OpenedSave, games: Games, part: Part, day: str | None = None, look: int = 0) -> SagaView:
    """One part of the story.

    Args:
        save: an open save.
        games: gives the game of the save.
        part: which one.
        day: of the chronicle's page; None: the newest day.
        look: how many lines of the saga.
    """
    game, hero = games.read(save), save.hero.name
    if part == "journey":
        return SagaView(hero=hero, journey=saga_view.journey(save, game))
    if part == "chronicle":
        days = tuple(saga_view.trained_days(save))
        chosen = day if any(d.day == day for d in days) else days[0].day if days else None
        return SagaView(hero=hero, days=days, page=saga_view.day_page(save, game, chosen) if chosen else None)
    count = COUNTS[look]
    found = saga_view.newest_lines(save, game, count)
    return SagaView(tuple(found), len(found) == count, hero)

"""What the app asks of the save: where facts come from, and where the screen's own choices are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from realm_tui.app.facts import Facts
from realm_tui.runtime.opened import OpenedSave

if TYPE_CHECKING:
    from realm_tui.runtime.away import AwayView
    from realm_tui.runtime.game import Games

T = TypeVar("T")


class Source(Protocol):
    """Where the facts come from. Called on one thread, never two calls at once."""

    def read(self) -> Facts:
        """The facts now; `RealmError` when the save cannot be read."""

    def away(self) -> AwayView | None:
        """What happened since the last look; None when nothing did."""

    @property
    def games(self) -> Games:
        """Gives the game of the save; asked on the same thread."""

    def look_up(self, read: Callable[[OpenedSave], T], known: int | None) -> tuple[int, T] | None:
        """What ``read`` makes of the save, with the database's version; None when that is still the ``known`` one."""


class Keeper(Protocol):
    """Where the screen's own choices are kept."""

    def setting(self, key: str, value: Any) -> object:
        """Keep a setting."""

    def seen(self, key: str, value: Any) -> object:
        """Remember what was seen."""

"""The away report: what the hero did since the last look, from rows of the save."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult

from lore.narrator import Tale
from realm_tui.app.drawing import Look
from realm_tui.app.screens.page import Page
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.app.words import clock_time
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.opened import OpenedSave


@dataclass(frozen=True, slots=True)
class Away:
    """What happened meanwhile."""

    tales: tuple[Tale, ...]


class AwayScreen(Page[Away]):
    """While you were away."""

    word = "screen.away"
    lives = True
    AUTO_FOCUS: ClassVar[str | None] = "#tales"

    def read(self, save: OpenedSave) -> Away:
        return Away(tuple(self.realm.away))

    def body(self) -> ComposeResult:
        yield Listing("tales", self.word, empty="Nothing happened while you were away.")

    def show(self, data: Away, look: Look) -> None:
        items = [
            Item(
                f"{i}",
                (
                    (f" {clock_time(tale.at)} ", "faint"),
                    (f"{tale.icon} ", tale.tone),
                    (clean(tale.text(look.names)), tale.tone),
                ),
            )
            for i, tale in enumerate(data.tales)
        ]
        self.query_one(Listing).draw(items, look)

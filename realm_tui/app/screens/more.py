"""The list of all screens, and what the one under the cursor is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from lore.lexicon import entry
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.page import Page
from realm_tui.app.screens.registry import MORE, SCREENS, ScreenEntry
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.app.widgets.sheet import Sheet, folded
from realm_tui.runtime.opened import OpenedSave

_NAME_CELLS = 22


@dataclass(frozen=True, slots=True)
class Screens:
    """The screens that can be opened from here."""

    entries: tuple[ScreenEntry, ...]


class MoreScreen(Page[Screens]):
    """Every screen with its key, its name and what it is for; enter opens it."""

    word = "screen.more"
    refresh_s = 60.0
    AUTO_FOCUS: ClassVar[str | None] = "#screens"

    def read(self, save: OpenedSave) -> Screens:
        keyed = [s for s in SCREENS if s.key and s.id != MORE]
        return Screens((*(s for s in SCREENS if not s.key), *keyed))

    def body(self) -> ComposeResult:
        yield Listing("screens", self.word)
        yield Sheet("about", "more.about")

    def show(self, data: Screens, look: Look) -> None:
        listing = self.query_one(Listing)
        listing.draw([_item(one, look) for one in data.entries], look)
        one = next((s for s in data.entries if s.id == listing.chosen), None)
        self.query_one("#about", Sheet).draw(lambda width, height: _about(one, width, height), look)

    @on(Listing.Moved)
    def _moved(self) -> None:
        self.repaint_data()

    @on(Listing.Chosen)
    def open_chosen(self, event: Listing.Chosen) -> None:
        """Open the screen under the cursor."""
        self.realm.action_go(event.key)


def _about(one: ScreenEntry | None, width: int, height: int) -> list[Row]:
    """What the screen shows; of one that is not built, what it will show."""
    if one is None:
        return []
    text = one.help if one.cls else f"Not built yet. {one.promised}"
    return [((f" {line}", "text"),) for line in folded(text, max(10, width - 2), height)]


def _item(one: ScreenEntry, look: Look) -> Item:
    word = entry(one.word)
    name = f"{word.icon} {word.named(look.names)}"
    return Item(
        one.id,
        (
            (f" {one.key or ' '} ", "key"),
            (f" {name:<{_NAME_CELLS}}", "strong" if one.cls else "muted"),
            (f" {one.help if one.cls else 'Not built yet. ' + one.help}", "text" if one.cls else "faint"),
        ),
    )

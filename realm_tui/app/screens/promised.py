"""A screen whose data does not exist yet: it says plainly what it will show."""

from __future__ import annotations

from textual.app import ComposeResult

from lore.lexicon import entry
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.page import Page
from realm_tui.app.screens.registry import ScreenEntry
from realm_tui.app.widgets.sheet import Sheet, folded
from realm_tui.runtime.opened import OpenedSave


class PromisedScreen(Page[ScreenEntry]):
    """What will stand here."""

    refresh_s = 60.0

    def __init__(self, promise: ScreenEntry) -> None:
        super().__init__()
        self._promise = promise

    def read(self, save: OpenedSave) -> ScreenEntry:
        return self._promise

    def body(self) -> ComposeResult:
        yield Sheet("promise", self._promise.word)

    def show(self, data: ScreenEntry, look: Look) -> None:
        explained = entry(data.word).explained(look.names)

        def rows(width: int, height: int) -> list[Row]:
            room = min(width - 4, 90)
            return [
                (),
                ((f"  {entry(data.word).icon} {entry(data.word).named(look.names)}", "strong"),),
                (),
                *((("  ", ""), (line, "text")) for line in folded(explained, room)),
                (),
                (("  It is not built yet. What it will show:", "accent"),),
                *((("  ", ""), (line, "text")) for line in folded(data.promised, room)),
            ]

        self.query_one(Sheet).draw(rows, look)

"""The book of words: every label of the game, explained in the tavern's words and in the field's own."""

from __future__ import annotations

from collections.abc import Sequence

from lore.lexicon import Chapter, chapters
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.list_page import ListPage
from realm_tui.app.widgets import glossary
from realm_tui.app.widgets.listing import Item
from realm_tui.runtime.opened import OpenedSave


class LoreScreen(ListPage[tuple[Chapter, ...]]):
    """The lexicon."""

    word = "screen.lore"
    refresh_s = 60.0

    def read(self, save: OpenedSave) -> tuple[Chapter, ...]:
        return chapters()

    def items(self, data: tuple[Chapter, ...], look: Look) -> Sequence[Item]:
        return glossary.word_items(glossary.found_words(data, self.find), look)

    def empty(self, data: tuple[Chapter, ...], look: Look, width: int) -> Sequence[Row]:
        return glossary.empty_words()

    def sheet(self, data: tuple[Chapter, ...], key: str | None, look: Look, width: int) -> Sequence[Row]:
        found = next(((k, c.entries[k], c.chapter) for c in data for k in c.entries if k == key), None)
        return glossary.word_sheet(found, look, width)

    def sheet_title(self, data: tuple[Chapter, ...], key: str | None, look: Look) -> str:
        found = next((c.entries[k] for c in data for k in c.entries if k == key), None)
        return "" if found is None else found.named(look.names)

"""The rows of the book of words: every entry of the lexicon by chapter, and one of them closely."""

from __future__ import annotations

from lore.lexicon import Chapter, Entry
from realm_tui.app.drawing import Look, Row
from realm_tui.app.widgets.lines import GAP, columns, named, told
from realm_tui.app.widgets.listing import Item

Word = tuple[str, Entry, str]
"""Key, entry, and the title of its chapter."""


def found_words(chapters: tuple[Chapter, ...], find: str) -> tuple[Word, ...]:
    """Every word in the order of the book, or those that hold what is looked for."""
    wanted = find.casefold()
    return tuple(
        (key, one, chapter.chapter)
        for chapter in chapters
        for key, one in chapter.entries.items()
        if not wanted
        or any(wanted in text.casefold() for text in (key, one.label, one.plain, one.short, one.tooltip, one.technical))
    )


def word_items(words: tuple[Word, ...], look: Look) -> list[Item]:
    """One line a word; a chapter is named at its first."""
    out: list[Item] = []
    last = ""
    for key, one, chapter in words:
        head = chapter if chapter != last else ""
        last = chapter
        out.append(Item(key, lambda width, e=one, h=head: _row(e, h, look, width)))  # type: ignore[misc]
    return out


def _row(one: Entry, head: str, look: Look, width: int) -> Row:
    return columns(
        (head, 13, "accent"),
        (one.icon, 1, "muted"),
        (one.named(look.names), 22, "text"),
        (one.short, max(4, width - 39), "muted"),
    )


def word_sheet(word: Word | None, look: Look, width: int) -> list[Row]:
    """One word in both voices."""
    if word is None:
        return []
    key, one, chapter = word
    rows: list[Row] = [
        ((f" {one.icon} ", "accent"), (one.label, "strong"), (f"   {one.plain or one.label}", "muted")),
        GAP,
        *told("it is", one.short, width),
        *told("tavern", one.tooltip, width),
        *told("technical", one.technical, width),
    ]
    if one.warning:
        rows += told("at risk", one.warning, width, "warn")
    return [*rows, GAP, named("key", key, "muted"), named("chapter", chapter, "muted")]


def empty_words() -> list[Row]:
    """What stands there when no word fits."""
    return [((" no word fits; ", "faint"), ("esc", "key"), (" shows them all", "faint"))]

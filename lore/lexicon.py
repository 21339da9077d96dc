"""The words of the game: every visible label in the tavern's voice and in the field's own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal

from pydantic import Field, field_validator

from configs.base import Model
from configs.errors import RealmError, UsageError
from configs.reading import parse, read_mapping, read_yaml

Voice = Literal["plain", "tavern"]
"""``plain`` uses the field's standard terms, ``tavern`` the game's."""

LABEL_CELLS = 24
SHORT_CELLS = 40


class Entry(Model):
    """One word, explained."""

    label: str = Field(min_length=1, max_length=LABEL_CELLS, description="the tavern's word")
    plain: str = Field("", max_length=LABEL_CELLS, description="the field's word; empty: the same as `label`")
    short: str = Field(min_length=1, max_length=SHORT_CELLS, description="one line")
    tooltip: str = Field(min_length=1, description="one to three sentences for a newcomer")
    technical: str = Field(min_length=1, description="what is measured, without advice")
    icon: str = Field(min_length=1, max_length=1, description="one narrow character")
    ascii: str = Field(min_length=1, max_length=1, description="the icon's twin in ASCII")
    warning: str = Field("", description="what is at risk, if anything is")

    @field_validator("ascii")
    @classmethod
    def _is_ascii(cls, value: str) -> str:
        if not value.isascii() or not value.isprintable():
            raise ValueError("must be one printable ASCII character")
        return value

    def named(self, voice: Voice) -> str:
        """The label in a voice."""
        return self.plain or self.label if voice == "plain" else self.label

    def mark(self, *, ascii_only: bool = False) -> str:
        """The icon, or its ASCII twin."""
        return self.ascii if ascii_only else self.icon

    def explained(self, voice: Voice) -> str:
        """The tooltip, or in the plain voice what is measured."""
        return self.technical if voice == "plain" else self.tooltip


class Chapter(Model):
    """Words that belong together: one file of ``lore/words``."""

    chapter: str = Field(min_length=1, description="its heading in the book")
    entries: dict[str, Entry] = Field(description="the words by their dotted keys")


def _files() -> list[Traversable]:
    folder = resources.files("lore") / "words"
    return sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)


@cache
def chapters() -> tuple[Chapter, ...]:
    """The chapters of the book, in the order of their files' names."""
    return tuple(parse(Chapter, read_yaml(file), f"the lexicon's {file.name}") for file in _files())


@cache
def entries() -> dict[str, Entry]:
    """Every entry by its dotted key, in the order of the book.

    Raises:
        RealmError: two chapters explain the same word.
    """
    found: dict[str, Entry] = {}
    for one in chapters():
        if twice := found.keys() & one.entries.keys():
            words = ", ".join(sorted(twice))
            raise RealmError(f"the lexicon explains {words} twice", fix="keep one of them", code="CONFIG_INVALID")
        found |= one.entries
    return found


_ENTRY = re.compile(r"^  (\w[\w.-]*):", re.MULTILINE)


@cache
def _places() -> dict[str, tuple[Traversable, str]]:
    """By key the file of an entry and its lines there: a screen needs few of all the words, and the whole book takes long."""
    found: dict[str, tuple[Traversable, str]] = {}
    for file in _files():
        text = file.read_text(encoding="utf-8").partition("\nentries:")[2]
        starts = list(_ENTRY.finditer(text))
        ends = [*(m.start() for m in starts[1:]), len(text)]
        found |= {m[1]: (file, text[m.start() : end]) for m, end in zip(starts, ends, strict=True)}
    return found


@cache
def known(key: str) -> Entry | None:
    """The entry called ``key``; None when the lexicon has none."""
    if key not in _places():
        return None
    file, lines = _places()[key]
    return parse(
        Chapter, {"chapter": file.name, "entries": read_mapping(lines, file)}, f"{key} in {file.name}"
    ).entries[key]


def entry(key: str) -> Entry:
    """The entry called ``key``; `UsageError` when the lexicon has none."""
    found = known(key)
    if found is None:
        near = ", ".join(search(key.split(".")[-1]))
        raise UsageError(
            f"the lexicon has no word {key!r}", fix=f"try {near}" if near else "see docs/LORE.md", code="UNKNOWN_WORD"
        )
    return found


def label(key: str, voice: Voice = "tavern") -> str:
    """The visible word for ``key``."""
    return entry(key).named(voice)


def search(text: str, limit: int = 8) -> list[str]:
    """Keys whose key or words contain ``text``, without regard to case; those that end in it first."""
    wanted = text.casefold()

    def words(key: str, e: Entry) -> Iterable[str]:
        return (key, e.label, e.plain, e.short)

    found = [k for k, e in entries().items() if any(wanted in w.casefold() for w in words(k, e))]
    return sorted(found, key=lambda k: k.rsplit(".", 1)[-1].casefold() != wanted)[:limit]

"""The stock of words: shipped in `configs/words`, with the player's own files behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from configs.base import Model
from configs.errors import RealmError
from configs.paths import config_dir
from configs.reading import parse, read_yaml, shipped

HINT_KINDS = (
    "definition",
    "synonyms",
    "category",
    "examples",
    "hypernym",
    "hyponyms",
    "antonyms",
    "domain",
    "morphology",
    "etymology",
)
LEAST_KINDS = 4
"""Kinds of hint that every word has."""
_SYLLABLES = re.compile(r"[a-z]+(-[a-z]+)+")


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """One word of the stock."""

    text: str
    syllables: tuple[str, ...]
    """Tiles; joined they give the word."""
    zipf: float
    """log10 of its uses per billion words: an estimate."""
    pos: str
    hints: Mapping[str, tuple[str, ...]]
    """Kind of hint to what it says: several synonyms, examples …, or the one text of a definition."""


class WordEntry(Model):
    """One word of a file."""

    syllables: str = Field(description="its syllables with hyphens between them, e.g. gar-den")
    zipf: float = Field(ge=1.0, le=6.0, description="log10 of its uses per billion words")
    pos: Literal["noun", "verb", "adjective", "adverb"] = Field(description="part of speech")
    definition: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    hypernym: tuple[str, ...] = ()
    hyponyms: tuple[str, ...] = ()
    antonyms: tuple[str, ...] = ()
    domain: tuple[str, ...] = ()
    morphology: tuple[str, ...] = ()
    etymology: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _plausible(self) -> Self:
        if not _SYLLABLES.fullmatch(self.syllables) or not 2 <= self.syllables.count("-") + 1 <= 7:
            raise ValueError("write two to seven syllables in small letters, with hyphens between them")
        if len(self.hints()) < LEAST_KINDS:
            raise ValueError(f"a word needs at least {LEAST_KINDS} kinds of hint")
        return self

    def hints(self) -> dict[str, tuple[str, ...]]:
        """What is said of the word, by kind."""
        return {kind: told for kind in HINT_KINDS if (told := getattr(self, kind))}


class WordFile(Model):
    """One file of words."""

    words: dict[str, WordEntry] = Field(description="the word to what is known of it")


def word_files() -> tuple[Path | Traversable, ...]:
    """The files of the stock: shipped ones, then the player's own (`words/*.yaml` of the configuration folder)."""
    ours = sorted((f for f in (shipped() / "words").iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return (*ours, *own_word_files())


def own_word_files() -> tuple[Path, ...]:
    """The player's files of words."""
    return tuple(sorted((config_dir() / "words").glob("*.yaml")))


def read_words(file: Path | Traversable) -> tuple[Word, ...]:
    """The words of one file.

    Raises:
        RealmError: a field is wrong (with its line), or the syllables of a word do not join to it.
    """
    data: dict[str, Any] = read_yaml(file)
    found = []
    for text, entry in parse(WordFile, data, f"the words of {file.name}", [file]).words.items():
        syllables = tuple(entry.syllables.split("-"))
        if "".join(syllables) != text:
            raise RealmError(
                f"the words of {file.name} are not valid",
                why=f"the syllables {entry.syllables} do not join to {text}",
                fix="mend the word",
                code="CONFIG_INVALID",
            )
        found.append(Word(text, syllables, entry.zipf, entry.pos, MappingProxyType(entry.hints())))
    return tuple(found)


@cache
def load_words() -> tuple[Word, ...]:
    """Every word once, in alphabetical order; a word in a file of the player replaces the shipped one.

    Raises:
        RealmError: a file is not valid.
    """
    found: dict[str, Word] = {}
    for file in word_files():
        found |= {word.text: word for word in read_words(file)}
    return tuple(found[text] for text in sorted(found))

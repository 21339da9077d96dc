"""The words a level draws from, and which syllables are alike: computed once from the stock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from configs.errors import RealmError
from configs.word_weaving import Rung, WordWeaving, word_weaving
from skills.sy.words import Word, load_words

LEAST_CHOICE = 2
"""Words to choose from for each word of a puzzle; a shelf with fewer takes words of other lengths too."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The words of one level, nearest to its target first."""

    rung: Rung
    words: tuple[Word, ...]
    groups: tuple[tuple[Word, ...], ...]
    """Words that have a syllable in common, syllable by syllable."""
    sharing: Mapping[str, tuple[Word, ...]]
    """Syllable to the words that have it, where there are two or more."""
    clamps: Mapping[str, Any]
    """What the stock could not give at this level: target and what was taken instead."""


class Stock:
    """Words with what follows from them."""

    def __init__(self, words: Sequence[Word], ladder: WordWeaving | None = None) -> None:
        self.ladder = ladder or word_weaving()
        self.words = tuple(words)
        self.by_text: Mapping[str, Word] = MappingProxyType({word.text: word for word in words})
        longest = max((w for rung in self.ladder.ladder.values() for w in rung.words), default=0)
        if len(self.by_text) < max(longest, self.ladder.beyond.words.begin) * LEAST_CHOICE:
            raise RealmError(
                f"{len(self.by_text)} words are too few to weave with",
                fix="add words to `words/*.yaml` in the configuration folder",
                code="CONFIG_INVALID",
            )
        self.near = _near({s for word in words for s in word.syllables})
        self.syllables = tuple(sorted(self.near))
        self._shelves: dict[int, Shelf] = {}

    def shelf(self, level: int) -> Shelf:
        """The words of ``level``: of its length and nearest to its commonness; of other lengths where there are too few."""
        if level not in self._shelves:
            self._shelves[level] = self._shelved(level)
        return self._shelves[level]

    def _shelved(self, level: int) -> Shelf:
        rung = self.ladder.rung(level)
        least, most = rung.syllables
        wanted = min(len(self.words), LEAST_CHOICE * rung.words[1])
        fitting = self._of_length(least, most)
        while len(fitting) < wanted:
            least, most = max(1, least - 1), most + 1
            fitting = self._of_length(least, most)
        clamps: dict[str, Any] = {}
        if (least, most) != rung.syllables:
            clamps["syllables"] = {"target": list(rung.syllables), "taken": [least, most]}
        words = tuple(sorted(fitting, key=lambda w: (abs(w.zipf - rung.zipf), w.text))[: self.ladder.shelf])
        having: dict[str, list[Word]] = {}
        for word in words:
            for syllable in dict.fromkeys(word.syllables):
                having.setdefault(syllable, []).append(word)
        sharing = {s: tuple(some) for s, some in having.items() if len(some) > 1}
        return Shelf(rung, words, tuple(sharing.values()), MappingProxyType(sharing), MappingProxyType(clamps))

    def _of_length(self, least: int, most: int) -> list[Word]:
        return [word for word in self.words if least <= len(word.syllables) <= most]


def _near(syllables: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Each syllable with those that differ from it by one letter (changed, added or left out), in alphabetical order."""
    known = sorted(syllables)
    shapes: dict[str, set[str]] = {}
    for s in known:
        for shape in _shapes(s):
            shapes.setdefault(shape, set()).add(s)
    found: dict[str, set[str]] = {s: set() for s in known}
    for s in known:
        for i in range(len(s)):
            found[s] |= shapes[f"{s[:i]}?{s[i + 1 :]}"]
            shorter = s[:i] + s[i + 1 :]
            if shorter in found:
                found[s].add(shorter)
                found[shorter].add(s)
        found[s].discard(s)
    return MappingProxyType({s: tuple(sorted(some)) for s, some in found.items()})


def _shapes(syllable: str) -> list[str]:
    return [f"{syllable[:i]}?{syllable[i + 1 :]}" for i in range(len(syllable))]


@cache
def shipped_stock() -> Stock:
    """The stock in force: shipped words and the player's own."""
    return Stock(load_words())

"""Clues: what is told of each hidden word, and no two words of a puzzle the same."""

from __future__ import annotations

from random import Random

from configs.word_weaving import WordWeaving
from skills.sy.words import Word

STARTS_WITH = "starts_with"
_SHOWN = 3
"""Most synonyms, examples … in one clue."""
_LISTS = frozenset({"synonyms", "examples", "hyponyms", "antonyms"})
_LEAD = {
    "definition": "",
    "synonyms": "means ",
    "category": "belongs to: ",
    "examples": "for example: ",
    "hypernym": "is a kind of: ",
    "hyponyms": "includes: ",
    "antonyms": "opposite of: ",
    "domain": "field: ",
    "morphology": "built from: ",
    "etymology": "origin: ",
}


class Clues:
    """The clues of one puzzle."""

    def __init__(self, random: Random, words: list[Word], level: int, ladder: WordWeaving) -> None:
        self._random = random
        self._words = words
        self._rung = ladder.rung(level)
        self._kinds = ladder.kinds(level)
        self._weak = ladder.weak_share(level)
        self._strengths = ladder.strengths
        self._told: set[str] = set()
        self.kinds: dict[str, int] = {}
        """How often each kind is used."""
        self.missing = 0
        """Words for which the level's kinds had nothing of their own to tell."""

    def all(self) -> list[str]:
        """One line for each word, in their order."""
        weak = self._weakly_told() if self._weak is not None else set()
        return [self._line(word, i in weak) for i, word in enumerate(self._words)]

    def _weakly_told(self) -> set[int]:
        """Which words get a weak clue: those first of which nothing moderate is known."""
        count, moderate = len(self._words), self._strengths["moderate"]
        order = self._random.sample(range(count), count)
        order.sort(key=lambda i: any(kind in self._words[i].hints for kind in moderate))
        return set(order[: int((self._weak or 0.0) * count + 0.5)])

    def _line(self, word: Word, weak: bool) -> str:
        found: list[str] = []
        for kind in self._order(word, weak):
            text = self._say(word, kind)
            if text not in self._told and text not in found:
                self._told.add(text)
                self.kinds[kind] = self.kinds.get(kind, 0) + 1
                found.append(text)
                if len(found) == self._rung.clues:
                    break
        if not found:
            self.missing += 1
            self.kinds[STARTS_WITH] = self.kinds.get(STARTS_WITH, 0) + 1
            found.append(self._say(word, STARTS_WITH))
        counted = f" ({len(word.syllables)} syllables)" if self._rung.counts else ""
        return "; ".join(found) + counted

    def _order(self, word: Word, weak: bool) -> list[str]:
        """The kinds that can be told of ``word``, first choice first."""
        kinds = [kind for kind in self._kinds if kind in word.hints or kind == STARTS_WITH]
        if self._weak is None:
            self._random.shuffle(kinds)
            return kinds
        wanted = self._strengths["weak" if weak else "moderate"]
        first = [kind for kind in kinds if kind in wanted]
        self._random.shuffle(first)
        if not first:
            self.missing += 1
        return first + [kind for kind in kinds if kind not in wanted]

    def _say(self, word: Word, kind: str) -> str:
        if kind == STARTS_WITH:
            return f"starts with {self._beginning(word)}"
        told = word.hints[kind]
        if kind not in _LISTS:
            return _LEAD[kind] + (told[0] if len(told) == 1 else self._random.choice(told))
        if len(told) > _SHOWN:
            told = tuple(self._random.sample(told, _SHOWN))
        return _LEAD[kind] + ", ".join(told)

    def _beginning(self, word: Word) -> str:
        """The first letters of ``word``: as few as no other word of the puzzle begins with."""
        text = word.text
        for length in range(1, len(text)):
            start = text[:length]
            if not any(other.text.startswith(start) for other in self._words if other is not word):
                return start.upper()
        return text[:-1].upper()

"""Chooses the words of a puzzle: as many as the level wants, and as many of them alike."""

from __future__ import annotations

from random import Random
from typing import Any

from skills.sy.stock import Shelf
from skills.sy.words import Word

_TRIES = 12
"""Draws for one more word before the nearest there is will do."""
ZIPF_TOLERANCE = 0.25
"""A puzzle whose words are on average further from the level's commonness says so."""


def choose(random: Random, shelf: Shelf) -> tuple[list[Word], int]:
    """The words of a puzzle, and how many of them should share a syllable with another."""
    rung = shelf.rung
    count = random.randint(*rung.words)
    alike = int(rung.overlap * count + random.random())
    if alike == 1:  # one word cannot be alike by itself
        alike = random.choice((0, 2))
    chosen: list[Word] = []
    _add_alike(random, shelf, chosen, alike)
    taken = {s for word in chosen for s in word.syllables}
    while len(chosen) < count:
        word = _apart(random, shelf.words, chosen, taken)
        chosen.append(word)
        taken.update(word.syllables)
    return chosen, alike


def clamps(shelf: Shelf, words: list[Word], alike: int) -> dict[str, Any]:
    """Where the puzzle falls short of what its level wants: target and what it has instead."""
    found = dict(shelf.clamps)
    zipf = sum(word.zipf for word in words) / len(words)
    if abs(zipf - shelf.rung.zipf) > ZIPF_TOLERANCE:
        found["zipf"] = {"target": round(shelf.rung.zipf, 3), "taken": round(zipf, 3)}
    having = overlapping(words)
    if having != alike:
        found["overlap"] = {"target": round(alike / len(words), 3), "taken": round(having / len(words), 3)}
    return found


def overlapping(words: list[Word]) -> int:
    """How many words have a syllable in common with another of them."""
    seen: dict[str, int] = {}
    for word in words:
        for syllable in set(word.syllables):
            seen[syllable] = seen.get(syllable, 0) + 1
    return sum(any(seen[s] > 1 for s in word.syllables) for word in words)


def _add_alike(random: Random, shelf: Shelf, chosen: list[Word], alike: int) -> None:
    """Add words until ``alike`` share a syllable, a pair at a time or one to those that are there."""
    if not shelf.groups:
        return
    for _ in range(_TRIES * alike):
        missing = alike - len(chosen)
        if missing <= 0:
            return
        if chosen and (missing == 1 or random.random() < 0.5):
            group = shelf.sharing.get(random.choice(random.choice(chosen).syllables))
            if group is not None and (word := random.choice(group)) not in chosen:
                chosen.append(word)
        elif missing >= 2:
            group = random.choice(shelf.groups)
            one, other = random.sample(group, 2)
            if one not in chosen and other not in chosen:
                chosen += (one, other)


def _apart(random: Random, words: tuple[Word, ...], chosen: list[Word], taken: set[str]) -> Word:
    """A word with no syllable of ``taken``; where there seems to be none, any that is not chosen yet."""
    spare: Word | None = None
    for _ in range(_TRIES):
        word = random.choice(words)
        if word not in chosen:
            if taken.isdisjoint(word.syllables):
                return word
            spare = spare or word
    start = random.randrange(len(words))
    for word in (*words[start:], *words[:start]):
        if word not in chosen:
            if taken.isdisjoint(word.syllables):
                return word
            spare = spare or word
    assert spare is not None  # a shelf holds more words than a puzzle
    return spare

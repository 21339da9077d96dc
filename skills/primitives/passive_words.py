"""Word puzzles: syllables joined, ordered and counted, and the words that meanings stand for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random

from skills.primitives.material import joined
from skills.primitives.rows import Item, asked_in_row, row, row_score
from skills.primitives.scoring import list_score
from skills.streams import Kind, Made
from skills.sy.words import Word, load_words

_LENGTHS = ((2, 3), (2, 3), (2, 4), (2, 4), (3, 5), (3, 5), (3, 6), (4, 6), (4, 7), (5, 7))
"""Syllables of the words of each rung, at least and at most."""
_OPEN_FROM = 7
"""First rung that offers no choice of words."""


@cache
def _shelf(level: int) -> Sequence[Word]:
    least, most = _LENGTHS[level - 1]
    return [word for word in load_words() if least <= len(word.syllables) <= most and len(set(word.syllables)) > 1]


@cache
def _defined() -> Sequence[Word]:
    return [word for word in load_words() if "definition" in word.hints]


def _shuffled(random: Random, word: Word) -> str:
    """The tiles of a word in another order than its own."""
    tiles = list(word.syllables)
    while tuple(tiles) == word.syllables:
        random.shuffle(tiles)
    return joined(tiles)


def _join(random: Random, level: int) -> Made:
    def one(random: Random) -> Item:
        word = random.choice(_shelf(level))
        return joined(word.syllables), word.text

    return asked_in_row("Join", row(random, 3 + level // 4, one))


def _order(random: Random, level: int) -> Made:
    items: dict[str, str] = {}
    while len(items) < 3:
        word = random.choice(_shelf(level))
        items.setdefault(word.text, _shuffled(random, word))
    asked = joined(items.values(), ", ")
    return Made(joined(sorted(items), "|"), f"Order the syllables of each word: {asked}", joined(items))


def _count(random: Random, level: int) -> Made:
    def one(random: Random) -> Item:
        word = random.choice(_shelf(level))
        return word.text, str(len(word.syllables))

    return asked_in_row("Syllables", row(random, 4 + level // 4, one))


def _definition(random: Random, level: int) -> Made:
    """The word alone is the problem: however it is asked for, it stays on its side of the split."""
    word = random.choice(_defined())
    told = random.choice(word.hints["definition"])
    if level >= _OPEN_FROM:
        shown = max(1, 10 - level)
        clue = f"{len(word.text)} letters, begins with {word.text[:shown]}"
        return Made(word.text, f"Which word means: {told} ({clue})", word.text)
    offered = [word.text]
    like = {*word.hints.get("synonyms", ()), *word.hints.get("hypernym", ()), *word.hints.get("hyponyms", ())}
    while len(offered) < 1 + level:
        decoy = random.choice(_defined())
        if decoy.text not in offered and decoy.text not in like:
            offered.append(decoy.text)
    random.shuffle(offered)
    return Made(word.text, f"Which word means: {told} ({joined(offered, ' or ')})", word.text)


def _from_bank(random: Random, level: int) -> Made:
    """As a definition, with the tiles of the word among others; they let no other word of the stock be laid."""
    stock = _defined()
    word = random.choice(stock)
    bank = list(word.syllables)
    while len(bank) < len(word.syllables) + level:
        other = random.choice(stock)
        tile = random.choice(other.syllables)
        known = {*bank, tile}
        if tile not in bank and not any(known.issuperset(w.syllables) for w in _having(tile)):
            bank.append(tile)
    random.shuffle(bank)
    told = random.choice(word.hints["definition"])
    return Made(word.text, f"Tiles: {joined(bank)}. Which word means: {told}?", word.text)


def _several(random: Random, level: int) -> Made:
    """Two words or more from one bank of tiles that uses all of them, each with its meaning and its number of tiles."""
    chosen = random.sample(_defined(), 2 + level // 4)
    tiles = [tile for word in chosen for tile in word.syllables]
    random.shuffle(tiles)
    told = joined([f"{random.choice(w.hints['definition'])} ({len(w.syllables)})" for w in chosen], "; ")
    text = joined([word.text for word in chosen])
    return Made(joined(sorted(w.text for w in chosen)), f"Tiles: {joined(tiles)}. Words: {told}", text)


@cache
def _having(tile: str) -> Sequence[Word]:
    return [word for word in load_words() if tile in word.syllables]


KINDS = (
    Kind("syllable_assembly_ordered", _join, score=row_score),
    Kind("syllable_assembly_shuffled", _order, score=row_score),
    Kind("syllable_count", _count, score=row_score),
    Kind("definition_to_word", _definition),
    Kind("word_from_bank", _from_bank),
    Kind("multi_word_assembly", _several, score=list_score),
)

"""Spell words: Word Weaving for heroes that know no English. Syllables are invented, so that there is no end of words."""

from __future__ import annotations

from functools import cache
from random import Random

from configs.word_weaving import SpellRow, Spells, word_weaving
from skills.streams import Kind, Made

HEADS = ("Join: ", "Order: ", "Count: ", "Find: ", "Bind: ")
"""Prompt beginnings that a hatchling's tokenizer holds as single tokens."""


def _join(random: Random, level: int) -> Made:
    """Tiles in their order. There are many of them: who copies long words learns to look up what follows what, and with it the rest."""
    row = _row(level)
    tiles = _tiles(random, row, random.randint(*row.joined))
    word = "".join(tiles)
    return Made(word, f"Join: {' '.join(tiles)}", word, primitives=("syllable_assembly_ordered",))


def _order(random: Random, level: int) -> Made:
    """Tiles in disorder, and the letters they begin with in order."""
    row = _row(level)
    tiles = _tiles(random, row, random.randint(*row.tiles))
    word = "".join(tiles)
    return Made(
        word,
        f"Order: {_shuffled(random, tiles)}, {_clue(row, tiles)}",
        word,
        primitives=("syllable_assembly_shuffled",),
    )


def _count(random: Random, level: int) -> Made:
    """How many syllables a word has."""
    row = _row(level)
    count = random.randint(row.tiles[0], row.tiles[1] + 1)
    word = "".join(_tiles(random, row, count))
    return Made(word, f"Count: {word}", str(count), primitives=("syllable_count",))


def _find(random: Random, level: int) -> Made:
    """One word in a bank with tiles of no word."""
    row = _row(level)
    count = random.randint(*row.tiles)
    tiles = _tiles(random, row, count + random.randint(*row.herrings))
    word = "".join(tiles[:count])
    return Made(
        word,
        f"Find: {_shuffled(random, tiles)}, {_clue(row, tiles[:count])}",
        word,
        tier="medium",
        primitives=("word_from_bank", "syllable_assembly_shuffled"),
        meta={"red_herring_count": len(tiles) - count, "syllable_bank_size": len(tiles)},
    )


def _bind(random: Random, level: int) -> Made:
    """Several words from one bank in which every tile is used."""
    row = _row(level)
    words = random.randint(min(2, row.words), row.words)
    lengths = [row.tiles[0]] * words
    for _ in range(random.randint(0, row.total - sum(lengths))):
        grown = random.randrange(words)
        if lengths[grown] < row.tiles[1]:
            lengths[grown] += 1
    tiles = _tiles(random, row, sum(lengths))
    parts, at = list[list[str]](), 0
    for length in lengths:
        parts.append(tiles[at : at + length])
        at += length
    found = ["".join(part) for part in parts]
    return Made(
        " ".join(sorted(found)),
        f"Bind: {_shuffled(random, tiles)}, {' '.join(_clue(row, part) for part in parts)}",
        " ".join(found),
        tier="medium",
        primitives=("multi_word_assembly", "syllable_assembly_shuffled"),
        meta={"word_count": words, "syllable_bank_size": len(tiles)},
    )


def _count_chance(level: int) -> float:
    least, most = _row(level).tiles
    return 1 / (most - least + 2)


SPELL_KINDS = (
    Kind("join", _join, chance=0.0),
    Kind("order", _order, chance=0.0),
    Kind("count", _count, chance=_count_chance),
    Kind("find", _find, chance=0.0),
    Kind("bind", _bind, chance=0.0),
)


@cache
def _spells() -> Spells:
    return word_weaving().spells


@cache
def _row(level: int) -> SpellRow:
    return _spells().row(level)


@cache
def _names(letters: int) -> tuple[str, ...]:
    spells = _spells()
    return tuple(spells.consonants) if letters == 1 else tuple(c + v for c in spells.consonants for v in spells.vowels)


def _tiles(random: Random, row: SpellRow, count: int) -> list[str]:
    """Tiles of which no two have the same name: what a clue names is one tile."""
    endings = _spells().vowels if row.letters == 1 else _spells().consonants
    return [
        name + ending
        for name, ending in zip(
            random.sample(_names(row.letters), count), random.choices(endings, k=count), strict=True
        )
    ]


def _clue(row: SpellRow, tiles: list[str]) -> str:
    """The beginnings of the tiles in capitals, so that they are no tiles themselves."""
    return "".join(tile[: row.letters] for tile in tiles).upper()


def _shuffled(random: Random, tiles: list[str]) -> str:
    mixed = list(tiles)
    random.shuffle(mixed)
    return " ".join(mixed)

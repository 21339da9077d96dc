"""Puzzles of real words: the whole puzzle of every level, and its two parts that can be drilled alone."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from skills.streams import Kind, Made
from skills.sy.clues import Clues
from skills.sy.loom import answer_text, tiles_text
from skills.sy.scoring import weave_score
from skills.sy.stock import Shelf, Stock
from skills.sy.weaving import choose, clamps
from skills.sy.words import Word

_SEED_BITS = 48
_FORM = (
    'Answer with JSON alone: {"solutions": [{"ans_num": 1, "syllables": [..], "answer": "WORD"}, ..], '
    '"inventory_check": {"total_tiles": .., "usage": {tile: count}, "used": {tile: count}, "unused_tiles": [..], '
    '"status": "complete"}}'
)


def puzzle_kinds(stock: Callable[[], Stock]) -> tuple[Kind, ...]:
    """The kinds of problem made of ``stock``; it is asked for when the first is made."""
    loom = _Loom(stock)
    return (
        Kind("weave", loom.draw, weave_score, chance=0.0, finish=loom.word_puzzle),
        Kind("define", loom.draw_one, chance=0.0, finish=loom.word_definition, finite=True),
        Kind("write", loom.draw_few, weave_score, chance=0.0, finish=loom.word_form),
    )


class _Loom:
    """Chooses words first, and words the puzzle when it is really asked."""

    def __init__(self, stock: Callable[[], Stock]) -> None:
        self._stock = stock

    def draw(self, random: Random, level: int) -> Made:
        seed = random.getrandbits(_SEED_BITS)
        words, alike = choose(Random(seed), self._stock().shelf(level))
        return _chosen(words, level=level, seed=seed, alike=alike)

    def draw_one(self, random: Random, level: int) -> Made:
        seed = random.getrandbits(_SEED_BITS)
        return _chosen([Random(seed).choice(self._stock().shelf(level).words)], level=level, seed=seed)

    def draw_few(self, random: Random, level: int) -> Made:
        seed = random.getrandbits(_SEED_BITS)
        own = Random(seed)
        count = min(3 + level // 12, 6)
        return _chosen(own.sample(self._stock().shelf(level).words, count), level=level, seed=seed)

    def word_puzzle(self, made: Made) -> Made:
        stock, level, seed = self._stock(), made.meta["level"], made.meta["seed"]
        shelf, random = stock.shelf(level), Random(f"{seed}|words")
        words = [stock.by_text[text] for text in made.canonical.split()]
        random.shuffle(words)
        short = clamps(shelf, words, made.meta["alike"])
        wanted = random.randint(*shelf.rung.herrings)
        herrings = _herrings(random, stock, words, wanted)
        if len(herrings) < wanted:
            short["herrings"] = {"target": wanted, "taken": len(herrings)}
        bank = _bank(random, words, herrings)
        clues = Clues(random, words, level, stock.ladder)
        lines = [f"{i}. {line}" for i, line in enumerate(clues.all(), 1)]
        if clues.missing:
            short["hints"] = {"target": len(words), "taken": len(words) - clues.missing}
        left = "No tile is used twice; some are left over." if herrings else "Every tile is used once."
        prompt = "\n".join([f"Weave {len(words)} words. {left}", f"Tiles: {tiles_text(bank)}", *lines, _FORM])
        strong = any(kind in stock.ladder.strengths["strong"] for kind in clues.kinds)
        overlap = shelf.rung.overlap
        tier = _tier(overlap, len(herrings))
        return Made(
            made.canonical,
            prompt,
            answer_text([word.syllables for word in words], bank),
            tier,
            (
                "syllable_assembly_shuffled",
                "multi_word_assembly",
                "json_output_format",
                *(("definition_to_word",) if strong else ()),
                *(("word_from_bank",) if herrings else ()),
            ),
            _told(made, shelf, words, bank, herrings, tier) | {"hints": clues.kinds, "clamps": short},
        )

    def word_definition(self, made: Made) -> Made:
        stock, level = self._stock(), made.meta["level"]
        random, word = Random(f"{made.meta['seed']}|words"), stock.by_text[made.canonical]
        herrings = _herrings(random, stock, [word], 1 + level // 4)
        told = word.hints.get("definition") or next(iter(word.hints.values()))
        bank = _bank(random, [word], herrings)
        prompt = f"Which word is meant? {random.choice(told)}\nTiles: {tiles_text(bank)}\nAnswer with the word alone, in capitals."
        return Made(made.canonical, prompt, word.text.upper(), "easy", ("definition_to_word",), made.meta)

    def word_form(self, made: Made) -> Made:
        stock, level, seed = self._stock(), made.meta["level"], made.meta["seed"]
        random = Random(f"{seed}|words")
        words = [stock.by_text[text] for text in made.canonical.split()]
        random.shuffle(words)
        herrings = _herrings(random, stock, words, level // 8)
        bank = _bank(random, words, herrings)
        lines = [f"{i}. {'-'.join(word.syllables)}" for i, word in enumerate(words, 1)]
        prompt = "\n".join(["Write these words as JSON.", f"Tiles: {tiles_text(bank)}", *lines, _FORM])
        answer = answer_text([word.syllables for word in words], bank)
        return Made(made.canonical, prompt, answer, "easy", ("json_output_format",), made.meta)


def _chosen(words: list[Word], **facts: Any) -> Made:
    return Made(" ".join(sorted(word.text for word in words)), "", "", meta=facts)


def _bank(random: Random, words: list[Word], herrings: list[str]) -> list[str]:
    bank = [syllable for word in words for syllable in word.syllables] + herrings
    random.shuffle(bank)
    return bank


def _herrings(random: Random, stock: Stock, words: list[Word], wanted: int) -> list[str]:
    """Tiles that belong to no word: one letter from one that does, wherever there is such a syllable."""
    used = [syllable for word in words for syllable in word.syllables]
    taken, found = set(used), list[str]()
    for _ in range(6 * wanted):
        if len(found) == wanted:
            return found
        near = stock.near[random.choice(used)]
        if near and (tile := random.choice(near)) not in taken:
            taken.add(tile)
            found.append(tile)
    for _ in range(6 * (wanted - len(found))):
        if len(found) == wanted:
            break
        if (tile := random.choice(stock.syllables)) not in taken:
            taken.add(tile)
            found.append(tile)
    return found


def _tier(overlap: float, herrings: int) -> str:
    if herrings >= 3:
        return "hard"
    return "medium" if herrings or overlap else "easy"


def _told(
    made: Made, shelf: Shelf, words: list[Word], bank: list[str], herrings: list[str], tier: str
) -> dict[str, Any]:
    """What a puzzle tells of itself."""
    level, seed = made.meta["level"], made.meta["seed"]
    return {
        "puzzle_id": f"sy-{level}-{seed:012x}",
        "word_count": len(words),
        "syllable_bank_size": len(bank),
        "difficulty": tier,
        "red_herring_count": len(herrings),
        "level": level,
        "seed": seed,
    }

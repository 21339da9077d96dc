"""Counting without counting out: factorials, arrangements, choices, and one thing of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import comb, factorial, perm, prod
from random import Random

from skills.primitives.material import ALPHABET, joined, with_s, words
from skills.primitives.rows import Item, asked_in_row, row, row_score
from skills.streams import Kind, Made


def _factorial(random: Random, level: int) -> Made:
    most = 4 + level // 2

    def one(random: Random) -> Item:
        n, m, few = random.randint(1, most), random.randint(1, most), random.randint(1, 9)
        way = random.randrange(4) if level >= 4 else 0
        if way == 0:
            return (f"{few}×{n}!", str(few * factorial(n))) if few > 1 else (f"{n}!", str(factorial(n)))
        if way == 1:
            return f"{n}!+{few}×{m}!", str(factorial(n) + few * factorial(m))
        n, m = max(n, m), min(n, m)
        if way == 2:
            return f"{n}!/{m}!", str(factorial(n) // factorial(m))
        return f"{few}×{n}!-{m}!", str(few * factorial(n) - factorial(m))

    return asked_in_row("Compute", row(random, 4 if level < 6 else 5, one))


def _arrangements(random: Random, level: int) -> Made:
    """Ways to arrange letters, some of which are equal."""
    size = 3 + (level + 1) // 2 + random.randrange(2)
    kinds = random.sample(ALPHABET, random.randint(2, size))
    text = kinds + [random.choice(kinds) for _ in range(size - len(kinds))]
    random.shuffle(text)
    ways = factorial(size) // prod(factorial(n) for n in Counter(text).values())
    return Made(joined(sorted(text), ""), f"Arrangements of the letters {joined(text, '')}", str(ways))


def _chosen(head: str, ways: Callable[[int, int], int]) -> Callable[[Random, int], Made]:
    def make(random: Random, level: int) -> Made:
        most, times = 9 + level // 3, level >= 6

        def one(random: Random) -> Item:
            n = random.randint(2, most)
            k = random.randint(1, min(n, 2 + (level + 1) // 2))
            if times and random.random() < 0.5:
                m = random.randint(2, 5)
                return f"{k} of {n} and 1 of {m}", str(ways(n, k) * m)
            return f"{k} of {n}", str(ways(n, k))

        return asked_in_row(head, row(random, 5 if level < 4 else 4, one))

    return make


def _one_of_each(random: Random, level: int) -> Made:
    """Ways to take one thing of each kind; from the fifth rung on, one of either kind at some places."""
    places = 2 if level < 3 else 3
    either, most = level >= 5, 11 + level // 2
    stock = words().things

    def one(random: Random) -> Item:
        counts = [[random.randint(2, most)] for _ in range(places)]
        if either:
            counts[random.randrange(places)].append(random.randint(2, most))
        if level >= 8:
            counts[random.randrange(places)].append(random.randint(2, 5))
        things = iter(random.sample(stock, sum(len(place) for place in counts)))
        told = [joined([f"{n} {with_s(next(things))}" for n in place], " or ") for place in counts]
        return joined(told, " and "), str(prod(sum(place) for place in counts))

    items = row(random, 3 if level < 3 else 2 if level < 8 else 1, one)
    made = asked_in_row("Ways to take one of each", items, "; ")
    # What the things are is wording.
    bare = sorted(_bare(asked) for asked, _ in items)
    return Made(joined(bare, "|"), made.prompt, made.answer)


def _bare(asked: str) -> str:
    places = [sorted(int(n) for n in place.split() if n.isdigit()) for place in asked.split(" and ")]
    return joined([joined(place, "/") for place in sorted(places)], "×")


KINDS = (
    Kind("factorial", _factorial, score=row_score),
    Kind("arrangement_word", _arrangements),
    Kind("combination_count", _chosen("Ways to choose", comb), score=row_score),
    Kind("permutation_count", _chosen("Ways to choose in order", perm), score=row_score),
    Kind("multiplication_principle", _one_of_each, score=row_score),
)

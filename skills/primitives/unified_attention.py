"""Attention: select, count, compare, filter, rank."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from skills.primitives.material import ALPHABET, joined, letters, numbers, with_s, words
from skills.primitives.scoring import list_score
from skills.streams import Kind, Made


def _select(random: Random, level: int) -> Made:
    stock = words()
    if level < 3:
        noise, figure = [letters(random, 3) for _ in range(1 + 2 * level)], str(random.randrange(10, 100))
        position = random.randrange(len(noise) + 1)
        text = joined([*noise[:position], figure, *noise[position:]])
        return Made(text, f"Number in: {text}", figure)
    count = level // 2 + 1
    bought = [(random.randrange(2, 10 ** (1 + level // 3)), with_s(t)) for t in random.sample(stock.things, count)]
    place, name = random.choice(stock.places), random.choice(stock.names)
    number, thing = random.choice(bought)
    listed = " and ".join(f"{n} {t}" for n, t in bought) if count < 3 else joined([f"{n} {t}" for n, t in bought], ", ")
    text = f"{name} took {listed} to the {place}."
    return Made(f"{thing}|{text}", f"{text} How many {thing}?", str(number))


def _count(random: Random, level: int) -> Made:
    few = "".join(random.sample(ALPHABET, 2 + (level + 1) // 2))
    text = letters(random, 4 + 2 * level, few)
    sought = random.choice(few)
    return Made(f"{sought} {text}", f"Count {sought}: {text}", str(text.count(sought)))


def _compare(random: Random, level: int) -> Made:
    most = 10 ** (2 + level)
    one = random.randrange(most)
    # From the third rung on the numbers are alike, so that their length decides nothing.
    near = 10 ** (level - 1)
    other = random.randrange(most) if level < 3 else max(0, one + random.randint(-near, near))
    if one == other:
        other += 1
    return Made(joined(sorted((one, other))), f"Greater: {one} or {other}", str(max(one, other)))


_CONDITIONS: tuple[tuple[str, Callable[[int], bool]], ...] = (
    ("Even", lambda n: n % 2 == 0),
    ("Odd", lambda n: n % 2 == 1),
    ("Ends in 5", lambda n: n % 10 == 5),
    ("Two equal digits", lambda n: len(set(str(n))) < len(str(n))),
    ("Multiples of 3", lambda n: n % 3 == 0),
    ("Multiples of 4", lambda n: n % 4 == 0),
)


def _filter(random: Random, level: int) -> Made:
    found = numbers(random, 3 + level, 20 if level == 1 else 100 if level < 6 else 1000)
    form = random.randrange(min(8, 2 + level))
    if form in (2, 3):
        bound = random.choice(found)
        name, keep = (f"Over {bound}", bound.__lt__) if form == 2 else (f"Under {bound}", bound.__gt__)
        kept = [n for n in found if keep(n)]
    else:
        name, test = _CONDITIONS[form if form < 2 else form - 2]
        kept = [n for n in found if test(n)]
    answer = joined(kept) if kept else "none"
    return Made(f"{name}|{joined(found)}", f"{name}: {joined(found)}", answer)


def _rank(random: Random, level: int) -> Made:
    count = 3 + (level + 1) // 2
    form = random.randrange(min(4, 1 + level // 2))
    if form == 3:
        stock = words()
        lengths: dict[int, str] = {}
        for word in random.sample(stock.things + stock.qualities + stock.places, 40):
            lengths.setdefault(len(word), word)
        chosen: list[str] = random.sample(list(lengths.values()), min(len(lengths), count - 1))
        ordered = [lengths[n] for n in sorted(len(word) for word in chosen)]
        return Made(f"length|{joined(sorted(chosen))}", f"By length: {joined(chosen)}", joined(ordered))
    if form == 2:
        given = [letters(random, 3) for _ in range(count)]
        return Made(f"alphabet|{joined(sorted(given))}", f"By alphabet: {joined(given)}", joined(sorted(given)))
    below = (100, 100, 1000, 1000, 10_000)[min(level // 2, 4)]
    found = random.sample(range(below), count)
    name = "Sort down" if form else "Sort"
    answer = joined(sorted(found, reverse=bool(form)))
    return Made(f"{name}|{joined(sorted(found))}", f"{name}: {joined(found)}", answer)


KINDS = (
    Kind("attn_select", _select),
    Kind("attn_count", _count),
    Kind("attn_compare", _compare, chance=0.5),
    Kind("attn_filter", _filter, score=list_score),
    Kind("attn_rank", _rank, score=list_score),
)

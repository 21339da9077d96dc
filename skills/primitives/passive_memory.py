"""Lists and pairs kept in mind: recall all of a list, what follows what, what stands where, what belongs to what."""

from __future__ import annotations

from random import Random

from skills.primitives.material import joined, symbols, words
from skills.primitives.scoring import list_score
from skills.streams import Kind, Made

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh")


def _items(random: Random, count: int, level: int) -> list[str]:
    return symbols(random, count) if level < 3 else random.sample(words().things, count)


def _noise(random: Random, level: int) -> str:
    """From the sixth rung on, something else is said in between."""
    if level < 6:
        return ""
    stock = words()
    said = [
        f"{random.choice(stock.names)} is {random.choice(stock.qualities)} in the {random.choice(stock.places)}."
        for _ in range(level - 4)
    ]
    return joined(said) + " "


def _list_recall(random: Random, level: int) -> Made:
    items = _items(random, 2 + level, level)
    told = joined(items, ", ")
    return Made(told, f"List: {told}. {_noise(random, level)}Repeat the list.", told)


def _order_recall(random: Random, level: int) -> Made:
    items = _items(random, 3 + level, level)
    at = random.randrange(len(items) - 1)
    told = f"List: {joined(items, ', ')}. {_noise(random, level)}"
    if level >= 3 and random.random() < 0.5:
        return Made(f"{joined(items)}|<{items[at + 1]}", f"{told}What comes before {items[at + 1]}?", items[at])
    return Made(f"{joined(items)}|>{items[at]}", f"{told}What comes after {items[at]}?", items[at + 1])


def _ordinal_fact(random: Random, level: int) -> Made:
    items = _items(random, min(3 + level, len(ORDINALS)), level)
    at = random.randrange(len(items))
    told = f"List: {joined(items, ', ')}. {_noise(random, level)}"
    if level >= 4 and random.random() < 0.3:
        back = random.randrange(1, 3)
        name = "last" if back == 1 else "last but one"
        return Made(f"{joined(items)}|{-back}", f"{told}Which is {name}?", items[-back])
    return Made(f"{joined(items)}|{at}", f"{told}Which is {ORDINALS[at]}?", items[at])


def _association(random: Random, level: int) -> Made:
    count = 2 + level // 2
    one, other = _items(random, count, level), _items(random, count, level)
    if level >= 3:
        other = random.sample(words().qualities, count)
    pairs = list(zip(one, other, strict=True))
    key, value = random.choice(pairs)
    told = [f"{a} goes with {b}" for a, b in pairs]
    text = f"{joined(told, ', ')}. {_noise(random, level)}"
    problem = joined(sorted(told))
    if level >= 5 and random.random() < 0.5:
        return Made(f"{problem}|{value}", f"{text}What goes with {value}?", key)
    return Made(f"{problem}|{key}", f"{text}What does {key} go with?", value)


KINDS = (
    Kind("association_fact", _association),
    Kind("list_recall", _list_recall, score=list_score),
    Kind("order_recall", _order_recall),
    Kind("ordinal_fact", _ordinal_fact),
)

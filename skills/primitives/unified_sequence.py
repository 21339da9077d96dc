"""Sequences: continue, reverse, transform, interleave, extract."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from skills.primitives.material import SEQUENCES, joined, letters, next_term
from skills.primitives.scoring import cased_score
from skills.streams import Kind, Made

Rule = Callable[[str], str]


# ---- continue


def _steps(random: Random, size: int) -> list[int]:
    start, step = random.randrange(250 * size), random.randint(1, 40 + 10 * size)
    return [start + step * i for i in range(6)]


def _falling(random: Random, size: int) -> list[int]:
    return _steps(random, size)[::-1]


def _two_steps(random: Random, size: int) -> list[int]:
    terms, pair = [random.randrange(100 * size)], [random.randint(1, 20), random.randint(1, 20 + size)]
    for i in range(5):
        terms.append(terms[-1] + pair[i % 2])
    return terms


def _doubling(random: Random, size: int) -> list[int]:
    start, ratio = random.randint(1, 500 * size), random.randint(2, 4)
    return [start * ratio**i for i in range(6)]


def _growing(random: Random, size: int) -> list[int]:
    start, first, more = random.randrange(60 * size), random.randint(1, 20), random.randint(1, 9)
    return [start + sum(first + more * j for j in range(i)) for i in range(6)]


def _two_lines(random: Random, size: int) -> list[int]:
    one, other = _steps(random, 1), _steps(random, size)
    return [x for pair in zip(one, other, strict=True) for x in pair][:8]


def _adding(random: Random, size: int) -> list[int]:
    terms = [random.randint(1, 30 * size), random.randint(1, 30 * size)]
    while len(terms) < 6:
        terms.append(terms[-1] + terms[-2])
    return terms


def _times_plus(random: Random, size: int) -> list[int]:
    terms, factor, more = [random.randint(1, 20 * size)], random.randint(2, 3), random.randint(1, 20)
    while len(terms) < 6:
        terms.append(terms[-1] * factor + more)
    return terms


_FAMILIES = (_steps, _falling, _two_steps, _growing, _doubling, _two_lines, _adding, _times_plus)


def _continue(random: Random, level: int) -> Made:
    newest = min(level, len(_FAMILIES))
    # Half of the problems belong to the family that the rung adds.
    family = _FAMILIES[newest - 1 if random.random() < 0.5 else random.randrange(newest)]
    return Made(*next_term(family(random, level)))


# ---- reverse


def _reverse(random: Random, level: int) -> Made:
    text = letters(random, 2 + level)
    return Made(text, f"Reverse: {text}", text[::-1])


# ---- infer a rule and apply it


def _shifted(text: str) -> str:
    return "".join("abcdefghijklmnopqrstuvwxyz"[(ord(c) - 96) % 26] for c in text)


_RULES: tuple[tuple[str, Rule], ...] = (
    ("upper", str.upper),
    ("twice", lambda t: t + t),
    ("reversed", lambda t: t[::-1]),
    ("first dropped", lambda t: t[1:]),
    ("last dropped", lambda t: t[:-1]),
    ("ends swapped", lambda t: t[-1] + t[1:-1] + t[0]),
    ("first to the end", lambda t: t[1:] + t[0]),
    ("next letters", _shifted),
    ("each twice", lambda t: "".join(c + c for c in t)),
    ("sorted", lambda t: "".join(sorted(t))),
    ("last doubled", lambda t: t + t[-1]),
    ("mirrored", lambda t: t + t[::-1]),
)


def _transform(random: Random, level: int) -> Made:
    known = _RULES[: 2 + level]
    name, rule = random.choice(known)
    length = 3 + level // 4
    while True:
        texts = [letters(random, length) for _ in range(3)]
        # The two examples must leave one answer only.
        fitting = {other(texts[2]) for _, other in known if all(other(t) == rule(t) for t in texts[:2])}
        if len(fitting) == 1 and len(set(texts)) == 3:
            break
    one, two, asked = texts
    return Made(f"{name}|{asked}", f"{one} → {rule(one)}, {two} → {rule(two)}, {asked} → ?", rule(asked))


# ---- interleave


def _interleave(random: Random, level: int) -> Made:
    rows = 2 if level < 7 else 3
    length = 1 + level if rows == 2 else level - 4
    texts = [letters(random, length) for _ in range(rows)]
    together = "".join("".join(column) for column in zip(*texts, strict=True))
    return Made(joined(texts), f"Interleave: {joined(texts)}", together)


# ---- extract

_ORDINALS = ("", "1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th")


def _extract(random: Random, level: int) -> Made:
    text = letters(random, 5 + level)
    half = len(text) // 2
    form = random.randrange(min(6, 1 + level))
    if form == 0:
        count = random.randint(1, half)
        asked, found = f"first {count}", text[:count]
    elif form == 1:
        count = random.randint(1, half)
        asked, found = f"last {count}", text[-count:]
    elif form in (2, 3):
        step = 2 if form == 2 else random.randint(3, 4)
        asked, found = f"every {_ORDINALS[step]}", text[step - 1 :: step]
    elif form == 4:
        first = random.randint(2, half)
        last = random.randint(first + 1, len(text))
        asked, found = f"{first} to {last}", text[first - 1 : last]
    else:
        step, start = random.randint(2, 3), random.randint(2, half)
        asked, found = f"every {_ORDINALS[step]} from {start}", text[start - 1 :: step]
    return Made(f"{asked}|{text}", f"Take {asked}: {text}", found)


KINDS = (
    Kind("seq_continue", _continue, family=SEQUENCES),
    Kind("seq_reverse", _reverse),
    Kind("seq_transform", _transform, score=cased_score),
    Kind("seq_interleave", _interleave),
    Kind("seq_extract", _extract),
)

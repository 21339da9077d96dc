"""Transformation: encode, decode, map, reduce, substitute."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from math import prod
from random import Random

from skills.primitives.material import ALPHABET, joined, letters, numbers
from skills.primitives.scoring import list_score
from skills.streams import Kind, Made

Code = Callable[[str], str]


def _caesar(shift: int) -> Code:
    moved = ALPHABET[shift:] + ALPHABET[:shift]
    table = str.maketrans(ALPHABET, moved)
    return lambda text: text.translate(table)


_ATBASH = str.maketrans(ALPHABET, ALPHABET[::-1])
_CODES: tuple[tuple[str, Code], ...] = (
    ("next letter", _caesar(1)),
    ("numbers", lambda t: joined([ord(c) - 96 for c in t])),
    ("previous letter", _caesar(25)),
    ("ROT13", _caesar(13)),
    ("mirrored alphabet", lambda t: t.translate(_ATBASH)),
    ("hex", lambda t: t.encode().hex(" ")),
    ("Base64", lambda t: b64encode(t.encode()).decode()),
)
"""Ways to write letters, in the order in which the rungs add them."""


def _coded(random: Random, level: int) -> tuple[str, str, str]:
    """A way to write letters, the letters, and the letters so written."""
    newest = min(level, len(_CODES))
    name, code = _CODES[newest - 1 if random.random() < 0.5 else random.randrange(newest)]
    if level >= 8 and random.random() < 0.3:
        shift = random.randint(2, 24)
        name, code = f"shift {shift}", _caesar(shift)
    text = letters(random, 3 + level // 3)
    return name, text, code(text)


def _encode(random: Random, level: int) -> Made:
    name, text, coded = _coded(random, level)
    return Made(f"{name}|{text}", f"Encode ({name}): {text}", coded)


def _decode(random: Random, level: int) -> Made:
    name, text, coded = _coded(random, level)
    return Made(f"{name}|{text}", f"Decode ({name}): {coded}", text)


_MAPS: tuple[tuple[str, Callable[[int], object]], ...] = (
    ("add 1", lambda n: n + 1),
    ("double", lambda n: 2 * n),
    ("add 10", lambda n: n + 10),
    ("last digit", lambda n: n % 10),
    ("halve, rounded down", lambda n: n // 2),
    ("triple", lambda n: 3 * n),
    ("digit sum", lambda n: sum(int(d) for d in str(n))),
    ("square", lambda n: n * n),
    ("even or odd", lambda n: "odd" if n % 2 else "even"),
)
_WORD_MAPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("uppercase", str.upper),
    ("first letter", lambda w: w[0]),
    ("reverse", lambda w: w[::-1]),
    ("last letter twice", lambda w: w + w[-1]),
)


def _map(random: Random, level: int) -> Made:
    if random.random() < 0.4:
        name, change = random.choice(_WORD_MAPS[: 1 + (level + 1) // 2])
        texts = [letters(random, 3) for _ in range(2 + level // 3)]
        return Made(f"{name}|{joined(texts)}", f"Each {name}: {joined(texts)}", joined([change(t) for t in texts]))
    title, rule = random.choice(_MAPS[: 1 + level])
    found = numbers(random, 3 + level // 2, 100 if level < 7 else 1000)
    return Made(f"{title}|{joined(found)}", f"Each {title}: {joined(found)}", joined([rule(n) for n in found]))


_FOLDS: tuple[tuple[str, Callable[[list[int]], int]], ...] = (
    ("Largest", max),
    ("Smallest", min),
    ("How many numbers", len),
    ("Sum", sum),
    ("Largest minus smallest", lambda n: max(n) - min(n)),
    ("Sum of the even ones", lambda n: sum(x for x in n if x % 2 == 0)),
    ("Product", prod),
    ("Alternate + and -", lambda n: sum(x if i % 2 == 0 else -x for i, x in enumerate(n))),
)


def _reduce(random: Random, level: int) -> Made:
    newest = min(level + 1, len(_FOLDS))
    name, fold = _FOLDS[newest - 1 if random.random() < 0.3 else random.randrange(newest)]
    if name == "Product":
        found = [random.randint(1, 20) for _ in range(2 + level // 4)]
    else:
        size = 3 + level // 2 if name != "How many numbers" else random.randint(2, 4 + level)
        found = numbers(random, size, 100)
    # Only the last fold looks at the order.
    told = found if "Alternate" in name else sorted(found)
    return Made(f"{name}|{joined(told)}", f"{name}: {joined(found)}", str(fold(found)))


def _substitute(random: Random, level: int) -> Made:
    few = random.sample(ALPHABET, 3 + level // 3)
    if level >= 7 and random.random() < 0.5:
        old, new = random.sample(few, 2), letters(random, 2)
        pair = "".join(old)
        text = "".join(random.choice([*few, pair, pair]) for _ in range(3 + level // 2))
        return Made(f"{pair}>{new}|{text}", f"Replace {pair} with {new}: {text}", text.replace(pair, new))
    text = letters(random, 4 + level, "".join(few))
    if level >= 5 and random.random() < 0.5:
        one, other = random.sample(few, 2)
        swapped = text.translate(str.maketrans(one + other, other + one))
        return Made(f"{one}<>{other}|{text}", f"Swap {one} and {other}: {text}", swapped)
    rules = 1 if level < 3 else 2
    sought, put = random.sample(few, rules), random.sample([c for c in ALPHABET if c not in few], rules)
    named = joined([f"{a} with {b}" for a, b in zip(sought, put, strict=True)], ", ")
    changed = text.translate(str.maketrans("".join(sought), "".join(put)))
    return Made(f"{named}|{text}", f"Replace {named}: {text}", changed)


KINDS = (
    Kind("xfm_encode", _encode, score=list_score),
    Kind("xfm_decode", _decode),
    Kind("xfm_map", _map, score=list_score),
    Kind("xfm_reduce", _reduce),
    Kind("xfm_substitute", _substitute),
)

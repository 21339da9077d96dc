"""Attention: select, count, compare, filter, rank."""

from __future__ import annotations

from random import Random

from skills.primitives.material import ALPHABET, letters
from skills.streams import Kind, Made


def _count(random: Random, level: int) -> Made:
    few = "".join(random.sample(ALPHABET, 2 + (level + 1) // 2))
    text = letters(random, 4 + 2 * level, few)
    sought = random.choice(few)
    return Made(f"{sought} {text}", f"Count {sought}: {text}", str(text.count(sought)))


def _compare(random: Random, level: int) -> Made:
    most = 10 ** (2 + level)
    one = random.randrange(most)
    # From the third rung on the numbers are alike, so that their length decides nothing.
    other = (
        random.randrange(most) if level < 3 else max(0, one + random.randint(-(10 ** (level - 1)), 10 ** (level - 1)))
    )
    if one == other:
        other += 1
    return Made(f"{one} {other}", f"Greater: {one} or {other}", str(max(one, other)), meta={})


KINDS = (
    Kind("attn_count", _count),
    Kind("attn_compare", _compare, chance=0.5),
)

"""Sequences: continue, reverse, transform, interleave, extract."""

from __future__ import annotations

from random import Random

from skills.primitives.material import letters
from skills.streams import Kind, Made


def _reverse(random: Random, level: int) -> Made:
    text = letters(random, 2 + level)
    return Made(text, f"Reverse: {text}", text[::-1])


KINDS = (Kind("seq_reverse", _reverse),)

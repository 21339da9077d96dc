"""What drills are made of: letters and words, drawn from a random stream."""

from __future__ import annotations

from random import Random

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def letters(random: Random, count: int, alphabet: str = ALPHABET) -> str:
    """``count`` letters in a row."""
    return "".join(random.choices(alphabet, k=count))

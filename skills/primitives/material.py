"""What drills are made of: letters, numbers and words, drawn from a random stream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from random import Random

from configs.drill_words import DrillWords, drill_words

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_TAKEN = frozenset(
    (
        "am",
        "an",
        "as",
        "at",
        "be",
        "by",
        "do",
        "go",
        "he",
        "if",
        "in",
        "is",
        "it",
        "me",
        "my",
        "no",
        "of",
        "on",
        "or",
        "so",
        "to",
        "up",
        "us",
        "we",
    )
)
"""Words of two letters, which would be misread as signs."""
_SIBILANTS = ("s", "x", "z", "ch", "sh")


def letters(random: Random, count: int, alphabet: str = ALPHABET) -> str:
    """``count`` letters in a row."""
    return "".join(random.choices(alphabet, k=count))


def symbols(random: Random, count: int) -> list[str]:
    """``count`` different signs of two letters, which stand for statements or people."""
    found: list[str] = []
    while len(found) < count:
        sign = letters(random, 2)
        if sign not in found and sign not in _TAKEN:
            found.append(sign)
    return found


def numbers(random: Random, count: int, below: int) -> list[int]:
    """``count`` numbers from 0, each less than ``below``; some may be equal."""
    return [random.randrange(below) for _ in range(count)]


def joined(items: Iterable[object], mark: str = " ") -> str:
    """The items as text."""
    return mark.join(str(item) for item in items)


SEQUENCES = "sequence"
"""The family of the kinds that ask for the next term: one sequence lies on one side of the split in all of them."""


def next_term(terms: Sequence[int]) -> tuple[str, str, str]:
    """The problem, prompt and answer of a sequence whose last term is asked. Its first three terms are the problem."""
    *shown, following = terms
    return joined(shown[:3]), f"Next: {joined(shown, ', ')}, ?", str(following)


@cache
def words() -> DrillWords:
    """The stock of words."""
    return drill_words()


def with_s(word: str) -> str:
    """The regular form in -s: of a verb with he or she, of a noun in the plural."""
    if word.endswith(_SIBILANTS):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def article(word: str) -> str:
    """The word with ``a`` or ``an``."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"

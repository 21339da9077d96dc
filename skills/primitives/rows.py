"""Problems in rows: several short ones that differ, asked at once. What is small alone is then neither guessed nor soon used up."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from skills.answers import final_answer, text_score, without_thinking
from skills.contract import Outcome, Problem, Result
from skills.primitives.material import joined
from skills.streams import Made

Item = tuple[str, str]
"""One short problem and its answer."""
_MARKS = re.compile(r"[\s,;\[\]()'\"`]+")
_EQUALS = re.compile(r"\s*=\s*")
_MISSES = 200
"""Items in a row that were there already before the row is taken to be too long for its kind."""


_TRIES = 12
"""Draws in search of a verdict."""


def row(random: Random, count: int, one: Callable[[Random], Item]) -> list[Item]:
    """``count`` items that differ.

    Raises:
        ValueError: there are not so many.
    """
    found: dict[str, str] = {}
    misses = 0
    while len(found) < count:
        asked, answer = one(random)
        misses = misses + 1 if asked in found else 0
        if misses > _MISSES:
            raise ValueError(f"no {count} items differ")
        found.setdefault(asked, answer)
    return list(found.items())


def fair(one: Callable[[Random], Item], verdicts: tuple[str, str]) -> Callable[[Random], Item]:
    """``one``, with either verdict as often as the other; where one of them is rare, as often as it can be found."""

    def drawn(random: Random) -> Item:
        wanted = verdicts[random.randrange(2)]
        for _ in range(_TRIES):
            item = one(random)
            if item[1] == wanted:
                break
        return item

    return drawn


def asked_in_row(head: str, items: list[Item], mark: str = ", ") -> Made:
    """The row as one problem; the order of its items is part of the wording."""
    return Made(
        joined(sorted(asked for asked, _ in items), "|"),
        f"{head}: {joined([asked for asked, _ in items], mark)}",
        joined([answer for _, answer in items]),
    )


def row_score(problem: Problem, answer: str) -> Outcome:
    """As `text_score`; the same items in the same order are a HIT however they are set apart, and after ``=`` as well."""
    found = text_score(problem, answer)
    if found.result is not Result.MISS:
        return found
    wanted = _items(problem.answer)
    text = without_thinking(answer) or ""
    if wanted in (_items(text), _items(final_answer(text).strip("."))):
        return Outcome(Result.HIT, "the same items")
    return found


def _items(text: str) -> list[str]:
    return [item.rpartition("=")[2] for item in _MARKS.split(_EQUALS.sub("=", text.casefold())) if item]

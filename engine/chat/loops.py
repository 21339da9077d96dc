"""Tells an answer that goes round in circles."""

from __future__ import annotations

LONGEST_UNIT = 40
"""Characters of the longest piece whose repetition is looked for."""
LEAST_ROUNDS = 4
LEAST_CHARACTERS = 64
"""A repeating end shorter than this may well be an answer, such as a number of equal digits."""


def loops_at_its_end(answer: str) -> bool:
    """Whether the last `LEAST_CHARACTERS` characters or more of an answer are one piece again and again.

    The end may be cut within the piece.
    """
    tail = answer.rstrip()[::-1][: 4 * LONGEST_UNIT + LEAST_CHARACTERS]
    if len(tail) < LEAST_CHARACTERS:
        return False
    # Read from behind, a piece that was cut only turns the unit round: any rotation of it repeats as well.
    for unit in range(1, LONGEST_UNIT + 1):
        span = max(LEAST_CHARACTERS, unit * LEAST_ROUNDS)
        if len(tail) >= span and tail[unit:span] == tail[: span - unit]:
            return True
    return False

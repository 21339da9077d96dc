"""An answer that goes round in circles is told from one that is merely long."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.chat.loops import LEAST_CHARACTERS, LONGEST_UNIT, loops_at_its_end


@pytest.mark.parametrize(
    "answer",
    [
        "7" * 64,
        "The answer is " * 9,
        "Let me see. First I add the tens, " + "then the ones, " * 12,
        "abc" * 40 + "ab",
        "so\n" * 30 + "  \n",
        "x" * 500 + "the sum is 4, " * 8,
    ],
)
def test_round_in_circles(answer: str) -> None:
    assert loops_at_its_end(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "④②",
        "1" * 32,
        "0" * 63,
        "no no no, not at all: first the tens are added, then the ones, and what is carried goes to the left of both.",
        "the sum is 4, " * 8
        + "and so the answer of this whole exercise can only be the number twenty-four, I am sure of it.",
    ],
)
def test_merely_long(answer: str) -> None:
    assert not loops_at_its_end(answer)


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=LONGEST_UNIT), st.integers(0, LONGEST_UNIT - 1))
def test_any_piece_repeated_often_enough_is_found_wherever_it_is_cut(piece: str, cut: int) -> None:
    rounds = 4 + LEAST_CHARACTERS // len(piece)
    text = piece * (rounds + 1)
    whole = text[: len(text) - cut % len(piece)].rstrip()
    if len(whole) >= max(LEAST_CHARACTERS, 4 * len(piece)):
        assert loops_at_its_end(whole)

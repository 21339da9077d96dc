"""What counts of right answers prove."""

from __future__ import annotations

from math import comb
from random import Random

import pytest

from engine.statistics import at_chance, binomial_at_least, interval, shown_share


def test_a_share_below_the_gate_is_never_rounded_up_to_it() -> None:
    assert shown_share(51, 64) == 0.79
    assert shown_share(52, 64) == 0.81
    assert f"{shown_share(799, 1000):.0%}" == "79%"
    assert shown_share(64, 64) == 1.0
    assert shown_share(0, 0) is None
    for items in range(1, 200):
        for correct in range(items + 1):
            shown = shown_share(correct, items)
            assert shown is not None and shown <= correct / items + 1e-12


@pytest.mark.parametrize("items", [1, 16, 64, 192, 5000])
def test_the_interval_holds_the_share_and_narrows_with_items(items: int) -> None:
    for correct in {0, items // 3, items // 2, items - 1, items}:
        low, high = interval(correct, items)
        assert 0.0 <= low <= correct / items <= high <= 1.0
        more_low, more_high = interval(4 * correct, 4 * items)
        assert more_high - more_low < high - low
        strict_low, strict_high = interval(correct, items, 0.01)
        assert strict_low <= low and high <= strict_high


def test_the_interval_is_where_the_mixture_is_twenty_times_as_likely() -> None:
    low, high = interval(52, 64)
    for p in (low, high):
        mixture = 1 / (65 * comb(64, 52))
        assert mixture / (p**52 * (1 - p) ** 12) == pytest.approx(20.0, rel=1e-9)


def test_nothing_is_known_before_the_first_answer() -> None:
    assert interval(0, 0) == (0.0, 1.0)
    assert interval(0, 8)[0] == 0.0
    assert interval(8, 8)[1] == 1.0


def test_the_interval_may_be_looked_at_after_every_answer() -> None:
    """Fewer than one sequence in twenty ever loses the truth; a fixed-size interval would in more than a third."""
    missed = 0
    for run in range(300):
        luck, correct = Random(run), 0
        for items in range(1, 301):
            correct += luck.random() < 0.8
            low, high = interval(correct, items)
            if not low <= 0.8 <= high:
                missed += 1
                break
    assert missed / 300 <= 0.05


def test_impossible_counts_are_refused() -> None:
    for call in (lambda: interval(5, 4), lambda: at_chance(-1, 4, 0.5), lambda: shown_share(2, 1)):
        with pytest.raises(ValueError, match="cannot be"):
            call()


def test_binomial_tail_equals_the_plain_sum() -> None:
    for items, p in ((1, 0.5), (16, 0.7), (64, 0.8)):
        for least in range(items + 2):
            plain = sum(comb(items, k) * p**k * (1 - p) ** (items - k) for k in range(least, items + 1))
            assert binomial_at_least(items, p, least) == pytest.approx(plain, abs=1e-12)
    assert binomial_at_least(10, 0.0, 1) == 0.0
    assert binomial_at_least(10, 1.0, 10) == 1.0


def test_what_a_coin_explains_is_at_chance() -> None:
    assert at_chance(24, 48, 0.5)
    assert at_chance(30, 48, 0.5)
    assert not at_chance(33, 48, 0.5)
    assert not at_chance(13, 48, 0.5), "clearly worse than chance is not chance"
    assert at_chance(5, 5, 0.5), "five of five is too few to tell"
    assert not at_chance(6, 6, 0.5)
    assert at_chance(0, 13, 0.02)
    assert not at_chance(3, 13, 0.02)
    assert not at_chance(1, 13, 0.0)
    assert at_chance(0, 0, 0.5)

"""Two forms on the same items, and a drop between two exams: what is shown and what is luck."""

from __future__ import annotations

from math import comb, factorial
from random import Random

import pytest

from engine.curriculum.pairs import NO_ITEMS, Paired, paired, regression_evidence
from engine.statistics import drop_by_chance, gain_interval, mean_evidence, sign_evidence


def test_letters_become_pairs_and_unanswered_items_are_left_out() -> None:
    found = paired("CHMXG?C", "CMHXC?" + "?")
    assert found == Paired(both=1, better=2, worse=1, neither=1)
    assert (found.items, found.gain) == (5, 0.2)
    assert (found.first, found.second) == ((2, 5), (3, 5))
    with pytest.raises(ValueError, match="not the same items"):
        paired("CC", "C")


def test_evidence_is_the_mixture_over_the_fair_coin() -> None:
    for better, worse in ((0, 0), (1, 0), (5, 1), (9, 14), (30, 2)):
        n = better + worse
        cells = 20_000
        mixture = (
            sum(p**better * (1 - p) ** worse for p in (0.5 + (i + 0.5) / (2 * cells) for i in range(cells))) / cells
        )
        assert sign_evidence(better, worse) == pytest.approx(mixture / 0.5**n, rel=1e-4)
    assert sign_evidence(0, 0) == 1.0
    assert 0.0 < sign_evidence(4000, 0) < float("inf"), "it stays a number that JSON can hold"


def test_a_change_that_does_nothing_is_hardly_ever_called_better_however_often_one_looks() -> None:
    called = 0
    for run in range(400):
        luck, better, worse = Random(run), 0, 0
        for _ in range(150):
            if luck.random() < 0.5:
                better += 1
            else:
                worse += 1
            if sign_evidence(better, worse) >= 20:
                called += 1
                break
    assert called / 400 <= 0.05


def test_a_real_change_is_found_with_few_items_that_differ() -> None:
    shown = Paired(both=50, better=14, worse=0, neither=0)
    assert shown.finding() == "better"
    assert Paired(both=50, better=0, worse=14, neither=0).finding() == "worse"
    assert Paired(both=50, better=3, worse=2, neither=9).finding() == "no difference shown"
    assert NO_ITEMS.finding() == "no difference shown"
    assert NO_ITEMS.gain is None
    facts = shown.as_dict()
    assert facts["interval"][0] > 0.0
    assert facts["gain"] == pytest.approx(14 / 64)


@pytest.mark.parametrize(
    ("better", "worse", "items"), [(0, 0, 5), (3, 3, 10), (7, 0, 64), (0, 9, 30), (5, 5, 10), (64, 0, 64)]
)
def test_the_interval_of_a_gain_is_where_no_chances_explain_the_answers(better: int, worse: int, items: int) -> None:
    """Beside a plain search over all chances."""
    same = items - better - worse
    mixture = 2 * factorial(better) * factorial(worse) * factorial(same) / factorial(items + 2)

    def explained(gain: float) -> bool:
        cells = 4000
        best = 0.0
        for i in range(cells + 1):
            p = max(0.0, gain) + ((1 + gain) / 2 - max(0.0, gain)) * i / cells
            best = max(best, p**better * max(0.0, p - gain) ** worse * max(0.0, 1 - 2 * p + gain) ** same)
        return best > 0 and mixture / best <= 20

    low, high = gain_interval(better, worse, items)
    assert -1.0 <= low <= (better - worse) / items <= high <= 1.0
    for inside, outside in ((low + 0.02, low - 0.02), (high - 0.02, high + 0.02)):
        assert explained(inside)
        assert abs(outside) >= 1 or not explained(outside)


def test_the_interval_of_a_gain_holds_the_truth() -> None:
    missed = 0
    for run in range(100):
        luck, better, worse = Random(run), 0, 0
        for items in range(1, 101):
            draw = luck.random()
            better, worse = better + (draw < 0.15), worse + (0.15 <= draw < 0.20)
            low, high = gain_interval(better, worse, items)
            if not low <= 0.10 <= high:
                missed += 1
                break
    assert missed / 100 <= 0.05


def test_several_comparisons_together() -> None:
    lost, same = Paired(20, 0, 12, 0), Paired(30, 1, 1, 0)
    assert regression_evidence([lost, same, same]) == pytest.approx(
        mean_evidence([lost.evidence_worse, same.evidence_worse, same.evidence_worse])
    )
    assert regression_evidence([lost, same, same]) > 20
    assert regression_evidence([]) == 1.0


def test_a_drop_between_two_exams_is_weighed_against_luck() -> None:
    assert drop_by_chance(2, 4, 3, 4) == pytest.approx(
        sum(comb(5, k) * comb(3, 4 - k) for k in range(1, 3)) / comb(8, 4)
    )
    assert drop_by_chance(3, 5, 5, 5) > 0.1, "two of five may fail by luck"
    assert drop_by_chance(18, 35, 29, 30) < 0.001
    assert drop_by_chance(30, 30, 15, 30) == pytest.approx(1.0)
    assert drop_by_chance(0, 0, 5, 5) == 1.0

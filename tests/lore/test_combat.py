"""Answers pay by result, level and streak; the same exams always pay the same."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lore.combat import Combat, answer_streak, answer_xp, base_xp, combat, difficulty, rank, results, streak_multiplier
from lore.rules import ResultName
from lore.rules import rules as lore_rules
from tests.lore import rows

sequences = st.text("CHGMX?", max_size=64)


def test_worked_examples() -> None:
    assert answer_xp("hit", 5, skill_multiplier=1.2, streak=4) == 22
    assert answer_xp("crit", 1, effects=[0.8]) == 12
    assert base_xp("glancing", parts_correct=3) == 8


def test_glancing_pays_for_its_parts_up_to_a_bound() -> None:
    assert [base_xp("glancing", parts_correct=n) for n in (None, 0, 2, 3, 9)] == [5, 5, 7, 8, 8]


@pytest.mark.parametrize(("level", "multiplier"), [(1, 1.0), (5, 1.5), (10, 3.0), (11, 3.0), (30, 3.0)])
def test_difficulty_stops_growing_at_level_ten(level: int, multiplier: float) -> None:
    assert difficulty(level) == multiplier


def test_streak_bonus_is_capped() -> None:
    assert [round(streak_multiplier(n), 2) for n in (0, 1, 4, 10, 11, 500)] == [1.0, 1.05, 1.2, 1.5, 1.5, 1.5]


def test_halves_are_rounded_up() -> None:
    assert answer_xp("crit", 2) == 17, "16.5, although the nearest binary fraction of 15 × 1.1 may lie below"
    assert answer_xp("hit", 1, streak=5) == 13, "12.5"


def test_flat_bonus_comes_last() -> None:
    assert answer_xp("crit_miss", 10, streak=10, flat=3) == 3


@given(st.sampled_from(get_args(ResultName)), st.integers(1, 50), st.integers(0, 100))
def test_xp_grows_with_level_and_streak(result: ResultName, level: int, streak: int) -> None:
    xp = answer_xp(result, level, streak=streak)
    assert 0 <= xp <= answer_xp(result, level + 1, streak=streak)
    assert xp <= answer_xp(result, level, streak=streak + 1)


def test_streaks_live_through_glancing_blows_and_die_with_a_miss() -> None:
    (found,) = combat([rows.exam(1, 10, 0, 7, sequence="CHGMCXH")], {}).values()
    assert (found.answers, found.correct, found.crits, found.streak, found.best_streak) == (7, 4, 2, 1, 3)


def test_an_item_without_an_answer_is_no_miss() -> None:
    assert results("C?H") == ["crit", "hit"]
    assert answer_streak([rows.exam(1, 10, 2, 2, sequence="C?H")]) == 2


def test_the_streak_runs_across_exams_from_the_newest_back() -> None:
    old, new = rows.exam(1, 10, 2, 3, sequence="MCC"), rows.exam(2, 20, 3, 3, sequence="HHC")
    assert answer_streak([new, old]) == answer_streak([old, new]) == 5
    assert answer_streak([]) == 0


def test_exams_on_command_pay_nothing() -> None:
    asked = rows.exam(1, 10, 64, kind="asked")
    assert combat([asked], {}) == {} and answer_streak([asked]) == 0


@given(st.lists(sequences, max_size=5), st.integers(1, 12), st.sampled_from([1.0, 1.2, 0.8]))
def test_the_fold_is_the_sum_of_its_answers(parts: list[str], level: int, multiplier: float) -> None:
    exams = [rows.exam(i + 1, 10 * i, 0, len(s), level=level, sequence=s) for i, s in enumerate(parts)]
    found = combat(exams, {"bin": multiplier}).get("bin", Combat())
    assert found == one_by_one("".join(parts), level, multiplier)
    assert combat(exams[::-1], {"bin": multiplier}) == combat(exams, {"bin": multiplier})


def test_a_hero_that_never_errs_is_counted_as_quickly_as_any_other() -> None:
    found, exams = Combat(), 20_000
    for _ in range(exams):
        found.take("C" * 64, 3, 1.0)
    assert (found.streak, found.crit_run) == (found.best_streak, found.best_crit_run) == (64 * exams, 64 * exams)
    found.take("CCM", 3, 1.0)
    assert (found.streak, found.crit_run, found.best_crit_run) == (0, 0, 64 * exams + 2)


def test_without_a_bonus_a_streak_pays_like_single_answers() -> None:
    numbers = lore_rules().combat.model_copy(update={"streak_bonus": 0.0})
    found = Combat()
    found.take("CCCC", 1, 1.0, numbers)
    assert found.xp == 4 * answer_xp("crit", 1, rules=numbers)


def one_by_one(sequence: str, level: int, multiplier: float) -> Combat:
    """What answers add up to, counted as one would by hand."""
    sums = Combat()
    for result in results(sequence):
        sums.xp += answer_xp(result, level, skill_multiplier=multiplier, streak=sums.streak)
        sums.answers += 1
        sums.correct += result in ("crit", "hit")
        sums.crits += result == "crit"
        sums.streak = sums.streak + 1 if result in ("crit", "hit", "glancing") else 0
        sums.crit_run = sums.crit_run + 1 if result == "crit" else 0
        sums.best_streak = max(sums.best_streak, sums.streak)
        sums.best_crit_run = max(sums.best_crit_run, sums.crit_run)
    return sums


def test_ranks() -> None:
    assert [rank(xp) for xp in (0, 4_999, 5_000, 50_000, 400_000, 10**9)] == [1, 1, 2, 5, 10, 10]

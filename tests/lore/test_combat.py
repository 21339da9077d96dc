"""Answers pay by result, level and streak; the same exams always pay the same."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lore.combat import Combat, answer_streak, answer_xp, base_xp, combat, difficulty, rank, results, streak_multiplier
from lore.rules import ResultName
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


@given(st.lists(sequences, max_size=5))
def test_the_fold_is_the_sum_of_its_answers(parts: list[str]) -> None:
    exams = [rows.exam(i + 1, 10 * i, 0, len(s), sequence=s) for i, s in enumerate(parts)]
    streak = total = best = 0
    for result in [r for s in parts for r in results(s)]:
        total += answer_xp(result, 1, skill_multiplier=1.2, streak=streak)
        streak = streak + 1 if result in ("crit", "hit", "glancing") else 0
        best = max(best, streak)
    found = combat(exams, {"bin": 1.2}).get("bin", Combat())
    assert (found.xp, found.streak, found.best_streak) == (total, streak, best)
    assert combat(exams[::-1], {"bin": 1.2}) == combat(exams, {"bin": 1.2})


def test_ranks() -> None:
    assert [rank(xp) for xp in (0, 4_999, 5_000, 50_000, 400_000, 10**9)] == [1, 1, 2, 5, 10, 10]

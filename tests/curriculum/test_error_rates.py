"""How often the gate errs, simulated on the game's own transitions and computed exactly."""

from __future__ import annotations

from statistics import median

import pytest

from engine.curriculum.simulate import (
    climb,
    found_probability,
    least_right,
    lost_probability,
    pass_probability,
    win_probability,
)
from tests.curriculum.school import RULES

FOURTEEN = [f"operation{i}" for i in range(14)]


def test_a_hero_of_seventy_hardly_ever_wins_by_asking() -> None:
    assert win_probability(0.70, RULES, exams=300) == pytest.approx(0.0077, abs=0.0001)
    assert win_probability(0.70, RULES, exams=300) < 0.01
    assert not any(climb({"all": 0.65}, RULES, exams=300, seed=seed).won for seed in range(15))


def test_a_hero_of_ninety_is_there_within_four_hundred_items() -> None:
    climbs = [climb(dict.fromkeys(FOURTEEN, 0.9), RULES, exams=6, seed=seed) for seed in range(200)]
    assert all(c.won and c.items <= 400 for c in climbs)
    assert median(c.items for c in climbs) == 192
    assert win_probability(0.90, RULES, exams=400 // 64) > 0.99


@pytest.mark.parametrize(("accuracy", "exams"), [(0.75, 60), (0.80, 6)])
def test_the_played_gate_errs_as_often_as_computed(accuracy: float, exams: int) -> None:
    runs = 400
    won = sum(climb({"all": accuracy}, RULES, exams=exams, seed=seed).won for seed in range(runs))
    exact = win_probability(accuracy, RULES, exams=exams)
    assert 0.1 < exact < 0.9
    assert abs(won / runs - exact) < 4 * (exact * (1 - exact) / runs) ** 0.5


def test_asking_slows_down_for_a_hero_that_stands_still() -> None:
    stalled = climb({"all": 0.3}, RULES, exams=300, seed=1)
    assert (stalled.won, stalled.exams) == (False, 300)
    assert stalled.steps > 20 * 300 * RULES.interval_steps


def test_one_operation_that_fails_holds_the_level_back() -> None:
    accuracies = {**dict.fromkeys(FOURTEEN, 0.97), FOURTEEN[0]: 0.15}
    climbs = [climb(accuracies, RULES, exams=10, seed=seed) for seed in range(60)]
    assert sum(c.won for c in climbs) <= 3
    assert pass_probability(0.97 * 13 / 14 + 0.15 / 14, RULES) > 0.99, "its share of the exam would not"


@pytest.mark.parametrize("accuracy", [0.6, 0.7, 0.8])
def test_the_played_screening_errs_as_often_as_computed(accuracy: float) -> None:
    runs = 400
    found = sum(climb({"all": 1.0}, RULES, exams=3, seed=seed, held=[accuracy]).blocked for seed in range(runs))
    exact = lost_probability(accuracy, RULES)
    assert abs(found / runs - exact) < 4 * (exact * (1 - exact) / runs) ** 0.5 + 1 / runs


def test_what_screening_can_promise() -> None:
    assert least_right(RULES.items, RULES.pass_share) == 52
    assert least_right(80, RULES.held_share) == 56
    assert lost_probability(0.85, RULES) < 0.001
    assert lost_probability(0.50, RULES) > 0.95
    assert found_probability(0.60, RULES) < 0.05, "a lost level does not come back by luck"
    assert found_probability(0.85, RULES) > 0.99

"""What is sampled."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from configs.schema import CurriculumRules
from engine.curriculum.sampling import Draw, draw, horizon, observe, replay_count
from engine.curriculum.state import CurriculumState, pinned
from tests.curriculum.school import OPERATIONS, CountingSkill, at

RULES = CurriculumRules.model_validate({})
SKILL = CountingSkill()


def many(state: CurriculumState, steps: int = 200, rules: CurriculumRules = RULES) -> list[Draw]:
    return [d for step in range(steps) for d in draw(state, SKILL, "full", rules, seed=7, step=step, count=32)]


def test_the_horizon_runs_ahead_of_the_training_level() -> None:
    assert [horizon(at(mastered), RULES) for mastered in (0, 1, 3, 4, 10, 24, 26, 29, 30)] == [
        3,
        8,
        8,
        9,
        15,
        29,
        30,
        30,
        30,
    ]
    assert horizon(pinned(at(0), 12), RULES) == 16


def test_every_level_up_to_the_horizon_keeps_its_share() -> None:
    for mastered, top in ((0, 3), (6, 11)):
        counts = Counter(d.level for d in many(at(mastered)))
        assert sorted(counts) == list(range(1, top + 1))
        expected = 6400 / top
        assert all(abs(count - expected) < 5 * expected**0.5 for count in counts.values())


def test_only_operations_of_the_level_are_drawn() -> None:
    assert {d.operation for d in many(at(0)) if d.level == 1} == set(OPERATIONS[:3])
    assert {d.operation for d in many(at(0)) if d.level == 2} == set(OPERATIONS)


def test_an_operation_that_fails_is_drawn_more_and_a_mastered_one_keeps_its_floor() -> None:
    state = replace(at(0), matches={2: {"add": 0.0, "subtract": 0.5, "xor": 1.0, "equals": 0.95}})
    counts = Counter(d.operation for d in many(state) if d.level == 2)
    total = sum(counts.values())
    for operation, weight in (("add", 1.0), ("subtract", 0.5), ("xor", 0.1), ("equals", 0.1)):
        assert counts[operation] / total == pytest.approx(weight / 1.7, abs=0.04)


def test_lost_levels_draw_replay() -> None:
    calm, alarmed = at(10), replace(at(10), lost=(2, 5))
    before, after = Counter(d.level for d in many(calm)), Counter(d.level for d in many(alarmed))
    assert (before[2] + before[5]) / 6400 == pytest.approx(2 / 15, abs=0.02)
    assert (after[2] + after[5]) / 6400 == pytest.approx(0.25 + 0.75 * 2 / 15, abs=0.02)
    assert len(after) == 15, "every other level keeps a share"


def test_draws_are_a_function_of_state_seed_and_step() -> None:
    state = at(3)
    first = draw(state, SKILL, "full", RULES, seed=1, step=9, count=32)
    assert draw(state, SKILL, "full", RULES, seed=1, step=9, count=32) == first
    assert draw(state, SKILL, "full", RULES, seed=2, step=9, count=32) != first
    assert draw(state, SKILL, "full", RULES, seed=1, step=10, count=32) != first
    assert draw(state, SKILL, "full", RULES, seed=1, step=9, count=8) == first[:8]


def test_known_draws_do_not_move_between_versions() -> None:
    """Saves of yesterday regenerate the same training data tomorrow."""
    assert draw(at(1), SKILL, "full", RULES, seed=11, step=42, count=3) == [
        Draw(2, "subtract", 184429991849713),
        Draw(2, "equals", 23239433431219),
        Draw(5, "equals", 138913089909885),
    ]


def test_training_problems_hardly_ever_come_twice() -> None:
    drawn = many(at(6))
    assert len({(d.level, d.operation, d.index) for d in drawn}) == len(drawn)


def test_answers_move_the_records_of_their_operations_only() -> None:
    draws = [Draw(2, "add", 1), Draw(2, "add", 2), Draw(3, "xor", 3)]
    before = at(1)
    after = observe(before, draws, [True, False, True], RULES)
    assert after.match(2, "add") == pytest.approx(0.05 * 0.95)
    assert after.match(3, "xor") == pytest.approx(0.05)
    assert after.match(2, "xor") == 0.0
    assert (after.examples, before.examples, before.matches) == (3, 0, {})
    again = observe(after, [Draw(3, "add", 4)], [True], RULES)
    assert (after.match(3, "add"), again.match(3, "xor")) == (0.0, after.match(3, "xor"))


def test_each_draw_needs_its_answer() -> None:
    with pytest.raises(ValueError, match="shorter"):
        observe(at(0), [Draw(1, "add", 1)], [], RULES)


def test_replay_beside_a_quest_keeps_its_share_exactly() -> None:
    counts = [replay_count(step, 32, 0.2) for step in range(1000)]
    assert sum(counts) == 6400
    assert set(counts) == {6, 7}
    assert replay_count(5, 32, 0.0) == 0
    assert replay_count(5, 32, 1.0) == 32

"""What wins a level and what holds it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from configs.errors import RealmError
from engine.curriculum.gate import (
    ExamPlan,
    Hold,
    Screening,
    Verdict,
    due,
    judge,
    next_exam_step,
    plan_asked,
    plan_exam,
    record_gate,
    record_screen,
    settle,
)
from engine.curriculum.state import CurriculumState, Tally, pinned, stepped
from tests.curriculum.school import RULES, CountingSkill, at, sit, spread


def exams(
    state: CurriculumState, *correct: int, skill: CountingSkill, screens: dict[int, list[int]] | None = None
) -> tuple[CurriculumState, Verdict]:
    """Exams at the training level, each when it is due; ``screens`` are the answers after the last."""
    for right in correct[:-1]:
        state, _ = sit(state, skill, right, step=state.next_exam_step)
    return sit(state, skill, correct[-1], step=state.next_exam_step, screens=screens)


# ---------------------------------------------------------------- the worked examples


def test_one_exam_of_three_below_the_gate_changes_nothing() -> None:
    state, verdict = exams(at(3), 53, 50, 54, skill=CountingSkill())
    assert (verdict.action, state.mastered, verdict.streak) == ("wait", 3, 1)


def test_three_passed_exams_with_everything_held_win_the_level() -> None:
    state, verdict = exams(at(3), 53, 52, 54, skill=CountingSkill())
    assert (verdict.action, state.mastered, state.training) == ("level_up", 4, 5)
    assert verdict.exam_steps == (25, 50, 75)
    assert verdict.holds == tuple(Hold(level, Tally(16, 16), False) for level in (1, 2, 3))
    assert state.gate == (), "exams that won a level never count again"


def test_a_lost_level_blocks_the_level_up() -> None:
    state, verdict = exams(at(3), 53, 52, 54, screens={2: [9, 44]}, skill=CountingSkill())
    assert (verdict.action, state.mastered, state.lost, state.held) == ("lost", 3, (2,), 2)
    assert Hold(2, Tally(53, 80), True) in verdict.holds
    assert Tally(53, 80).share == pytest.approx(0.6625)


def test_exams_at_other_levels_never_count_and_never_interrupt() -> None:
    skill, state = CountingSkill(), at(3)
    state, _ = sit(state, skill, 58, step=25)
    state, _ = sit(pinned(state, 3), skill, 64, step=50)
    state, verdict = sit(pinned(state, None), skill, 58, step=75)
    assert (verdict.action, verdict.streak, state.mastered) == ("wait", 2, 3)
    state, verdict = sit(state, skill, 58, step=100)
    assert (verdict.action, state.mastered) == ("level_up", 4)
    assert verdict.exam_steps == (25, 75, 100)


# ---------------------------------------------------------------- the gate


def test_fifty_two_of_sixty_four_is_the_least_that_passes() -> None:
    assert exams(at(0), 52, 52, 52, skill=CountingSkill())[0].mastered == 1
    assert exams(at(0), 52, 51, 52, skill=CountingSkill())[0].mastered == 0


def test_one_level_at_a_time() -> None:
    state, verdict = exams(at(0), 64, 64, 64, 64, skill=CountingSkill())
    assert (state.mastered, verdict.streak) == (1, 1), "the fourth exam is the first at level 2"


def test_an_operation_under_its_floor_blocks_until_it_reaches_it() -> None:
    poor = {"add": Tally(7, 16), "subtract": Tally(16, 16), "xor": Tally(16, 16), "equals": Tally(16, 16)}
    good = {**poor, "add": Tally(10, 16)}
    skill, state = CountingSkill(), at(1)
    for step in (25, 50, 75):
        state, verdict = sit(state, skill, poor, step=step)
    assert (verdict.action, state.mastered) == ("weak", 1)
    assert [(s.operation, s.tally) for s in verdict.weak] == [("add", Tally(21, 48))]
    state, verdict = sit(state, skill, good, step=100)
    assert verdict.action == "level_up", "24 of 48 is the floor itself"


def test_an_operation_with_few_held_out_problems_cannot_block() -> None:
    poor = {"add": Tally(0, 4), "subtract": Tally(20, 20), "xor": Tally(20, 20), "equals": Tally(20, 20)}
    state, skill = at(1), CountingSkill(held_out={"add": 11})
    for step in (25, 50, 75):
        state, verdict = sit(state, skill, poor, step=step)
    assert (verdict.action, verdict.at_chance) == ("level_up", ("add",))


def test_at_chance_is_said_of_a_share_that_guessing_explains() -> None:
    coin = {"add": Tally(16, 16), "subtract": Tally(16, 16), "xor": Tally(16, 16), "equals": Tally(9, 16)}
    state, skill = at(1), CountingSkill()
    for step in (25, 50, 75):
        state, verdict = sit(state, skill, coin, step=step)
    assert (verdict.action, verdict.at_chance) == ("level_up", ("equals",)), "27 of 48 is not told from a coin"


def test_each_exam_comes_from_a_later_step() -> None:
    state, skill = at(0), CountingSkill()
    state, _ = sit(state, skill, 60, step=25)
    with pytest.raises(RealmError, match="cannot follow"):
        record_gate(state, plan_exam(state, skill, RULES), spread(60, 64), RULES, step=25)


def test_a_pin_takes_exams_there_and_stops_the_advance() -> None:
    skill = CountingSkill()
    state = pinned(at(3), 4)
    for step in (25, 50, 75):
        state, verdict = sit(state, skill, 64, step=step)
    assert (verdict.action, state.mastered) == ("pinned", 3)
    assert pinned(state, "max").training == 30
    state, verdict = sit(pinned(state, None), skill, 64, step=100)
    assert state.mastered == 4
    with pytest.raises(RealmError, match="does not exist"):
        pinned(state, 31)


def test_the_last_level_completes_the_skill_and_is_not_left() -> None:
    state, verdict = exams(at(29), 64, 64, 64, skill=CountingSkill())
    assert (verdict.action, state.mastered, state.complete, state.training) == ("level_up", 30, True, 30)
    state, verdict = exams(state, 64, 64, 64, screens={7: [2, 20]}, skill=CountingSkill())
    assert (verdict.action, state.mastered, state.lost) == ("lost", 30, (7,)), "what was won is still watched"
    state, verdict = exams(state, 64, screens={7: [80]}, skill=CountingSkill())
    assert (verdict.action, state.mastered, state.lost) == ("held", 30, ())


# ---------------------------------------------------------------- what was won is held


def test_a_level_below_the_share_is_saved_by_sixty_four_more() -> None:
    state, verdict = exams(at(3), 60, 60, 60, screens={2: [11, 45]}, skill=CountingSkill())
    assert (verdict.action, state.mastered) == ("level_up", 4)
    assert Hold(2, Tally(56, 80), False) in verdict.holds, ".70 exactly is held"


def test_a_lost_level_is_asked_eighty_before_it_is_held_again() -> None:
    skill = CountingSkill()
    state, _ = exams(at(3), 60, 60, 60, screens={2: [0, 0]}, skill=skill)
    state, verdict = exams(state, 60, screens={2: [55]}, skill=skill)
    assert (verdict.action, state.lost, verdict.holds) == ("lost", (2,), (Hold(2, Tally(55, 80), True),))
    state, verdict = exams(state, 60, screens={2: [56]}, skill=skill)
    assert (verdict.action, state.lost, state.mastered) == ("level_up", (), 4)
    assert {hold.level for hold in verdict.holds} == {1, 2, 3}, "once it is back, all the others are asked too"


def test_a_small_level_is_never_asked_a_problem_twice_in_one_screening() -> None:
    skill, state = CountingSkill(pools={1: 30, 2: 10}), at(2)
    asked: dict[int, list[int]] = {}
    for step in (25, 50, 75):
        state = record_gate(state, plan_exam(state, skill, RULES), spread(64, 64), RULES, step=step)
    screening = Screening()
    while (verdict := judge(state, skill, RULES, screening)).plans:
        for plan in verdict.plans:
            asked.setdefault(plan.level, []).extend(
                index % skill.exam_pool(plan.level, "full", 80) for index in plan.indices
            )
            assert plan.apprentice
            state, screening = record_screen(state, screening, plan, Tally(0, plan.items))
    assert sorted(asked[1]) == list(range(30))
    assert sorted(asked[2]) == list(range(10))
    assert settle(state, verdict, RULES, step=75).lost == (1, 2)


# ---------------------------------------------------------------- what is asked, and when


def test_no_item_is_asked_twice() -> None:
    skill, state = CountingSkill(), at(1)
    plans: list[ExamPlan] = []
    for step in range(25, 525, 25):
        plan = plan_exam(state, skill, RULES)
        plans.append(plan)
        state = record_gate(state, plan, spread(40, 64), RULES, step=step)
    seen = [(plan.level, index) for plan in plans for index in plan.indices]
    assert len(seen) == len(set(seen)) == 20 * 64 == state.questions


def test_an_apprentice_level_asks_all_it_has() -> None:
    skill = CountingSkill(pools={1: 30})
    plan = plan_exam(at(0), skill, RULES)
    assert (plan.items, plan.apprentice) == (30, True)
    state, _ = exams(at(0), 24, 24, 24, skill=skill)
    assert state.mastered == 1, "24 of 30 is .80"
    assert not plan_exam(state, skill, RULES).apprentice


def test_a_level_without_exam_problems_says_so() -> None:
    with pytest.raises(RealmError, match="no exam problems"):
        plan_exam(at(0), CountingSkill(pools={1: 0}), RULES)


def test_a_stalled_hero_is_asked_ever_less_often() -> None:
    skill, state = CountingSkill(), stepped(at(2), 1000)
    assert next_exam_step(state, RULES, step=1000) == 1025
    state = stepped(state, 1001)
    assert next_exam_step(state, RULES, step=2001) == 2001 + 41, "two per cent, rounded up"
    state = replace(state, next_exam_step=2042)
    assert not due(state, 2041)
    assert due(state, 2042)
    for step in (2042, 2083, 2124):
        state, _ = sit(state, skill, 64, step=step)
    assert (state.mastered, state.next_exam_step) == (3, 2149), "a new level starts with the base interval"


def test_an_exam_on_command_leaves_the_gates_items_alone() -> None:
    skill, state = CountingSkill(pools={2: 400, 1: 30}), at(1)
    first = plan_asked(state, skill, 2, RULES, items=64, asked=0)
    second = plan_asked(state, skill, 2, RULES, items=64, asked=64)
    gate = plan_exam(state, skill, RULES)
    assert (first.kind, first.items, first.apprentice) == ("asked", 64, False)
    assert not {*first.indices} & {*second.indices} and not {*first.indices} & {*gate.indices}
    assert second.indices.stop <= 400, "none is a repeat"
    small = plan_asked(state, skill, 1, RULES, items=64, asked=0)
    assert (small.items, small.apprentice) == (30, True)


def test_an_operation_asked_twice_or_thrice_does_not_block_a_level_and_one_asked_four_times_does() -> None:
    """A mix of a hundred drills asks each twice in three exams: a slip there proves nothing."""
    for items, action in ((1, "level_up"), (2, "weak")):
        state = at(0)
        for _ in range(3):
            rest = Tally(64 - items, 64 - items)
            asked = {"add": rest, "xor": Tally(0, items)}
            state, verdict = sit(state, CountingSkill(), asked, step=state.next_exam_step)
        assert verdict.action == action

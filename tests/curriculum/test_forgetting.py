"""What may be forgotten, what holding costs, and when a hero is said to have reached its cap."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from configs.curriculum import ForgettingRules
from configs.schema import CurriculumRules
from engine.curriculum.across import Watch
from engine.curriculum.forgetting import budget, budget_of, regressions
from engine.curriculum.gate import Screening, Verdict, judge, plan_exam, record_gate, settle
from engine.curriculum.progress import (
    Attempted,
    attempt_over,
    end_attempt,
    fruitless,
    gain_shown,
    maxed,
    multiplier,
    with_effort,
)
from engine.curriculum.sampling import Draw, effort_shares
from engine.curriculum.state import CurriculumState, Tally, from_dict, start
from tests.curriculum.school import RULES, CountingSkill, at, sit, spread

FORGETTING = ForgettingRules.model_validate({})
SKILL = CountingSkill()


# ---------------------------------------------------------------- the budget


def test_the_budget_is_a_share_of_all_levels_won() -> None:
    assert [budget([(won, 0)], FORGETTING).allowed for won in (0, 9, 10, 25)] == [0, 0, 1, 2]
    both = budget([(12, 1), (8, 2)], FORGETTING)
    assert (both.won, both.lost, both.held, both.allowed, both.exceeded) == (20, 3, 17, 2, True)
    assert both.text() == "3 of 20 levels lost, 2 may be"
    nothing = budget([], FORGETTING)
    assert nothing.spent is None and not nothing.exceeded and nothing.text() == "no level is won yet"


def test_a_level_below_its_peak_is_named_and_proved_only_beyond_doubt() -> None:
    peaks = {1: Tally(186, 192), 2: Tally(180, 192), 3: Tally(170, 192), 4: Tally(180, 192)}
    now = {1: Tally(15, 16), 2: Tally(13, 16), 3: Tally(40, 80)}
    found = regressions("bin", peaks, now, FORGETTING, 0.05)
    assert [(r.level, r.proved) for r in found] == [(3, True), (2, False)], "worst first; one not screened says nothing"
    assert found[0].drop == pytest.approx(170 / 192 - 0.5)


# ---------------------------------------------------------------- over several skills


def other(lost: tuple[int, ...] = (), mastered: int = 4) -> CurriculumState:
    return replace(start("other", "full", 30, RULES, mastered=mastered), lost=lost)


def watched(
    state: CurriculumState, right: dict[int, list[int]], **rules: float
) -> tuple[Verdict, CurriculumState, int]:
    """A level-up at stake in one skill while ``state`` of another is screened: verdict, its record after, questions."""
    mine, passed = at(3), {}
    for step in (25, 50, 75):
        mine = record_gate(mine, plan_exam(mine, SKILL, RULES), spread(60, 64), RULES, step=step)
    verdict = judge(mine, SKILL, RULES, Screening({n: Tally(16, 16) for n in (1, 2, 3)}))
    assert verdict.action == "level_up"
    watch, asked, passed = Watch({"other": state}, {"other": SKILL}, RULES), 0, {n: list(a) for n, a in right.items()}
    while plans := watch.plans():
        for plan in plans:
            answers = passed.get(plan.level)
            watch = watch.told(plan, Tally(answers.pop(0) if answers else plan.items, plan.items))
            asked += plan.items
    forgetting = ForgettingRules.model_validate(rules)
    return watch.judged(verdict, mine, forgetting), watch.settled()["other"], asked


def test_a_level_up_asks_what_was_won_in_other_skills() -> None:
    verdict, after, asked = watched(other(), {})
    assert (verdict.action, after.lost, asked) == ("level_up", (), 4 * 16)
    assert after.next_index(1) == 16, "what was asked is not asked again"


def test_a_level_lost_elsewhere_blocks_the_level_up_beyond_the_budget() -> None:
    verdict, after, asked = watched(other(), {2: [5, 30]})
    assert (verdict.action, after.lost, asked) == ("forgotten", (2,), 4 * 16 + 64)
    assert settle(at(3), verdict, RULES, step=75).mastered == 3
    assert watched(other(), {2: [5, 30]}, budget=0.2)[0].action == "level_up", "one of seven may be lost"


def test_a_level_lost_elsewhere_is_found_again_by_the_whole_screening() -> None:
    verdict, after, asked = watched(other(lost=(3,)), {3: [70]})
    assert (verdict.action, after.lost, asked) == ("level_up", (), 3 * 16 + 80)
    assert watched(other(lost=(3,)), {3: [50]})[1].lost == (3,)


def test_the_budget_counts_every_skill() -> None:
    assert budget_of([at(3), other(lost=(1, 2))], FORGETTING).lost == 2


# ---------------------------------------------------------------- what holding costs


def test_strain_belongs_to_the_problems_that_failed() -> None:
    draws = [Draw(1, "add", 1), Draw(2, "add", 2), Draw(4, "add", 3), Draw(5, "add", 4)]
    assert effort_shares(at(2), draws, [True, False, False, False]) == pytest.approx((2 / 3, 1 / 3))
    assert effort_shares(at(2), draws, [True] * 4) == (0.5, 0.5)
    assert effort_shares(at(0), draws, [True, False, False, False]) == (1.0, 0.0)
    assert effort_shares(at(2), [], []) == (0.0, 0.0)


def test_the_multiplier_sets_keeping_beside_learning() -> None:
    assert multiplier(3.0, 1.5) == 2.0
    assert multiplier(3.0, 0.0) is None


def test_an_attempt_ends_with_the_level_or_after_its_exams_and_prices_both() -> None:
    state, elsewhere = at(1), with_effort(other(), 10.0, (0.0, 1.0))
    state, elsewhere_state = with_effort(state, 4.0, (0.5, 0.5)), {"other": elsewhere}
    after, ended = end_attempt(state, elsewhere_state, level=2, won=True, step=300, regressed=["other L2"])
    assert (ended.effort_new, ended.effort_held, ended.multiplier, ended.won) == (2.0, 12.0, 6.0, True)
    assert "×6.00" in ended.text and Attempted.from_dict(ended.as_dict()) == ended
    again, second = end_attempt(
        with_effort(after, 1.0, (1.0, 0.0)), elsewhere_state, level=3, won=False, step=500, regressed=[]
    )
    assert (second.effort_new, second.effort_held, second.first_step, second.multiplier) == (1.0, 0.0, 300, 0.0)
    assert from_dict(again.as_dict()) == again
    rules = ForgettingRules.model_validate({"attempt_exams": 3})
    tried = at(0)
    for step, over in ((25, False), (50, False), (75, True)):
        tried, _ = sit(tried, SKILL, 20, step=step)
        assert attempt_over(tried, rules) is over
    assert not attempt_over(replace(tried, pin=1), rules)


# ---------------------------------------------------------------- the cap


def climbing(first: float, last: float, exams: int, seed: int = 1) -> list[tuple[int, str]]:
    """Exams of 64 while the true accuracy goes from one value to another."""
    luck = Random(seed)
    return [
        (25 * n, "".join("C" if luck.random() < first + (last - first) * n / exams else "M" for _ in range(64)))
        for n in range(1, exams + 1)
    ]


def price(times: float, regressed: tuple[str, ...]) -> Attempted:
    return Attempted("bin", 9, False, 0, 500, 20, 1.0, times, times, regressed)


def test_a_hero_that_stands_still_is_said_to_and_a_learning_one_is_not() -> None:
    still = maxed("bin", 9, climbing(0.6, 0.6, 60), [], FORGETTING, tokens=1_234_567, alpha=0.05)
    assert still is not None and not still.proved
    assert still.text.startswith("bin L9: no gain above 0.10 shown in 1.2M tokens (95 %); at most +0.")
    assert "nothing is stopped" in still.suggestion
    assert maxed("bin", 9, climbing(0.5, 0.8, 40), [], FORGETTING, tokens=None, alpha=0.05) is None
    assert maxed("bin", 9, climbing(0.6, 0.6, 4), [], FORGETTING, tokens=None, alpha=0.05) is None, "too few to tell"
    assert gain_shown([], 0.05) is None


def test_archiving_is_suggested_only_where_holding_is_too_dear_twice() -> None:
    exams = climbing(0.6, 0.6, 60)
    dear, cheap, whole = price(3.5, ("bin L3",)), price(2.0, ("bin L3",)), price(4.0, ())
    for attempts, proved in (
        ([dear, dear], True),
        ([cheap, dear, dear], True),
        ([dear], False),
        ([dear, cheap], False),
        ([dear, whole], False),
    ):
        found = maxed("bin", 9, exams, attempts, FORGETTING, tokens=None, alpha=0.05)
        assert found is not None and found.proved is proved
        assert ("archive" in found.suggestion) is proved


def test_two_attempts_are_enough_to_tell_and_the_claim_is_rarely_wrong() -> None:
    """Forty exams, two attempts of the game's own length: a hero that stands still is told in most runs, one that gains more than

    delta between the halves in less than one of twenty.
    """

    def claimed(gain: float) -> int:
        count = 0
        for seed in range(100):
            luck = Random(seed)
            exams = [
                (n, "".join("C" if luck.random() < 0.5 + gain * (n >= 20) else "M" for _ in range(64)))
                for n in range(40)
            ]
            count += maxed("bin", 9, exams, [], FORGETTING, tokens=None, alpha=0.05) is not None
        return count

    assert claimed(0.11) <= 5
    assert claimed(0.0) >= 60


def test_only_attempts_in_a_row_at_the_level_are_looked_at() -> None:
    def tried(level: int, won: bool) -> Attempted:
        return replace(price(1.0, ()), level=level, won=won)

    assert fruitless([tried(8, True), tried(9, False)], 9, FORGETTING) == [tried(9, False)]
    assert len(fruitless([tried(9, False)] * 3, 9, FORGETTING)) == 2
    assert fruitless([], 9, FORGETTING) == []


def test_effort_is_kept_through_a_resume() -> None:
    state = with_effort(at(2), 0.1, (0.3, 0.7))
    assert from_dict(state.as_dict()) == state
    assert CurriculumRules.model_validate({}).bandit_wide == 0.5

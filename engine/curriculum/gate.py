"""Exams and the gate: what is asked, what wins a level, what holds the levels already won.

The trainer's part, at an optimizer step where :func:`due` is true::

    plan = plan_exam(state, skill, rules)                 # ask it ...
    state = record_gate(state, plan, operations, rules, step=step)
    screening = Screening()
    while (verdict := judge(state, skill, rules, screening)).plans:
        for plan in verdict.plans:                        # ask it ...
            state, screening = record_screen(state, screening, plan, tally)
    state = settle(state, verdict, rules, step=step)      # and make rows of verdict.holds and a level-up

A level is won when the newest exams at exactly that level, as many as the streak, *each* reach the pass share, every operation
with enough held-out problems reaches its floor over them pooled, and no mastered level is lost. Exams at other levels never
count. A mastered level is screened on a few fresh items; below the held share it is asked more, and is lost when the pooled
share is still below. A level already lost is asked the whole lot at once: no lucky handful brings it back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from configs.errors import RealmError
from configs.schema import ExamRules
from engine.curriculum.standing import Standing, standings, streak
from engine.curriculum.state import CurriculumState, GateExam, Tally
from skills.contract import Skill

Action = Literal["wait", "pinned", "weak", "screen", "lost", "forgotten", "level_up", "held"]
"""What the gate says: not enough passed exams · the player pinned the level · an operation is under its floor ·
mastered levels must be asked first · a mastered level is lost · too many levels of other skills are lost
(`engine.curriculum.across`) · the level is won · all is won and held."""

ASKED_POOL = 2048
"""Problems of a level over which exams on command and exams of the gate keep apart."""


@dataclass(frozen=True, slots=True)
class ExamPlan:
    """An exam to take: items ``first_index`` to ``first_index + items - 1`` of the level's exam stream."""

    skill: str
    level: int
    mix: str
    kind: str
    """gate, screen or asked, or a kind of the exam plan (`configs.exam_plan.Kind`)."""
    first_index: int
    items: int
    apprentice: bool
    """The level has fewer held-out problems than an exam has items: all of them are asked, no error claim is made."""
    plan: str = ""
    """The entry of the exam plan that asks for it; empty: none."""

    @property
    def indices(self) -> range:
        """The items' indices."""
        return range(self.first_index, self.first_index + self.items)


@dataclass(frozen=True, slots=True)
class Hold:
    """A mastered level after its screening."""

    level: int
    tally: Tally
    lost: bool


@dataclass(frozen=True, slots=True)
class Screening:
    """Answers of the mastered levels asked so far, at one step."""

    tallies: Mapping[int, Tally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate decided, and why."""

    action: Action
    level: int
    """The level to be won."""
    streak: int
    """Passed exams in a row at that level."""
    standings: tuple[Standing, ...] = ()
    """Operations at that level over the gate's exams, weakest first."""
    plans: tuple[ExamPlan, ...] = ()
    """With ``screen``: exams to take before the gate can decide."""
    holds: tuple[Hold, ...] = ()
    """Mastered levels whose screening is finished."""
    exam_steps: tuple[int, ...] = ()
    """Steps of the exams that won the level."""

    @property
    def weak(self) -> tuple[Standing, ...]:
        """Operations under their floor."""
        return tuple(standing for standing in self.standings if standing.weak)

    @property
    def lost(self) -> tuple[int, ...]:
        """Levels found lost in this screening."""
        return tuple(hold.level for hold in self.holds if hold.lost)

    @property
    def at_chance(self) -> tuple[str, ...]:
        """Operations whose pooled share cannot be told from chance."""
        return tuple(standing.operation for standing in self.standings if standing.at_chance)


# ---------------------------------------------------------------- when and what


def due(state: CurriculumState, step: int) -> bool:
    """Whether an exam is to be taken after optimizer step ``step``."""
    return step >= state.next_exam_step


def next_exam_step(state: CurriculumState, rules: ExamRules, *, step: int) -> int:
    """Step of the exam after one at ``step``: the interval, or a share of the steps spent at the level if that is more.

    A hero that stands still is asked ever less often, so it does not win by asking often.
    """
    return step + max(rules.interval_steps, math.ceil(rules.interval_share * state.steps_at_level))


def plan_exam(state: CurriculumState, skill: Skill, rules: ExamRules) -> ExamPlan:
    """The exam at the training level: fresh items, or all of them at an apprentice level.

    Raises:
        RealmError: the level keeps no problems for exams.
    """
    level = state.training
    items = skill.exam_pool(level, state.mix, rules.items)
    if items == 0:
        raise RealmError(
            f"level {level} of {state.skill} has no exam problems in the mix {state.mix!r}",
            fix="add an operation with more problems to the mix at this level",
            code="NO_EXAM_PROBLEMS",
        )
    return _plan(state, "gate", level, items, items < rules.items)


def plan_asked(
    state: CurriculumState,
    skill: Skill,
    level: int,
    rules: ExamRules,
    *,
    items: int,
    asked: int,
    kind: str = "asked",
    plan: str = "",
) -> ExamPlan:
    """An exam outside the gate: it changes no state, and keeps half the level's pool away from what the gate asks next.

    Args:
        state: where the hero stands in the skill; a fresh one where it does not train it.
        skill: what is asked.
        level: its level.
        rules: how exams are held.
        items: questions wanted; fewer are asked where the level has fewer.
        asked: questions of this level asked outside the gate before.
        kind: as in `ExamPlan`.
        plan: the same.
    """
    count = skill.exam_pool(level, state.mix, items)
    ahead = skill.exam_pool(level, state.mix, ASKED_POOL) // 2
    first = state.next_index(level) + ahead + asked
    apprentice = skill.exam_pool(level, state.mix, rules.items) < rules.items
    return ExamPlan(state.skill, level, state.mix, kind, first, count, apprentice, plan)


def _plan(
    state: CurriculumState, kind: Literal["gate", "screen"], level: int, items: int, apprentice: bool
) -> ExamPlan:
    return ExamPlan(state.skill, level, state.mix, kind, state.next_index(level), items, apprentice)


# ---------------------------------------------------------------- what was answered


def record_gate(
    state: CurriculumState, plan: ExamPlan, operations: Mapping[str, Tally], rules: ExamRules, *, step: int
) -> CurriculumState:
    """After the exam ``plan`` at ``step``. It counts towards the level to be won only if it was taken at exactly that.

    Raises:
        RealmError: an exam of this or a later step is already counted (each exam comes from a later step).
    """
    gate = state.gate
    if plan.level == state.frontier:
        if gate and step <= gate[-1].step:
            raise RealmError(
                f"an exam at step {step} cannot follow one at step {gate[-1].step}", code="EXAM_OUT_OF_ORDER"
            )
        gate = (*gate, GateExam(plan.level, step, dict(operations)))[-rules.streak :]
    state = replace(_asked(state, plan), gate=gate, exams=state.exams + 1)
    return replace(state, next_exam_step=next_exam_step(state, rules, step=step))


def passed_over(state: CurriculumState, plan: ExamPlan, rules: ExamRules, *, step: int) -> CurriculumState:
    """After an exam that could not be judged whole: its items are used up, it counts for nothing, and the next one is set."""
    state = _asked(state, plan)
    return replace(state, next_exam_step=next_exam_step(state, rules, step=step))


def record_screen(
    state: CurriculumState, screening: Screening, plan: ExamPlan, tally: Tally
) -> tuple[CurriculumState, Screening]:
    """After a mastered level was asked."""
    before = screening.tallies.get(plan.level, Tally(0, 0))
    return _asked(state, plan), Screening({**screening.tallies, plan.level: before.plus(tally)})


def _asked(state: CurriculumState, plan: ExamPlan) -> CurriculumState:
    counters = {**state.exam_counters, plan.level: plan.first_index + plan.items}
    return replace(state, exam_counters=counters, questions=state.questions + plan.items)


# ---------------------------------------------------------------- the verdict


def judge(state: CurriculumState, skill: Skill, rules: ExamRules, screening: Screening | None = None) -> Verdict:
    """What the exams on record decide. With ``plans`` in the verdict: take them, record them, judge again."""
    screening = screening or Screening()
    level, newest = state.frontier, state.gate[-rules.streak :]
    bars = skill.config.rules_at(level, rules)
    passed = streak((exam.tally for exam in newest), bars)
    verdict = Verdict("wait", level, passed, standings((e.operations for e in newest), skill, level, state.mix, bars))
    if state.pin is not None:
        return replace(verdict, action="pinned")
    if passed < rules.streak:
        return verdict
    if verdict.weak:
        return replace(verdict, action="weak")
    below = [mastered for mastered in range(1, state.mastered + 1) if mastered != level]
    holds: list[Hold] = []
    for levels in (state.lost, [mastered for mastered in below if mastered not in state.lost]):
        plans, found = screened(state, skill, rules, screening, levels)
        holds += found
        if plans:
            return replace(verdict, action="screen", plans=tuple(plans), holds=tuple(holds))
        if any(hold.lost for hold in holds):
            return replace(verdict, action="lost", holds=tuple(holds))
    return replace(
        verdict,
        action="held" if state.complete else "level_up",
        holds=tuple(holds),
        exam_steps=tuple(exam.step for exam in newest),
    )


def screened(
    state: CurriculumState, skill: Skill, rules: ExamRules, screening: Screening, levels: Iterable[int]
) -> tuple[list[ExamPlan], list[Hold]]:
    """What is still to be asked of mastered ``levels``, and how those stand that were asked enough."""
    plans: list[ExamPlan] = []
    holds: list[Hold] = []
    for level in levels:
        bars = skill.config.rules_at(level, rules)
        asked = screening.tallies.get(level, Tally(0, 0))
        missing = _missing(state, skill, bars, level, asked)
        if missing:
            plans.append(_plan(state, "screen", level, *missing))
        elif asked.items:
            holds.append(Hold(level, asked, not asked.reaches(bars.held_share)))
    return plans, holds


def _missing(
    state: CurriculumState, skill: Skill, rules: ExamRules, level: int, asked: Tally
) -> tuple[int, bool] | None:
    """How many items a mastered level still has to be asked, and whether that is all it has; None when it is enough."""
    whole = rules.screen_items + rules.screen_more
    pool = skill.exam_pool(level, state.mix, whole)
    first = pool if level in state.lost else min(rules.screen_items, pool)
    if asked.items < first:
        wanted = first
    elif asked.items < pool and not asked.reaches(rules.held_share):
        wanted = pool
    else:
        return None
    return wanted - asked.items, pool < whole


def with_holds(state: CurriculumState, holds: Iterable[Hold]) -> CurriculumState:
    """After screenings: levels are lost, or found again."""
    screened = {hold.level: hold.lost for hold in holds}
    lost = {level for level, gone in screened.items() if gone} | {n for n in state.lost if n not in screened}
    return replace(state, lost=tuple(sorted(lost)))


def settle(state: CurriculumState, verdict: Verdict, rules: ExamRules, *, step: int) -> CurriculumState:
    """After the verdict: the level is won, or levels are lost or found again; the next exam is set."""
    state = with_holds(state, verdict.holds)
    if verdict.action == "level_up":
        state = replace(state, mastered=verdict.level)
    if verdict.action in ("level_up", "held"):
        state = replace(state, gate=())
    return replace(state, next_exam_step=next_exam_step(state, rules, step=step))

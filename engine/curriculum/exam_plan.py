"""What the exam plan asks next: a pure function of the plan, where the hero stands, what was asked so far, and the step.

Exams cost time that training lacks, so everything that happens by itself stays within a budget that is counted in steps: each
optimizer step earns a share of its examples, each question spends what it costs in examples. The gate's own exams spend first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from configs.exam_plan import TRAINED, ExamPlanConfig, PlanEntry, Questions
from engine.curriculum.state import NOTHING, CurriculumState, Tally

ORDER = {"critical": 0, "high": 1, "normal": 2, "low": 3}
AHEAD = 3
"""Levels of the span ``next``: the training level and those above it."""


@dataclass(frozen=True, slots=True)
class School:
    """What can be asked on this machine."""

    reason: Callable[[str, str], str]
    """(skill, mix) to why it cannot be asked; empty: it can."""
    pool: Callable[[str, str, int, int], int]
    """(skill, mix, level, limit) to the problems held out there, counted only up to the limit."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One exam that an entry asks for."""

    skill: str
    mix: str
    level: int
    items: int
    fallen_items: int = 0
    """Asked in addition where the level turns out to have fallen."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """An entry that is due, with what it asks."""

    entry: str
    wanted: tuple[Wanted, ...]

    @property
    def questions(self) -> int:
        """How many it asks."""
        return sum(w.items for w in self.wanted)


@dataclass(frozen=True, slots=True)
class Pupil:
    """Who is examined."""

    states: Mapping[str, CurriculumState]
    hatchling: bool
    """It began knowing nothing."""
    step_examples: int
    """Training examples of one optimizer step."""
    starting_step: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """An exam that was taken, as the plan sees it."""

    entry: str
    """The plan's entry; empty: the gate's, or one on command."""
    step: int
    skill: str
    mix: str
    level: int
    tally: Tally
    version: str = ""
    """Of the skill: results of different versions are never compared."""
    at: float = 0.0
    counted: bool = True
    """Whether it spends from the budget (neither asked on command nor while the hero rested)."""
    asked: int = 0
    """Questions asked, errored ones too."""


Place = tuple[str, str, int]
"""Skill, mix and level."""


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """What was asked so far of the hero's live line. Mappings are never changed in place."""

    last: Mapping[str, tuple[int, float, int]] = field(default_factory=dict)
    """Entry to step, time and questions of its newest sitting."""
    places: Mapping[Place, tuple[int, int]] = field(default_factory=dict)
    """Step of the newest exam there, and its questions at that step."""
    outside: Mapping[Place, int] = field(default_factory=dict)
    """Questions asked there by the plan or on command; the next ones come after them."""
    parts: Mapping[tuple[str, Place], tuple[int, int]] = field(default_factory=dict)
    """Of an entry at a place: step of its newest exam, and its questions at that step."""
    best: Mapping[tuple[str, Place, str], Tally] = field(default_factory=dict)
    """Of an entry at a place in a skill's version: the best exam that is large enough to compare with."""
    best_step: Mapping[tuple[str, Place, str], int] = field(default_factory=dict)
    spent: int = 0
    """Questions that count against the budget."""

    def after(self, taken: Taken, *, gate: bool, baseline_items: int) -> PlanRecord:
        """The record with one more exam.

        Args:
            taken: the exam.
            gate: it was one of the gate's, whose problems are counted elsewhere.
            baseline_items: fewest questions of an exam that may be the best.
        """
        place = (taken.skill, taken.mix, taken.level)
        step, asked = self.places.get(place, (-1, 0))
        changed = replace(
            self,
            places={**self.places, place: (taken.step, taken.asked + (asked if step == taken.step else 0))},
            outside=self.outside if gate else {**self.outside, place: self.outside.get(place, 0) + taken.asked},
            spent=self.spent + (taken.asked if taken.counted else 0),
        )
        if not taken.entry:
            return changed
        step, _, asked = self.last.get(taken.entry, (-1, 0.0, 0))
        part_step, part = self.parts.get((taken.entry, place), (-1, 0))
        key = (taken.entry, place, taken.version)
        best = self.best.get(key, NOTHING)
        better = taken.tally.items >= baseline_items and (
            not best.items or (taken.tally.share or 0.0) > (best.share or 0.0)
        )
        total = taken.asked + (asked if step == taken.step else 0)
        return replace(
            changed,
            last={**self.last, taken.entry: (taken.step, taken.at, total)},
            parts={
                **self.parts,
                (taken.entry, place): (taken.step, taken.asked + (part if part_step == taken.step else 0)),
            },
            best={**self.best, key: taken.tally} if better else self.best,
            best_step={**self.best_step, key: taken.step} if better else self.best_step,
        )


@dataclass(frozen=True, slots=True)
class Occasion:
    """The boundary at which one looks."""

    step: int
    checkpoint: bool = False
    """A checkpoint of this very step is saved or on its way."""
    rested_s: float | None = None
    """How long the hero has rested; None while it trains."""
    now: float = 0.0
    newest_checkpoint: int | None = None
    """Step of the newest checkpoint."""


def due(plan: ExamPlanConfig, pupil: Pupil, record: PlanRecord, occasion: Occasion, school: School) -> list[Sitting]:
    """The entries to sit now, in order, as far as the budget goes."""
    left = credit(plan, pupil, record, occasion.step)
    cost = question_cost(plan, pupil)
    found = []
    for name, entry in _ordered(plan):
        if not _is_due(plan, name, entry, pupil, record, occasion):
            continue
        sitting = Sitting(name, tuple(wanted(plan, name, pupil, record, occasion, school)))
        price = sitting.questions * cost
        if not sitting.wanted or (occasion.rested_s is None and price > left):
            continue
        if occasion.rested_s is None:
            left -= price
        found.append(sitting)
    return found


def question_cost(plan: ExamPlanConfig, pupil: Pupil) -> float:
    """What one question costs, in training examples."""
    return plan.budget.question_cost_hatchling if pupil.hatchling else plan.budget.question_cost_talking


def credit(plan: ExamPlanConfig, pupil: Pupil, record: PlanRecord, step: int) -> float:
    """What exams may still cost at ``step``, in training examples; below 0 once the gate alone has spent more."""
    earned = plan.budget.share * max(0, step - pupil.starting_step) * pupil.step_examples
    return earned - record.spent * question_cost(plan, pupil)


def _ordered(plan: ExamPlanConfig) -> list[tuple[str, PlanEntry]]:
    return sorted(plan.entries.items(), key=lambda item: ORDER[item[1].priority])


def _is_due(
    plan: ExamPlanConfig, name: str, entry: PlanEntry, pupil: Pupil, record: PlanRecord, occasion: Occasion
) -> bool:
    when, last = entry.when, record.last.get(name)
    if not entry.enabled or when.trigger == "command" or (pupil.hatchling and not entry.hatchlings):
        return False
    if (when.trigger == "idle") != (occasion.rested_s is not None):
        return False
    if when.trigger == "checkpoint" and not occasion.checkpoint:
        return False
    if when.trigger == "idle":
        assert occasion.rested_s is not None
        if occasion.rested_s < plan.budget.idle_s:
            return False
        if last is not None and last[0] == occasion.step:
            return True  # what is left of it; nothing, once it is through
        if last is not None and occasion.now - last[1] < when.cooldown_s:
            return False
    since = last[0] if last is not None else pupil.starting_step
    if last is not None and since == occasion.step:
        return False
    return occasion.step - since >= when.every_steps


def wanted(
    plan: ExamPlanConfig,
    name: str,
    pupil: Pupil,
    record: PlanRecord,
    occasion: Occasion,
    school: School,
    *,
    commanded: bool = False,
) -> Iterator[Wanted]:
    """The exams that an entry asks at ``occasion``, within its limit; what was asked at this very step is not asked again.

    Args:
        plan: the plan in force.
        name: the entry.
        pupil: who is examined.
        record: what was asked so far.
        occasion: when.
        school: what can be asked.
        commanded: somebody wants it now, whatever was asked before.
    """
    entry = plan.entries[name]
    room = entry.limit.items
    for asks in entry.asks:
        for skill, mix, level in _places(asks, pupil, record, occasion):
            if school.reason(skill, mix) or (not commanded and _never_met(pupil, skill)):
                continue
            place = (skill, mix, level)
            items = asks.items
            if asks.first_items is not None and not any(k[:2] == (name, place) for k in record.best):
                items = asks.first_items
            items = min(items, room, school.pool(skill, mix, level, items))
            if not commanded:
                items -= _asked_now(name, entry, place, record, occasion, items)
            if items > 0:
                room -= items
                yield Wanted(skill, mix, level, items, asks.fallen_items)


def _never_met(pupil: Pupil, skill: str) -> bool:
    """Whether the hero can know nothing of a skill: it began knowing nothing, and does not train it."""
    return pupil.hatchling and skill not in pupil.states


def _asked_now(name: str, entry: PlanEntry, place: Place, record: PlanRecord, occasion: Occasion, items: int) -> int:
    """Questions of this place at this very step that need not be asked again."""
    if entry.when.trigger == "idle":
        step, asked = record.parts.get((name, place), (-1, 0))
        return asked if step == occasion.step else 0
    if entry.follows.drift:
        return 0
    step, asked = record.places.get(place, (-1, 0))
    return items if step == occasion.step and asked >= items else 0


def _places(asks: Questions, pupil: Pupil, record: PlanRecord, occasion: Occasion) -> Iterator[Place]:
    skills = list(pupil.states) if asks.skill == TRAINED else [asks.skill]
    for skill in skills:
        state = pupil.states.get(skill)
        mix = asks.mix or (state.mix if state is not None else "full")
        for level in _levels(asks, state):
            if asks.levels == "stale":
                step, _ = record.places.get((skill, mix, level), (-1, 0))
                if step >= (occasion.step if occasion.newest_checkpoint is None else occasion.newest_checkpoint):
                    continue
            yield skill, mix, level


def _levels(asks: Questions, state: CurriculumState | None) -> tuple[int, ...]:
    if not isinstance(asks.levels, str):
        return asks.levels
    if state is None:
        return ()
    top, training = state.max_level, state.training
    spans = {
        "training": range(training, training + 1),
        "known": range(1, training + 2),
        "next": range(training, training + AHEAD),
        "stale": range(1, state.mastered + 1),
    }
    return tuple(level for level in spans[asks.levels] if level <= top)


def left_out(plan: ExamPlanConfig, name: str, pupil: Pupil, school: School) -> list[str]:
    """Why parts of an entry, or all of it, are not asked of this hero by themselves."""
    entry = plan.entries[name]
    found = []
    if not entry.enabled:
        found.append("switched off")
    if pupil.hatchling and not entry.hatchlings and entry.when.trigger != "command":
        found.append("a hatchling began knowing nothing: only on command")
    for asks in entry.asks:
        if asks.skill != TRAINED:
            state = pupil.states.get(asks.skill)
            why = school.reason(asks.skill, asks.mix or (state.mix if state is not None else "full"))
            if not why and entry.when.trigger != "command" and entry.hatchlings and _never_met(pupil, asks.skill):
                why = f"it does not train {asks.skill}"
            if why:
                found.append(why)
    return found

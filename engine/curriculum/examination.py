"""One examination by the gate, round by round: the exam, screenings of levels won, screenings of other skills, the verdict.

Who answers a round, and when, is somebody else's affair: the hero at once, or a worker elsewhere while training goes on. What is
kept between two rounds is plain data, and the curriculum records are those of the moment at which answers arrive::

    examination = gate.begin(state, step=step)
    while not isinstance(found := gate.go_on(examination, answers, state, others, step=step), Decided):
        state, others, examination = found.state, found.others, found.examination
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from configs.curriculum import ForgettingRules
from configs.schema import ExamRules
from engine.curriculum.across import Watch
from engine.curriculum.gate import (
    ExamPlan,
    Hold,
    Screening,
    Verdict,
    judge,
    passed_over,
    plan_exam,
    record_gate,
    record_screen,
    settle,
)
from engine.curriculum.state import CurriculumState, Tally
from skills.contract import Skill

ROUNDS = 4
"""Most rounds of screenings of one kind: two, and two more where items could not be asked or judged."""

Phase = Literal["gate", "own", "others"]


@dataclass(frozen=True, slots=True)
class Paper:
    """What came back of one plan."""

    plan: ExamPlan
    exam_id: int
    tally: Tally
    operations: Mapping[str, Tally]
    errors: tuple[str, ...] = ()
    """Why items could not be asked or judged."""


@dataclass(frozen=True, slots=True)
class Examination:
    """An examination under way."""

    skill: str
    step: int
    """The step after which the examined form stood."""
    plans: tuple[ExamPlan, ...]
    """What is asked in this round."""
    phase: Phase = "gate"
    round: int = 0
    """Rounds before this one."""
    of_phase: int = 0
    """Rounds of this phase, this one among them."""
    exam_id: int = 0
    """The gate's exam."""
    accuracy: float = 0.0
    screening: Screening = field(default_factory=Screening)
    screenings: Mapping[str, Screening] = field(default_factory=dict)
    """Of other skills."""
    errors: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        data["plans"] = [asdict(plan) for plan in self.plans]
        data["screening"] = _tallies(self.screening)
        data["screenings"] = {skill: _tallies(s) for skill, s in self.screenings.items()}
        data["errors"] = list(self.errors)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Examination:
        """What `as_dict` gave."""
        known = dict(data)
        known["plans"] = tuple(ExamPlan(**plan) for plan in data["plans"])
        known["screening"] = _screening(data["screening"])
        known["screenings"] = {skill: _screening(s) for skill, s in data["screenings"].items()}
        known["errors"] = tuple(data["errors"])
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Further:
    """Another round is needed; the records have counted what was asked."""

    state: CurriculumState
    others: Mapping[str, CurriculumState]
    examination: Examination


@dataclass(frozen=True, slots=True)
class Decided:
    """The end of an examination."""

    state: CurriculumState
    verdict: Verdict
    exam_id: int
    accuracy: float
    errors: tuple[str, ...] = ()
    """Why items could not be asked or judged."""
    others: Mapping[str, CurriculumState] = field(default_factory=dict)
    """Other skills whose levels were screened, too."""
    other_holds: Mapping[str, tuple[Hold, ...]] = field(default_factory=dict)
    """What these screenings found, by skill."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate with its rules; ``forgetting`` None: other skills are not asked."""

    skills: Mapping[str, Skill]
    rules: ExamRules
    forgetting: ForgettingRules | None = None

    def begin(self, state: CurriculumState, *, step: int) -> Examination:
        """The exam of the training level, after ``step``."""
        plan = plan_exam(state, self.skills[state.skill], self.rules)
        return Examination(state.skill, step, (plan,), of_phase=1)

    def go_on(
        self,
        examination: Examination,
        papers: Sequence[Paper],
        state: CurriculumState,
        others: Mapping[str, CurriculumState],
        *,
        step: int,
    ) -> Further | Decided:
        """Take in the answers of a round.

        Args:
            examination: as `begin` or the round before gave it.
            papers: the answers, in the order of its plans.
            state: the skill's record now.
            others: those of the other skills in training, whose levels must be held for a level-up, too.
            step: the step after which the answers are taken in; never one at which the skill was examined before.
        """
        known = replace(examination, errors=examination.errors + tuple(e for p in papers for e in p.errors))
        watch = Watch(others, self.skills, self.rules, known.screenings)
        if known.phase == "gate":
            (paper,) = papers
            known = replace(known, exam_id=paper.exam_id, accuracy=paper.tally.share or 0.0)
            if paper.tally.items < paper.plan.items:
                # Fewer answers than the gate asks for prove nothing; the next exam asks other problems.
                state = passed_over(state, paper.plan, self.rules, step=step)
                verdict = judge(state, self.skills[state.skill], self.rules)
                return self._decided(known, state, replace(verdict, action="wait", plans=()), watch)
            state = record_gate(state, paper.plan, paper.operations, self.rules, step=step)
        for paper in papers if known.phase == "own" else ():
            state, screening = record_screen(state, known.screening, paper.plan, paper.tally)
            known = replace(known, screening=screening)
        for paper in papers if known.phase == "others" else ():
            watch = watch.told(paper.plan, paper.tally)
        known = replace(known, screenings=watch.screenings)
        verdict = judge(state, self.skills[state.skill], self.rules, known.screening)
        if verdict.plans and known.phase != "others" and _rounds(known, "own") < ROUNDS:
            return Further(state, watch.states, _next(known, "own", verdict.plans))
        if verdict.plans:
            # Screenings whose items could not be asked: the gate waits.
            verdict = replace(verdict, action="wait", plans=())
        if verdict.action == "level_up" and self.forgetting is not None:
            plans = watch.plans()
            if plans and _rounds(known, "others") < ROUNDS:
                return Further(state, watch.states, _next(known, "others", tuple(plans)))
            verdict = watch.judged(verdict, state, self.forgetting)
        return self._decided(known, settle(state, verdict, self.rules, step=step), verdict, watch)

    @staticmethod
    def _decided(known: Examination, state: CurriculumState, verdict: Verdict, watch: Watch) -> Decided:
        return Decided(state, verdict, known.exam_id, known.accuracy, known.errors, watch.settled(), watch.holds())


def _rounds(known: Examination, phase: Phase) -> int:
    return known.of_phase if known.phase == phase else 0


def _next(known: Examination, phase: Phase, plans: tuple[ExamPlan, ...]) -> Examination:
    return replace(known, phase=phase, plans=plans, round=known.round + 1, of_phase=_rounds(known, phase) + 1)


def _tallies(screening: Screening) -> dict[str, list[int]]:
    return {str(level): list(tally) for level, tally in screening.tallies.items()}


def _screening(data: Mapping[str, Sequence[int]]) -> Screening:
    return Screening({int(level): Tally(*tally) for level, tally in data.items()})

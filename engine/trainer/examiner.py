"""Sits the hero's exams: asks fresh problems, decodes greedily, scores, and writes one row per item.

What could not be asked or judged (a generator or scorer that fails, a question longer than the hero's context) is *errored* and no
part of the accuracy; an answer in which no result can be read is a *format failure*, which counts as wrong.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from configs import clock
from configs.curriculum import ForgettingRules
from configs.errors import RealmError
from configs.schema import ExamRules
from engine.chat.profiles import scored_text
from engine.chat.template import answer_text, encode_prompt
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
from engine.generate import greedy
from engine.hero.model import Hero
from engine.trainer.practice import Forge
from saves.database import transaction
from saves.exams import add_exam
from saves.rows import Exam, ExamItem
from skills.contract import Problem, Result, Skill
from skills.judging import Judged, guarded
from skills.judging import judge as judged
from skills.registry import get_skill

SCREEN_ROUNDS = 4
"""Most rounds of screenings at one exam: two, and two more where items could not be asked or judged."""
LIVE = "live"
"""The hero as it is now."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An exam with its answers, not yet written."""

    exam: Exam
    items: tuple[ExamItem, ...]
    errors: tuple[str, ...] = ()
    """Why items have no result, in the order of the items."""

    @property
    def operations(self) -> dict[str, Tally]:
        """Right answers by operation."""
        return {name: Tally(t["correct"], t["items"]) for name, t in self.exam.operations.items()}

    @property
    def tally(self) -> Tally:
        return Tally(self.exam.correct, self.exam.items)


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """What an exam day decided."""

    state: CurriculumState
    verdict: Verdict
    gate_exam_id: int
    accuracy: float
    errors: tuple[str, ...] = ()
    """Why items could not be asked or judged."""
    others: Mapping[str, CurriculumState] = field(default_factory=dict)
    """Other skills whose levels were screened, too."""
    other_holds: Mapping[str, tuple[Hold, ...]] = field(default_factory=dict)
    """What these screenings found, by skill."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question of an exam, or why there is none."""

    index: int
    problem: Problem | None = None
    ids: tuple[int, ...] = ()
    longest: int = 0
    """Tokens after which its answer is cut."""
    error: str = ""


class Examiner:
    """Asks with the weights that are in the model when called; the caller puts the examined ones there."""

    def __init__(
        self,
        hero: Hero,
        forge: Forge,
        conn: sqlite3.Connection,
        run_id: int,
        rules: ExamRules,
        weights: str,
        on_progress: Callable[[str], None],
        *,
        checkpoint_id: int | None = None,
        on_written: Callable[[Exam], None] | None = None,
    ) -> None:
        """
        Args:
            hero: who answers.
            forge: how problems are put to it.
            conn: the save.
            run_id: the run whose facts the exams are.
            rules: how exams are held.
            weights: which weights answer, for the row: ``live``, ``ema``, or a checkpoint's digest.
            on_progress: hears what takes long.
            checkpoint_id: the checkpoint that answers; None: the live hero.
            on_written: hears of each exam with its id.
        """
        self._hero, self._forge, self._conn, self._run_id = hero, forge, conn, run_id
        self._rules, self._weights, self._on_progress = rules, weights, on_progress
        self._checkpoint_id, self._on_written = checkpoint_id, on_written

    @cached_property
    def context_hash(self) -> str:
        """Hash of everything around a question that may change its answer: turn format, system turn, profile, limits."""
        around = {
            "format": repr(self._hero.template.format),
            "thinking": self._hero.template.thinking,
            "system": self._forge.system,
            "data": self._forge.data.model_dump(mode="json"),
            "context": self._hero.context_length,
            "spare": self._spare,
        }
        return hashlib.blake2b(json.dumps(around, sort_keys=True).encode(), digest_size=8).hexdigest()

    @property
    def _spare(self) -> int:
        """Tokens an answer may be longer than the expected one."""
        rules, talks = self._rules, self._hero.config.model.source == "pretrained"
        spare = rules.spare_tokens_talking if talks else rules.spare_tokens
        return spare + (rules.thinking_tokens if self._forge.data.thinking else 0)

    def sit(
        self,
        state: CurriculumState,
        step: int,
        others: Mapping[str, CurriculumState] | None = None,
        forgetting: ForgettingRules | None = None,
    ) -> GateOutcome:
        """The exam of the training level after ``step``, and, where the gate asks for it, the screenings.

        Args:
            state: the skill's record.
            step: the step just done.
            others: the other skills in training, whose levels must be held for a level-up, too.
            forgetting: how many of all levels may be lost; None: others are not asked.
        """
        skill, _ = self._forge.skills[state.skill]
        plan = plan_exam(state, skill, self._rules)
        (answered,) = self.ask([plan], step)
        exam_id = self.write(answered)
        if answered.exam.items < plan.items:
            # Fewer answers than the gate asks for prove nothing; the next exam asks other problems.
            state = passed_over(state, plan, self._rules, step=step)
            verdict = judge(state, skill, self._rules)
            return GateOutcome(
                state, replace(verdict, action="wait", plans=()), exam_id, answered.tally.share or 0.0, answered.errors
            )
        state = record_gate(state, plan, answered.operations, self._rules, step=step)
        screening, errors = Screening(), answered.errors
        verdict = judge(state, skill, self._rules, screening)
        for _ in range(SCREEN_ROUNDS):
            if not verdict.plans:
                break
            for screen, asked in self._screen(verdict.plans, step):
                errors += asked.errors
                state, screening = record_screen(state, screening, screen, asked.tally)
            verdict = judge(state, skill, self._rules, screening)
        verdict = _decided(verdict)
        watch = Watch(others or {}, {name: self._forge.skills[name][0] for name in others or {}}, self._rules)
        if verdict.action == "level_up" and forgetting is not None:
            for _ in range(SCREEN_ROUNDS):
                if not (plans := watch.plans()):
                    break
                for screen, asked in self._screen(plans, step):
                    errors += asked.errors
                    watch = watch.told(screen, asked.tally)
            verdict = watch.judged(verdict, state, forgetting)
        state = settle(state, verdict, self._rules, step=step)
        share = answered.tally.share or 0.0
        return GateOutcome(state, verdict, exam_id, share, errors, watch.settled(), watch.holds())

    def _screen(self, plans: Sequence[ExamPlan], step: int) -> list[tuple[ExamPlan, Answered]]:
        """Ask screenings and write them down."""
        found = list(zip(plans, self.ask(plans, step), strict=True))
        for _, asked in found:
            self.write(asked)
        return found

    def ask(self, plans: Sequence[ExamPlan], step: int) -> list[Answered]:
        """Ask every item of every plan, all in one go."""
        started = clock.monotonic()
        asked = [(plan, [self._question(plan, index) for index in plan.indices]) for plan in plans]
        name = f"{plans[0].skill.upper()} L{plans[0].level}" if len(plans) == 1 else f"{len(plans)} levels"
        answers = iter(self._answers([q for _, questions in asked for q in questions if q.problem], f"exam of {name}"))
        marked = [(plan, [self._mark(plan, q, answers) for q in questions]) for plan, questions in asked]
        seconds = clock.monotonic() - started
        total = sum(len(items) for _, items in marked) or 1
        return [self._paper(plan, items, step, seconds * len(items) / total) for plan, items in marked]

    def bout(self, skill: Skill, problems: Sequence[Problem], name: str) -> list[tuple[Problem, str, Judged]]:
        """Ask problems outside any exam; nothing is written. What does not fit the hero's context is left out."""
        questions = [q for p in problems if not (q := self._prepared(p)).error]
        answers = self._answers(questions, name)
        asked = [q.problem for q in questions if q.problem is not None]
        return [
            (problem, answer, judged(skill, problem, scored_text(self._forge.data, answer)))
            for problem, answer in zip(asked, answers, strict=True)
        ]

    def _skill(self, plan: ExamPlan) -> Skill:
        known = self._forge.skills.get(plan.skill)
        return get_skill(plan.skill) if known is None else known[0]

    def _question(self, plan: ExamPlan, index: int) -> _Asked:
        skill = self._skill(plan)
        try:
            make = partial(skill.generate, plan.level, index, "exam", plan.mix)
            problem = guarded(plan.skill, f"exam problem {index} of level {plan.level}", make)
        except RealmError as error:
            return _Asked(index, error=error.text())
        return self._prepared(problem)

    def _prepared(self, problem: Problem) -> _Asked:
        index = problem.index
        ids = encode_prompt(self._hero, self._forge.question(problem))
        room = self._hero.context_length - len(ids)
        if room < 1:
            return _Asked(index, error=f"{len(ids)} tokens do not fit the hero's context")
        expected = len(self._hero.template.plain(self._forge.messages(problem)[-1]["content"]))
        return _Asked(index, problem, tuple(ids), min(room, expected + self._spare))

    def _mark(self, plan: ExamPlan, question: _Asked, answers: Iterator[str]) -> tuple[ExamItem, str]:
        """The item, and why it has no result where it has none."""
        problem = question.problem
        if problem is None:
            return _unasked(question.index), question.error
        answer = next(answers)
        found = judged(self._skill(plan), problem, scored_text(self._forge.data, answer))
        outcome = found.outcome
        item = ExamItem(
            position=0,
            item_index=problem.index,
            operation=problem.operation,
            tier=problem.tier,
            problem_digest=problem.problem_digest,
            prompt=problem.prompt,
            expected=problem.answer,
            answer=answer,
            result=None if outcome is None else str(outcome.result),
            correct=outcome is not None and outcome.correct,
            repeat=problem.repeat,
            primitives=problem.primitives,
        )
        return item, found.error

    def _paper(self, plan: ExamPlan, marked: Sequence[tuple[ExamItem, str]], step: int, seconds: float) -> Answered:
        items = tuple(replace(item, position=n) for n, (item, _) in enumerate(marked))
        answered = [item for item in items if item.result is not None]
        skill = self._skill(plan)
        exam = Exam(
            run_id=self._run_id,
            step=step,
            skill=plan.skill,
            level=plan.level,
            mix=plan.mix,
            kind=plan.kind,
            first_index=plan.first_index,
            items=len(answered),
            correct=sum(i.correct for i in answered),
            errors=len(items) - len(answered),
            repeats=sum(i.repeat for i in answered),
            apprentice=plan.apprentice,
            operations={
                name: {**counts, "chance": skill.chance(name, plan.level)}
                for name, counts in _counts(answered, lambda i: (i.operation,)).items()
            },
            results=dict(Counter(str(i.result) for i in answered)),
            weights=self._weights,
            duration_s=seconds,
            at=clock.now(),
            plan=plan.plan,
            skill_version=skill.config.version,
            primitives=_counts(answered, lambda i: i.primitives),
            format_failures=sum(i.result == Result.CRIT_MISS for i in answered),
            context_hash=self.context_hash,
            checkpoint_id=self._checkpoint_id,
        )
        return Answered(exam, items, tuple(error for _, error in marked if error))

    def write(self, answered: Answered) -> int:
        """Put an exam into the save, durably."""
        with transaction(self._conn, durable=True):
            exam_id = add_exam(self._conn, answered.exam, answered.items)
        if self._on_written is not None:
            self._on_written(replace(answered.exam, id=exam_id))
        return exam_id

    def _answers(self, questions: Sequence[_Asked], name: str) -> list[str]:
        if not questions:
            return []
        given = greedy(
            self._hero,
            [q.ids for q in questions],
            [q.longest for q in questions],
            lambda done: self._on_progress(f"{name}: {done} of {len(questions)}"),
        )
        return [answer_text(self._hero, ids) for ids in given]


def _counts(items: Iterable[ExamItem], names: Callable[[ExamItem], Iterable[str]]) -> dict[str, dict[str, int]]:
    """Right answers and items by name, an item counting once under each of its names."""
    counts: dict[str, dict[str, int]] = {}
    for item in items:
        for name in names(item):
            entry = counts.setdefault(name, {"correct": 0, "items": 0})
            entry["items"] += 1
            entry["correct"] += item.correct
    return counts


def _decided(verdict: Verdict) -> Verdict:
    """The verdict; with screenings still to be asked (their items could not be) the gate waits."""
    return replace(verdict, action="wait", plans=()) if verdict.plans else verdict


def _unasked(index: int) -> ExamItem:
    """The place of a question that could not be asked."""
    return ExamItem(
        position=0,
        item_index=index,
        operation="",
        tier="",
        problem_digest="",
        prompt="",
        expected="",
        answer=None,
        result=None,
        correct=False,
    )

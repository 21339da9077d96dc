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
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from configs import clock
from configs.curriculum import ForgettingRules
from configs.errors import RealmError
from configs.schema import ExamRules
from engine.chat.profiles import scored_text
from engine.chat.template import answer_text
from engine.curriculum.examination import Decided, Gate, Paper
from engine.curriculum.gate import ExamPlan
from engine.curriculum.questions import put, spare_tokens
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
class Asked:
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
        return spare_tokens(self._rules, self._hero.config)

    def sit(
        self,
        state: CurriculumState,
        step: int,
        others: Mapping[str, CurriculumState] | None = None,
        forgetting: ForgettingRules | None = None,
    ) -> Decided:
        """The exam of the training level after ``step``, and, where the gate asks for it, the screenings.

        Args:
            state: the skill's record.
            step: the step just done.
            others: the other skills in training, whose levels must be held for a level-up, too.
            forgetting: how many of all levels may be lost; None: others are not asked.
        """
        skills = {name: skill for name, (skill, _) in self._forge.skills.items()}
        gate = Gate(skills, self._rules, forgetting)
        watched: Mapping[str, CurriculumState] = others or {}
        examination = gate.begin(state, step=step)
        while True:
            found = gate.go_on(examination, self.papers(examination.plans, step), state, watched, step=step)
            if isinstance(found, Decided):
                return found
            state, watched, examination = found.state, found.others, found.examination

    def papers(self, plans: Sequence[ExamPlan], step: int) -> list[Paper]:
        """Ask plans and write them down."""
        return [self.paper(plan, answered) for plan, answered in zip(plans, self.ask(plans, step), strict=True)]

    def paper(self, plan: ExamPlan, answered: Answered) -> Paper:
        """Write an exam down; what the gate wants to know of it."""
        return Paper(plan, self.write(answered), answered.tally, answered.operations, answered.errors)

    def ask(self, plans: Sequence[ExamPlan], step: int) -> list[Answered]:
        """Ask every item of every plan, all in one go."""
        started = clock.monotonic()
        asked = [self.questions(plan) for plan in plans]
        name = f"{plans[0].skill.upper()} L{plans[0].level}" if len(plans) == 1 else f"{len(plans)} levels"
        answers = self._answers([q for questions in asked for q in questions if q.problem], f"exam of {name}")
        return self.marked(plans, asked, answers, step, clock.monotonic() - started)

    def questions(self, plan: ExamPlan) -> list[Asked]:
        """The questions of a plan, or why one of them cannot be put."""
        return [self._question(plan, index) for index in plan.indices]

    def marked(
        self,
        plans: Sequence[ExamPlan],
        asked: Sequence[Sequence[Asked]],
        texts: Iterable[str],
        step: int,
        seconds: float,
    ) -> list[Answered]:
        """Judge answers, given in the order of the questions that could be put.

        Args:
            plans: what was asked.
            asked: the `questions` of each.
            texts: the answers.
            step: whose fact the exams are.
            seconds: what answering took.
        """
        answers = iter(texts)
        marked = [
            (plan, [self._mark(plan, q, answers) for q in questions])
            for plan, questions in zip(plans, asked, strict=True)
        ]
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

    def _question(self, plan: ExamPlan, index: int) -> Asked:
        skill = self._skill(plan)
        try:
            make = partial(skill.generate, plan.level, index, "exam", plan.mix)
            problem = guarded(plan.skill, f"exam problem {index} of level {plan.level}", make)
        except RealmError as error:
            return Asked(index, error=error.text())
        return self._prepared(problem)

    def _prepared(self, problem: Problem) -> Asked:
        hero, forge = self._hero, self._forge
        found = put(hero.template, forge.data, forge.system, problem, context=hero.context_length, spare=self._spare)
        if found.error:
            return Asked(problem.index, error=found.error)
        return Asked(problem.index, problem, found.ids, found.longest)

    def _mark(self, plan: ExamPlan, question: Asked, answers: Iterator[str]) -> tuple[ExamItem, str]:
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

    def _answers(self, questions: Sequence[Asked], name: str) -> list[str]:
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


def exam_facts(exam: Exam) -> dict[str, Any]:
    """What the ledger says of the exam that a form sat, some of whose questions were answered."""
    return {
        "id": exam.id,
        "skill": exam.skill,
        "level": exam.level,
        "correct": exam.correct,
        "items": exam.items,
        "accuracy": exam.correct / exam.items,
    }

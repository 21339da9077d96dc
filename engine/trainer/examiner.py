"""Sits the hero's exams: asks fresh problems, decodes greedily, scores, and writes one row per item."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from configs import clock
from configs.schema import ExamRules
from engine.chat.profiles import scored_text
from engine.chat.template import answer_text, encode_prompt
from engine.curriculum.gate import (
    ExamPlan,
    Screening,
    Verdict,
    judge,
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
from skills.contract import Problem, Skill

SPARE_TOKENS = 8
"""Tokens an answer may be longer than the expected one before it is cut."""
THINKING_TOKENS = 256
"""Tokens more for a hero that thinks before it answers."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An exam with its answers, not yet written."""

    exam: Exam
    items: tuple[ExamItem, ...]

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
    ) -> None:
        self._hero, self._forge, self._conn, self._run_id = hero, forge, conn, run_id
        self._rules, self._weights, self._on_progress = rules, weights, on_progress

    def sit(self, state: CurriculumState, step: int) -> GateOutcome:
        """The exam of the training level after ``step``, and, where the gate asks for it, the screenings."""
        skill, _ = self._forge.skills[state.skill]
        plan = plan_exam(state, skill, self._rules)
        (answered,) = self.ask([plan], step)
        exam_id = self.write(answered)
        state = record_gate(state, plan, answered.operations, self._rules, step=step)
        screening = Screening()
        while (verdict := judge(state, skill, self._rules, screening)).plans:
            for screen, asked in zip(verdict.plans, self.ask(verdict.plans, step), strict=True):
                self.write(asked)
                state, screening = record_screen(state, screening, screen, asked.tally)
        state = settle(state, verdict, self._rules, step=step)
        return GateOutcome(state, verdict, exam_id, answered.tally.share or 0.0)

    def ask(self, plans: Sequence[ExamPlan], step: int) -> list[Answered]:
        """Ask every item of every plan, all in one go."""
        started = clock.monotonic()
        asked = [
            (plan, [self._skill(plan).generate(plan.level, i, "exam", plan.mix) for i in plan.indices])
            for plan in plans
        ]
        name = f"{plans[0].skill.upper()} L{plans[0].level}" if len(plans) == 1 else f"{len(plans)} levels"
        answers = iter(self._answers([p for _, problems in asked for p in problems], f"exam of {name}"))
        marked = [(plan, self._mark(plan, problems, answers)) for plan, problems in asked]
        seconds = clock.monotonic() - started
        total = sum(len(items) for _, items in marked)
        return [self._paper(plan, items, step, seconds * len(items) / total) for plan, items in marked]

    def _skill(self, plan: ExamPlan) -> Skill:
        return self._forge.skills[plan.skill][0]

    def _mark(self, plan: ExamPlan, problems: list[Problem], answers: Iterator[str]) -> tuple[ExamItem, ...]:
        items = []
        for position, problem in enumerate(problems):
            answer = next(answers)
            outcome = self._skill(plan).score(problem, scored_text(self._forge.data, answer))
            items.append(
                ExamItem(
                    position=position,
                    item_index=problem.index,
                    operation=problem.operation,
                    tier=problem.tier,
                    problem_digest=problem.problem_digest,
                    prompt=problem.prompt,
                    expected=problem.answer,
                    answer=answer,
                    result=str(outcome.result),
                    correct=outcome.correct,
                    repeat=problem.repeat,
                )
            )
        return tuple(items)

    def _paper(self, plan: ExamPlan, items: tuple[ExamItem, ...], step: int, seconds: float) -> Answered:
        exam = Exam(
            run_id=self._run_id,
            step=step,
            skill=plan.skill,
            level=plan.level,
            mix=plan.mix,
            kind=plan.kind,
            first_index=plan.first_index,
            items=len(items),
            correct=sum(i.correct for i in items),
            repeats=sum(i.repeat for i in items),
            apprentice=plan.apprentice,
            operations={
                name: {**counts, "chance": self._skill(plan).chance(name, plan.level)}
                for name, counts in _by_operation(items).items()
            },
            results=dict(Counter(str(i.result) for i in items)),
            weights=self._weights,
            duration_s=seconds,
            at=clock.now(),
        )
        return Answered(exam, items)

    def write(self, answered: Answered) -> int:
        """Put an exam into the save, durably."""
        with transaction(self._conn, durable=True):
            return add_exam(self._conn, answered.exam, answered.items)

    def _answers(self, problems: list[Problem], name: str) -> list[str]:
        prompts = [encode_prompt(self._hero, self._forge.question(p)) for p in problems]
        plain = self._hero.template.plain
        wanted = max(len(plain(self._forge.messages(p)[-1]["content"])) for p in problems) + SPARE_TOKENS
        if self._forge.data.thinking:
            wanted += THINKING_TOKENS
        room = self._hero.context_length - max(map(len, prompts))
        ids = greedy(
            self._hero,
            prompts,
            max(1, min(wanted, room)),
            lambda done: self._on_progress(f"{name}: {done} of {len(prompts)}"),
        )
        return [answer_text(self._hero, i) for i in ids]


def _by_operation(items: Iterable[ExamItem]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for item in items:
        entry = counts.setdefault(item.operation, {"correct": 0, "items": 0})
        entry["items"] += 1
        entry["correct"] += item.correct
    return counts

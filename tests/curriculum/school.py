"""A small skill with known pools, for tests of the curriculum: no wording, only counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from configs.schema import ExamRules
from engine.curriculum.gate import Screening, Verdict, judge, plan_exam, record_gate, record_screen, settle
from engine.curriculum.simulate import CoinSkill
from engine.curriculum.state import CurriculumState, Tally, start

OPERATIONS = ("add", "subtract", "xor", "equals")
RULES = ExamRules.model_validate({})


class CountingSkill(CoinSkill):
    """Four operations; ``pools`` and ``held_out`` say where exam problems are few (endless where they are silent)."""

    def __init__(self, pools: Mapping[int, int] | None = None, held_out: Mapping[str, int] | None = None) -> None:
        super().__init__(OPERATIONS)
        self._pools, self._few = dict(pools or {}), dict(held_out or {})

    def operations(self, level: int, mix: str) -> tuple[str, ...]:
        return OPERATIONS if level > 1 else OPERATIONS[:3]

    def exam_pool(self, level: int, mix: str, limit: int) -> int:
        return min(limit, self._pools.get(level, limit))

    def held_out(self, level: int, mix: str, operation: str, limit: int) -> int:
        return min(limit, self._few.get(operation, limit))

    def chance(self, operation: str, level: int) -> float:
        return 0.5 if operation == "equals" else 0.0


def at(mastered: int) -> CurriculumState:
    """A hero that won ``mastered`` of 30 levels."""
    return start("count", "full", 30, RULES, mastered=mastered)


def spread(correct: int, items: int) -> dict[str, Tally]:
    """``correct`` of ``items`` shared evenly over the operations."""
    return {
        name: Tally(len(range(i, correct, len(OPERATIONS))), len(range(i, items, len(OPERATIONS))))
        for i, name in enumerate(OPERATIONS)
    }


def sit(
    state: CurriculumState,
    skill: CountingSkill,
    operations: Mapping[str, Tally] | int,
    *,
    step: int,
    screens: Mapping[int, Sequence[int]] | None = None,
    rules: ExamRules = RULES,
) -> tuple[CurriculumState, Verdict]:
    """One exam and all that follows, as the trainer does it.

    Args:
        operations: tallies, or right answers spread evenly.
        screens: right answers of each level's screenings, in the order they are asked; silent levels answer everything.
    """
    plan = plan_exam(state, skill, rules)
    tallies = spread(operations, plan.items) if isinstance(operations, int) else operations
    state = record_gate(state, plan, tallies, rules, step=step)
    screening, asked = Screening(), {level: list(answers) for level, answers in (screens or {}).items()}
    while (verdict := judge(state, skill, rules, screening)).plans:
        for screen in verdict.plans:
            answers = asked.get(screen.level)
            correct = answers.pop(0) if answers else screen.items
            state, screening = record_screen(state, screening, screen, Tally(correct, screen.items))
    return settle(state, verdict, rules, step=step), verdict

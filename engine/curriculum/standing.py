"""How each operation of a level stands, beside its chance level. Exams of the engine and rows of the save read alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from configs.schema import ExamRules
from engine.curriculum.state import Tally, pool
from engine.statistics import at_chance
from skills.contract import Skill


@dataclass(frozen=True, slots=True)
class Standing:
    """One operation at one level, over the exams the gate looks at."""

    operation: str
    tally: Tally
    chance: float
    """Accuracy of the best answer that does not look at the operands."""
    at_chance: bool
    """The share cannot be told from chance at 95 %."""
    counts: bool
    """Enough distinct held-out problems, and enough answers, for the floor to apply."""
    weak: bool
    """The floor applies and is not reached: blocks the level-up."""


def standings(
    exams: Iterable[Mapping[str, Tally]], skill: Skill, level: int, mix: str, rules: ExamRules
) -> tuple[Standing, ...]:
    """Each operation asked in ``exams``, pooled, weakest first.

    Give the newest ``rules.streak`` live gate exams at the training level: one mapping of operation to tally per exam
    (:func:`tallies` reads them from the save).
    """
    found = []
    for operation, tally in pool(exams).items():
        if not tally.items:
            continue
        chance = skill.chance(operation, level)
        counts = floor_applies(operation, tally, skill, level, mix, rules)
        found.append(
            Standing(
                operation,
                tally,
                chance,
                at_chance(tally.correct, tally.items, chance),
                counts,
                counts and not tally.reaches(rules.operation_floor),
            )
        )
    return tuple(sorted(found, key=lambda s: (s.tally.correct / s.tally.items, s.operation)))


def floor_applies(operation: str, tally: Tally, skill: Skill, level: int, mix: str, rules: ExamRules) -> bool:
    """Whether an operation must reach the floor: it has enough distinct held-out problems, and enough answers.

    With two or three answers an operation, one slip in a hundred operations would hold up almost every level.
    """
    return (
        tally.items >= rules.operation_min_items
        and skill.held_out(level, mix, operation, rules.operation_min_problems) >= rules.operation_min_problems
    )


def tallies(operations: Mapping[str, Mapping[str, int]]) -> dict[str, Tally]:
    """The counts in an exam's row: ``{"add": {"correct": 9, "items": 12}, ...}``."""
    return {operation: Tally(counts["correct"], counts["items"]) for operation, counts in operations.items()}


def streak(exams: Iterable[Tally], rules: ExamRules) -> int:
    """How many of the newest exams (given oldest first) pass in a row, at most as many as the gate asks for."""
    run = 0
    for tally in exams:
        run = run + 1 if tally.reaches(rules.pass_share) else 0
    return min(run, rules.streak)

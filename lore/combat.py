"""What answers are worth: results, streaks and discipline XP, folded from exams."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lore.rules import CombatNumbers, ResultName
from lore.rules import rules as lore_rules
from saves.rows import RESULT_LETTERS, Exam

CORRECT: frozenset[ResultName] = frozenset({"crit", "hit"})
"""Results that count for accuracy."""
KEEPS_STREAK: frozenset[ResultName] = frozenset({"crit", "hit", "glancing"})
PAYING = frozenset({"gate", "screen"})
"""Kinds of exams that pay; one asked for by the player does not, or asking would be a way to earn."""

_RESULTS: Mapping[str, ResultName] = {
    RESULT_LETTERS["crit"]: "crit",
    RESULT_LETTERS["hit"]: "hit",
    RESULT_LETTERS["glancing"]: "glancing",
    RESULT_LETTERS["miss"]: "miss",
    RESULT_LETTERS["crit_miss"]: "crit_miss",
}


def base_xp(result: ResultName, *, parts_correct: int | None = None, rules: CombatNumbers | None = None) -> int:
    """Points of a result before any multiplier.

    Args:
        result: the outcome of the answer.
        parts_correct: right parts of a partly right answer; None when the parts are not known.
        rules: the numbers; None for those in force.
    """
    numbers = rules or lore_rules().combat
    points = numbers.base_xp[result]
    if result == "glancing" and parts_correct is not None:
        return min(points + parts_correct, max(points, numbers.glancing_max))
    return points


def difficulty(level: int, rules: CombatNumbers | None = None) -> float:
    """The multiplier of a skill level; the table's last one holds for every level beyond it."""
    table = (rules or lore_rules().combat).difficulty
    return table[min(max(level, 1), len(table)) - 1]


def streak_multiplier(standing: int, rules: CombatNumbers | None = None) -> float:
    """The bonus for ``standing`` successes in a row before this answer."""
    numbers = rules or lore_rules().combat
    return 1 + min(numbers.streak_cap, numbers.streak_bonus * standing)


def answer_xp(
    result: ResultName,
    level: int,
    *,
    skill_multiplier: float = 1.0,
    streak: int = 0,
    effects: Iterable[float] = (),
    flat: float = 0.0,
    parts_correct: int | None = None,
    rules: CombatNumbers | None = None,
) -> int:
    """Discipline XP of one answer: base × difficulty × skill × streak × effects + flat, rounded half up.

    Args:
        result: the outcome.
        level: the skill level of the problem.
        skill_multiplier: the skill's own multiplier (`SkillConfig.xp_multiplier`).
        streak: successes already standing before this answer.
        effects: multipliers of active effects.
        flat: points added at the end.
        parts_correct: see `base_xp`.
        rules: the numbers; None for those in force.
    """
    product = base_xp(result, parts_correct=parts_correct, rules=rules) * difficulty(level, rules)
    product *= skill_multiplier * streak_multiplier(streak, rules) * math.prod(effects)
    # Nine decimals first, so that 12.4999999999 of binary fractions counts as the 12.5 it stands for.
    return math.floor(round(product + flat, 9) + 0.5)


def results(sequence: str) -> list[ResultName]:
    """The results spelled by `Exam.sequence`; items that got no answer are left out."""
    return [_RESULTS[letter] for letter in sequence if letter in _RESULTS]


@dataclass(frozen=True, slots=True)
class Combat:
    """What exams of one skill add up to."""

    xp: int = 0
    answers: int = 0
    correct: int = 0
    streak: int = 0
    """Successes standing now."""
    best_streak: int = 0
    crits: int = 0

    def after(self, result: ResultName, xp: int) -> Combat:
        """The sums with one more answer."""
        streak = self.streak + 1 if result in KEEPS_STREAK else 0
        return Combat(
            self.xp + xp,
            self.answers + 1,
            self.correct + (result in CORRECT),
            streak,
            max(self.best_streak, streak),
            self.crits + (result == "crit"),
        )


def combat(
    exams: Iterable[Exam], multipliers: Mapping[str, float], rules: CombatNumbers | None = None
) -> dict[str, Combat]:
    """Discipline XP, streaks and counts per skill.

    Args:
        exams: live exams in any order; those asked for by the player pay nothing and are left out.
        multipliers: XP multiplier per skill id; 1 where a skill is missing.
        rules: the numbers; None for those in force.
    """
    numbers = rules or lore_rules().combat
    sums: dict[str, Combat] = {}
    for exam in sorted((e for e in exams if e.kind in PAYING), key=lambda e: (e.step, e.id)):
        now = sums.get(exam.skill, Combat())
        for result in results(exam.sequence):
            xp = answer_xp(
                result,
                exam.level,
                skill_multiplier=multipliers.get(exam.skill, 1.0),
                streak=now.streak,
                rules=numbers,
            )
            now = now.after(result, xp)
        sums[exam.skill] = now
    return sums


def answer_streak(exams: Sequence[Exam]) -> int:
    """Answers in a row without a miss, over all skills, counted back from the newest of ``exams`` (any order)."""
    count = 0
    for exam in sorted((e for e in exams if e.kind in PAYING), key=lambda e: (e.step, e.id), reverse=True):
        for result in reversed(results(exam.sequence)):
            if result not in KEEPS_STREAK:
                return count
            count += 1
    return count


def rank(xp: int, rules: CombatNumbers | None = None) -> int:
    """The rank that a total of discipline XP has reached, from 1."""
    return bisect_right((rules or lore_rules().combat).thresholds, xp)

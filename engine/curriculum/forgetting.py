"""What was won and is gone again: the budget over all skills, and levels that fell below their peak."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from configs.curriculum import ForgettingRules
from engine.curriculum.state import CurriculumState, Tally
from engine.statistics import interval


@dataclass(frozen=True, slots=True)
class Budget:
    """How many of the levels won, over all skills, are lost, and how many may be."""

    won: int
    lost: int
    allowed: int

    @property
    def held(self) -> int:
        """Levels won that are not lost."""
        return self.won - self.lost

    @property
    def spent(self) -> float | None:
        """Lost share of what was won; None before anything was."""
        return self.lost / self.won if self.won else None

    @property
    def exceeded(self) -> bool:
        """More is lost than may be."""
        return self.lost > self.allowed

    def text(self) -> str:
        """For instance ``1 of 12 levels lost, 1 may be``."""
        if not self.won:
            return "no level is won yet"
        return f"{self.lost} of {self.won} levels lost, {self.allowed} may be"


def budget(levels: Iterable[tuple[int, int]], rules: ForgettingRules) -> Budget:
    """The budget over skills given as (levels won, levels lost)."""
    pairs = list(levels)
    won = sum(mastered for mastered, _ in pairs)
    return Budget(won, sum(lost for _, lost in pairs), math.floor(rules.budget * won + 1e-9))


def budget_of(states: Iterable[CurriculumState], rules: ForgettingRules) -> Budget:
    """The budget over the skills of a hero in training."""
    return budget(((state.mastered, len(state.lost)) for state in states), rules)


@dataclass(frozen=True, slots=True)
class Regression:
    """A level won that stands below its peak."""

    skill: str
    level: int
    peak: Tally
    """The exams that won it, together."""
    now: Tally
    """Its newest screening."""
    proved: bool
    """Not even the upper end of the newest share's interval reaches the peak less the margin."""

    @property
    def drop(self) -> float:
        """Peak less the newest share."""
        return (self.peak.share or 0.0) - (self.now.share or 0.0)


def regressions(
    skill: str, peaks: Mapping[int, Tally], now: Mapping[int, Tally], rules: ForgettingRules, alpha: float
) -> tuple[Regression, ...]:
    """Levels whose newest share is below their peak by more than the margin, worst first.

    Args:
        skill: whose levels.
        peaks: level to the exams that won it, together.
        now: level to its newest screening.
        rules: the margin.
        alpha: error rate of the interval.
    """
    found = []
    for level, peak in peaks.items():
        seen = now.get(level)
        if seen is None or not seen.items or not peak.items:
            continue
        best = peak.correct / peak.items - rules.regression_margin
        if seen.correct / seen.items < best:
            upper = interval(seen.correct, seen.items, alpha)[1]
            found.append(Regression(skill, level, peak, seen, upper < best))
    return tuple(sorted(found, key=lambda r: (-r.drop, r.level)))

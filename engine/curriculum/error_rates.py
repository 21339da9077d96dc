"""How often the gate and the screening of won levels err: simulated on the game's own transitions and schedule, beside exact figures.

A simulated hero answers every question right with one fixed probability, each on its own. Real heroes change while they learn, and
levels with few problems ask the same ones again; of those nothing is claimed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from configs.schema import ExamRules
from engine.curriculum.simulate import climb, lost_probability, win_probability
from engine.statistics import interval

FEW = 10
"""Long simulations are run so many times less often."""
LONG = 1000
"""Exams from which a simulation is long."""


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """How often one thing happens to a hero of a known accuracy."""

    event: str
    accuracy: float
    within: str
    exact: float
    happened: int
    runs: int
    at_most: float | None = None
    """The game's promise; None: none is made."""
    at_least: float | None = None

    @property
    def simulated(self) -> float:
        """Share of the simulated heroes."""
        return self.happened / self.runs

    @property
    def kept(self) -> bool | None:
        """Whether the exact figure keeps the promise; None without one."""
        if self.at_most is not None:
            return self.exact < self.at_most
        return None if self.at_least is None else self.exact >= self.at_least

    def as_dict(self, alpha: float) -> dict[str, Any]:
        """Plain JSON values."""
        low, high = interval(self.happened, self.runs, alpha)
        return {**asdict(self), "simulated": self.simulated, "interval": [low, high], "kept": self.kept}


def won_wrongly(
    accuracy: float, rules: ExamRules, *, exams: int, runs: int, seed: int, at_most: float | None = None
) -> ErrorRate:
    """A level won within ``exams`` exams by a hero whose true accuracy lies below the gate's."""
    tries = max(1, runs // FEW) if exams >= LONG else runs
    won = sum(climb({"all": accuracy}, rules, exams=exams, seed=seed + run).won for run in range(tries))
    exact = win_probability(accuracy, rules, exams=exams)
    return ErrorRate("level won", accuracy, f"{exams:,} exams", exact, won, tries, at_most=at_most)


def won_rightly(
    accuracy: float, rules: ExamRules, *, items: int, runs: int, seed: int, at_least: float | None = None
) -> ErrorRate:
    """A level won within ``items`` questions by a hero that can do it."""
    exams = items // rules.items
    won = sum(climb({"all": accuracy}, rules, exams=exams, seed=seed + run).won for run in range(runs))
    exact = win_probability(accuracy, rules, exams=exams)
    return ErrorRate("level won", accuracy, f"{items:,} items", exact, won, runs, at_least=at_least)


def called_lost(
    accuracy: float,
    rules: ExamRules,
    *,
    runs: int,
    seed: int,
    at_most: float | None = None,
    at_least: float | None = None,
) -> ErrorRate:
    """A won level of this accuracy called lost by one screening."""
    lost = sum(
        climb({"all": 1.0}, rules, exams=rules.streak, seed=seed + run, held=[accuracy]).blocked for run in range(runs)
    )
    exact = lost_probability(accuracy, rules)
    return ErrorRate("called lost", accuracy, "one screening", exact, lost, runs, at_most, at_least)


def error_rates(rules: ExamRules, *, runs: int, seed: int) -> list[ErrorRate]:
    """The game's promises, and what lies beside them.

    Args:
        rules: how exams are held.
        runs: simulated heroes for each figure; a tenth of them where a simulation is long.
        seed: of their luck.
    """
    return [
        won_wrongly(0.70, rules, exams=300, runs=runs, seed=seed, at_most=0.01),
        won_wrongly(0.70, rules, exams=2000, runs=runs, seed=seed),
        won_wrongly(0.75, rules, exams=300, runs=runs, seed=seed),
        won_wrongly(0.75, rules, exams=2000, runs=runs, seed=seed),
        won_rightly(0.90, rules, items=400, runs=runs, seed=seed, at_least=0.95),
        called_lost(0.85, rules, runs=runs, seed=seed, at_most=0.01),
        called_lost(0.50, rules, runs=runs, seed=seed, at_least=0.95),
        called_lost(0.60, rules, runs=runs, seed=seed),
    ]

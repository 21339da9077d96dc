"""Drift: whether what a hero could do has fallen against its best, and whether so large a drop is more than luck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from configs.exam_plan import DriftRules
from engine.curriculum.state import Tally
from engine.statistics import drop_by_chance, interval

Severity = Literal["none", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class Drop:
    """An exam against the best one."""

    best: Tally
    now: Tally
    severity: Severity
    by_chance: float
    """Probability of so large a drop though nothing fell."""

    @property
    def drop(self) -> float:
        """Share lost since the best; negative where it is better now."""
        return (self.best.share or 0.0) - (self.now.share or 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "best": list(self.best),
            "now": list(self.now),
            "drop": self.drop,
            "by_chance": self.by_chance,
            "best_interval": list(interval(*self.best)),
            "interval": list(interval(*self.now)),
        }


def fell(best: Tally, now: Tally, least: float) -> bool:
    """Whether the share now lies at least ``least`` below the best."""
    if best.share is None or now.share is None:
        return False
    return round(best.share - now.share, 9) >= least


def weigh(best: Tally, now: Tally, rules: DriftRules) -> Drop:
    """The drop with its severity: an alarm must be large enough, and too large for luck."""
    chance = drop_by_chance(now.correct, now.items, best.correct, best.items)
    severity: Severity = "none"
    if chance < rules.chance:
        if fell(best, now, rules.critical):
            severity = "critical"
        elif fell(best, now, rules.warning):
            severity = "warning"
    return Drop(best, now, severity, chance)

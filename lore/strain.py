"""Strain in words: its zone, its trend, and what both suggest. The numbers come from the engine."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from configs.schema import StrainRules, Zone
from lore.lexicon import Voice, entry, label

Trend = Literal["improving", "stable", "worsening"]
HintKind = Literal["wait", "back_off", "continue", "level_up"]


@dataclass(frozen=True, slots=True)
class Hint:
    """What a simple rule over strain and trend suggests."""

    kind: HintKind
    confidence: float
    """0 to 1: how sure the rule is."""
    zone: Zone | None
    trend: Trend | None

    def text(self, voice: Voice = "tavern") -> str:
        """E.g. ``continue: productive and falling``."""
        word = label(f"hint.{self.kind}", voice)
        if self.zone is None or self.trend is None:
            return f"{word}: {entry('hint.wait').short}"
        return f"{word}: {zone_word(self.zone, voice).lower()} and {label(f'trend.{self.trend}', voice)}"


def strain(loss: float, floor: float) -> float:
    """``max(0, loss − floor)`` in nats, rounded to six decimals."""
    return round(max(0.0, loss - floor), 6)


def effort(strains: Sequence[float]) -> float:
    """The sum of strains; steps without a finite one add nothing."""
    return math.fsum(s for s in strains if math.isfinite(s))


def gain(loss_before: float | None, loss_after: float | None) -> float | None:
    """How much the loss fell; None while one of the two is unknown."""
    return None if loss_before is None or loss_after is None else loss_before - loss_after


def efficiency(gained: float | None, spent: float) -> float | None:
    """Gain per effort; 0 when no effort was spent, None while the gain is unknown."""
    if gained is None:
        return None
    return gained / spent if spent > 0 else 0.0


def strain_rate(strains: Sequence[float], rules: StrainRules) -> float | None:
    """Exponential mean (from 0) of the change from step to step, as the engine keeps it; negative means learning.

    None below two finite strains.
    """
    known = [s for s in strains if math.isfinite(s)]
    if len(known) < 2:
        return None
    rate = 0.0
    for before, after in itertools.pairwise(known):
        rate += rules.rate_alpha * (after - before - rate)
    return rate


def trend(rate: float | None, rules: StrainRules) -> Trend | None:
    """Improving, stable or worsening; None while no rate is known."""
    if rate is None or not math.isfinite(rate):
        return None
    if rate < rules.improving_below:
        return "improving"
    return "worsening" if rate > rules.worsening_above else "stable"


def zone(value: float | None, rules: StrainRules) -> Zone | None:
    """The zone of a strain; None while no floor is known (the strain is None or not a number)."""
    return None if value is None or not math.isfinite(value) else rules.zone(value)


def zone_word(which: Zone | None, voice: Voice = "tavern") -> str:
    """The zone's name, ``–`` while it is unknown."""
    return label(f"zone.{which or 'unknown'}", voice)


def zone_mark(which: Zone | None, *, ascii_only: bool = False) -> str:
    """One narrow character for the zone, so that colour never carries alone."""
    return entry(f"zone.{which or 'unknown'}").mark(ascii_only=ascii_only)


def bands(rules: StrainRules) -> tuple[tuple[Zone, float, float], ...]:
    """Zones from the bottom of the chart up, each with its bounds (the last is open)."""
    return (
        ("recovery", 0.0, rules.productive),
        ("productive", rules.productive, rules.stretch),
        ("stretch", rules.stretch, rules.overload),
        ("overload", rules.overload, math.inf),
    )


def hint(strains: Sequence[float], rules: StrainRules, *, rate: float | None = None) -> Hint | None:
    """The first rule that matches the latest strains (newest last).

    Args:
        strains: strain per step; NaN where no floor was known or the step was refused.
        rate: the engine's own strain rate; computed from ``strains`` when None.

    Returns:
        None while no strain is known at all: without a floor every falling loss would read "too easy".
    """
    known = [s for s in strains if math.isfinite(s)]
    if strains and not known:
        return None
    if len(known) < rules.hint_window:
        return Hint("wait", 0.3, None, None)
    latest = known[-rules.hint_window :]
    where = rules.zone(math.fsum(latest) / len(latest))
    way: Trend = trend(strain_rate(known, rules) if rate is None else rate, rules) or "stable"
    if where == "overload" and way != "improving":
        return Hint("back_off", 0.8, where, way)
    if where in ("stretch", "overload") and way == "improving":
        return Hint("continue", 0.7, where, way)
    if where == "recovery" and way == "stable":
        return Hint("level_up", 0.8, where, way)
    if where == "productive" and way == "improving":
        return Hint("continue", 0.9, where, way)
    return Hint("continue", 0.5, where, way)

"""Strain: how far the loss is above its floor, step by step. Knows neither torch nor the screen."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Any

from configs.errors import RealmError
from configs.schema import StrainRules, Zone

HISTORY = 50
"""Strains remembered for means and trends."""
LEARNING_BELOW = -0.001
"""Strain rate under which a hero counts as learning."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What happened since a mark (the record of a level transition)."""

    steps: int
    """Finite steps since the mark."""
    effort: float
    start_loss: float | None
    end_loss: float | None

    @property
    def plastic_gain(self) -> float | None:
        """Loss before minus loss after; None before the first step."""
        return None if self.start_loss is None or self.end_loss is None else self.start_loss - self.end_loss

    @property
    def efficiency(self) -> float | None:
        """Plastic gain per effort, 0 where there was no effort; None before the first step."""
        gain = self.plastic_gain
        return None if gain is None else (gain / self.effort if self.effort else 0.0)


class StrainTracker:
    """Follows the strain of one skill, or of one quest of the player.

    Args:
        rules: zone bounds and the weight of the newest change in the rate.
        floor: loss taken as irreducible, in nats per trained token. None: not known (a player's quest before its first
            held-out loss); strain is then the loss itself and has no zone.

    Losses that are not finite count in ``nonfinite`` and change nothing else.
    """

    def __init__(self, rules: StrainRules, floor: float | None) -> None:
        self._rules = rules
        self.floor = floor
        self.samples = 0
        self.nonfinite = 0
        self.effort = 0.0
        """Sum of strain over all finite steps; a later floor does not rewrite it."""
        self.strain: float | None = None
        self.loss: float | None = None
        self.first_loss: float | None = None
        self._rate = 0.0
        self._history: deque[float] = deque(maxlen=HISTORY)
        self._mark_samples = 0
        self._mark_effort = 0.0
        self._mark_loss: float | None = None

    def push(self, loss: float) -> float | None:
        """Take in the loss of one step; its strain, or None where the loss is not finite."""
        if not math.isfinite(loss):
            self.nonfinite += 1
            return None
        strain = max(0.0, loss - (self.floor or 0.0))
        if self.strain is not None:
            alpha = self._rules.rate_alpha
            self._rate = alpha * (strain - self.strain) + (1.0 - alpha) * self._rate
        if self.first_loss is None:
            self.first_loss = loss
        if self._mark_loss is None:
            self._mark_loss = loss
        self.samples += 1
        self.effort += strain
        self.strain, self.loss = strain, loss
        self._history.append(strain)
        return strain

    @property
    def rate(self) -> float | None:
        """Running mean of the step-to-step change in strain, negative while learning; None before two steps."""
        return self._rate if self.samples >= 2 else None

    @property
    def is_learning(self) -> bool:
        """Whether strain falls by more than a thousandth a step."""
        return self.samples >= 2 and self._rate < LEARNING_BELOW

    @property
    def zone(self) -> Zone | None:
        """Zone of the newest strain; None while there is none, or no floor."""
        return None if self.strain is None or self.floor is None else self._rules.zone(self.strain)

    @property
    def plastic_gain(self) -> float | None:
        """First loss minus newest loss; None before the first step."""
        return None if self.first_loss is None or self.loss is None else self.first_loss - self.loss

    @property
    def efficiency(self) -> float | None:
        """Plastic gain per effort, 0 where there was no effort; None before the first step."""
        gain = self.plastic_gain
        return None if gain is None else (gain / self.effort if self.effort else 0.0)

    def mean_strain(self, last: int | None = None) -> float | None:
        """Mean of the newest ``last`` strains (the hint's window by default, at most 50); None while there is none."""
        count = min(len(self._history), self._rules.hint_window if last is None else last)
        return math.fsum(islice(reversed(self._history), count)) / count if count else None

    def mark(self) -> None:
        """Start a new stretch: what follows is told by :meth:`since_mark`."""
        self._mark_samples, self._mark_effort, self._mark_loss = self.samples, self.effort, None

    def since_mark(self) -> Stretch:
        """Steps, effort and losses since the last mark (or the beginning)."""
        return Stretch(
            steps=self.samples - self._mark_samples,
            effort=self.effort - self._mark_effort,
            start_loss=self._mark_loss,
            end_loss=self.loss if self._mark_loss is not None else None,
        )

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, as plain JSON values; reading it back is exact."""
        return {
            "floor": self.floor,
            "samples": self.samples,
            "nonfinite": self.nonfinite,
            "effort": self.effort,
            "strain": self.strain,
            "loss": self.loss,
            "first_loss": self.first_loss,
            "rate": self._rate,
            "history": list(self._history),
            "mark": [self._mark_samples, self._mark_effort, self._mark_loss],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave; `RealmError` when it is not that."""
        try:
            self.floor = state["floor"]
            self.samples, self.nonfinite = int(state["samples"]), int(state["nonfinite"])
            self.effort, self._rate = float(state["effort"]), float(state["rate"])
            self.strain, self.loss, self.first_loss = state["strain"], state["loss"], state["first_loss"]
            self._history = deque((float(value) for value in state["history"]), maxlen=HISTORY)
            self._mark_samples, self._mark_effort, self._mark_loss = state["mark"]
        except (KeyError, TypeError, ValueError) as error:
            raise RealmError(
                "the strain record in the checkpoint cannot be read",
                why=f"{type(error).__name__}: {error}",
                fix="go back to an older checkpoint (`realm ledger summon NAME`)",
                code="CHECKPOINT_BROKEN",
            ) from error

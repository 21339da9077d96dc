"""Where the seconds of an optimizer step go. Nothing waits in order to be measured.

On a processor each lap is read from the same clock that times the whole step. On a card, work is only handed over: there laps are events in the
card's own queue, read after the one transfer that every step waits for anyway, and what is left of the step's seconds went into the update (the
clip, the handing over, and waiting for the update before to end).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch

from configs import clock

Lap = Literal["data", "forward", "backward", "both", "update"]
"""``both``: forward and backward in one call."""


@dataclass(frozen=True, slots=True)
class StepParts:
    """Seconds of one step, told apart; together at most what the step took."""

    data_s: float
    """Making the examples, packing them and moving them to the device."""
    compute_s: float
    """Forward and backward passes."""
    forward_s: float | None
    """The forward passes' share of `compute_s`; None where both are one call."""
    update_s: float | None
    """Clip, optimizer and average; None where the weights are updated within the backward pass."""

    def with_data(self, seconds: float) -> StepParts:
        """With more seconds spent on data."""
        return replace(self, data_s=self.data_s + seconds)


class StepClock:
    """Sums the laps of a step.

    Args:
        card: whether the work runs in a card's queue. That way is written after the interface of CUDA events and unverified on a card.
    """

    def __init__(self, *, card: bool) -> None:
        self._card = card
        self.begin()

    def begin(self) -> None:
        """A step begins."""
        self._began = self._last = clock.monotonic()
        self._sums: dict[str, float] = {}
        self._events: list[tuple[str, torch.cuda.Event]] = []
        if self._card:
            self._mark("")

    def lap(self, part: Lap) -> None:
        """What went by since the last lap, or the beginning, was ``part``."""
        if self._card:
            # The update is the rest: its end lies behind the step's only wait.
            if part != "update":
                self._mark(part)
            return
        now = clock.monotonic()
        self._sums[part] = self._sums.get(part, 0.0) + now - self._last
        self._last = now

    def parts(self, *, update_apart: bool = True) -> StepParts:
        """The step's parts; on a card to be asked only after a transfer that waited for the passes.

        Args:
            update_apart: False where the weights are updated within the backward pass.
        """
        sums = self._from_card() if self._card else self._sums
        forward, both = sums.get("forward"), sums.get("both", 0.0)
        return StepParts(
            data_s=sums.get("data", 0.0),
            compute_s=both + (forward or 0.0) + sums.get("backward", 0.0),
            forward_s=None if both else forward,
            update_s=sums.get("update", 0.0) if update_apart else None,
        )

    def _mark(self, part: str) -> None:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch's own
        event.record()
        self._events.append((part, event))

    def _from_card(self) -> dict[str, float]:
        """Seconds by part: the card's own for what it has passed, the rest of the step for the update."""
        sums: dict[str, float] = {}
        for (_, before), (part, event) in zip(self._events, self._events[1:], strict=False):
            sums[part] = sums.get(part, 0.0) + before.elapsed_time(event) / 1000
        took = clock.monotonic() - self._began
        known = sum(sums.values())
        if known > took > 0:
            sums = {part: seconds * took / known for part, seconds in sums.items()}
        return sums | {"update": max(0.0, took - known)}

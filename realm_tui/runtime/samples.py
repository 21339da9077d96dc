"""What no row of the save tells: memory and the card's temperature, remembered while the game is open."""

from __future__ import annotations

from dataclasses import dataclass

from configs import clock
from realm_tui.runtime.card import Card

MOST = 1024
"""Samples kept; beyond that two neighbours become one."""
EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the machine."""

    step: int
    at: float
    memory_bytes: int | None
    """Of the trainer, as the engine reports it."""
    temperature_c: float | None
    power_w: float | None
    card_bytes: int | None
    busy: float | None


class Samples:
    """A bounded memory of samples: the longer the game is open, the further they lie apart."""

    def __init__(self, card: Card | None = None) -> None:
        self._card = card or Card()
        self._kept: list[Sample] = []
        self._every_s = EVERY_S
        self._all: tuple[Sample, ...] = ()

    def take(self, step: int | None, memory_bytes: int | None) -> None:
        """Look at the machine, unless the last look was a moment ago or no step is known to put it at."""
        now = clock.now()
        if step is None or (self._kept and 0 <= now - self._kept[-1].at < self._every_s):
            return
        card = self._card.read()
        if card is None:
            sample = Sample(step, now, memory_bytes, None, None, None, None)
        else:
            sample = Sample(step, now, memory_bytes, card.temperature_c, card.power_w, card.memory_bytes, card.busy)
        self._kept.append(sample)
        if len(self._kept) > MOST:
            del self._kept[1:-1:2]
            self._every_s *= 2
        self._all = tuple(self._kept)

    def all(self) -> tuple[Sample, ...]:
        """Every sample, oldest first."""
        return self._all

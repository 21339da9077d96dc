"""Which checkpoints stay on the disk. Decides only; removing is the vault's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LEVEL_UPS_KEPT = 3
"""Newest level-up forms kept whole; of the older ones every fifth level stays."""
LEVEL_UP_THINNING = 5


@dataclass(frozen=True, slots=True)
class Form:
    """What retention needs to know of a checkpoint."""

    id: int
    step: int
    reasons: tuple[str, ...]
    protected: bool
    champion: bool
    best: bool
    level: int | None
    """Level won at this checkpoint, for a level-up."""
    live: bool = True
    """False: it lies on a way that was left behind, and training cannot go on from it without going back there."""


def expendable(forms: Iterable[Form], keep: int) -> list[int]:
    """Ids of the checkpoints that may go, oldest first.

    Kept always: the newest, champions, the best examined one, protected ones, the newest ``keep`` that were saved for a
    lasting reason, the newest level-ups and every fifth of the older. A rolling anchor goes as soon as anything newer exists.
    What lies on a way that was left behind counts as older than anything on the way the hero is on.
    """
    ordered = sorted(forms, key=lambda f: (f.live, f.step, f.id))
    if not ordered:
        return []
    lasting = [f for f in ordered if set(f.reasons) != {"anchor"}]
    kept = {ordered[-1].id, *(f.id for f in lasting[-keep:])}
    kept |= {f.id for f in ordered if f.protected or f.champion or f.best}
    level_ups = [f for f in ordered if "level_up" in f.reasons]
    kept |= {f.id for f in level_ups[-LEVEL_UPS_KEPT:]}
    kept |= {f.id for f in level_ups if f.level is not None and f.level % LEVEL_UP_THINNING == 0}
    return [f.id for f in ordered if f.id not in kept]

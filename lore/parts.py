"""The parts of the game in their order: what an answer is worth comes first, what follows from it after."""

from __future__ import annotations

from typing import Any

from lore.fold import Part
from lore.progress import ProgressPart
from lore.world import WorldPart


def parts() -> tuple[Part[Any], ...]:
    """Every part, made anew with the rules in force."""
    return (ProgressPart(), WorldPart())

"""The parts of the game in their order: what an answer is worth comes first, what follows from it after."""

from __future__ import annotations

from typing import Any

from lore.achievements import Achievements
from lore.bounties import Bounties
from lore.effects import Effects
from lore.fold import Part
from lore.progress import ProgressPart
from lore.world import WorldPart


def parts(profile: str | None = None) -> tuple[Part[Any], ...]:
    """Every part, made anew with the rules in force.

    Args:
        profile: the data profile of the campaign's hero, for effects that only some heroes know.
    """
    return (ProgressPart(), Effects(profile=profile), Achievements(), Bounties(), WorldPart())

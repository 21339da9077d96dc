"""The parts of the game in their order: what an answer is worth comes first, what follows from it after."""

from __future__ import annotations

from typing import Any

from lore.achievements import Achievements, achievements_in_force
from lore.bounties import Bounties, bounties_in_force
from lore.effects import Effects, effects_in_force
from lore.fold import Part
from lore.progress import ProgressPart
from lore.world import WorldPart
from lore.world_rules import world_rules


def parts(profile: str | None = None) -> tuple[Part[Any], ...]:
    """Every part, made anew with the rules in force.

    Args:
        profile: the data profile of the campaign's hero, for effects that only some heroes know.
    """
    return (ProgressPart(), Effects(profile=profile), Achievements(), Bounties(), WorldPart())


def made_of() -> tuple[Any, ...]:
    """The rules that `parts` takes: the very same objects as long as no file of rules is read anew."""
    return effects_in_force(), achievements_in_force(), bounties_in_force(), world_rules()

"""The map of the active campaign: its regions, what each still asks, guardians and hidden talents."""

from __future__ import annotations

from dataclasses import dataclass

from lore.world import World, WorldPart
from lore.world_rules import WorldRules, map_complaint, world_rules
from realm_tui.runtime.game import GameReader
from realm_tui.runtime.opened import OpenedSave


@dataclass(frozen=True, slots=True)
class MapView:
    """Everything on the map."""

    world: World
    rules: WorldRules
    hero: str
    complaint: str = ""
    """What is wrong with the player's own map; the shipped one is shown then."""

    @property
    def upwards(self) -> tuple[str, ...]:
        """Regions on the ladder from the highest down, then those beside it."""
        ladder = [name for name, region in self.rules.regions.items() if not region.side]
        beside = [name for name, region in self.rules.regions.items() if region.side]
        return (*reversed(ladder), *beside)


def map_view(save: OpenedSave, games: GameReader) -> MapView:
    """The map now."""
    wrong = map_complaint()
    state = games.read(save).part("world")
    return MapView(WorldPart().view(state), world_rules(), save.hero.name, "" if wrong is None else wrong.text())

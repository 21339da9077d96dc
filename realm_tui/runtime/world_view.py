"""The map of a save: what the map screen and `realm saga map` show."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lore.figures import share
from lore.fold import Game
from lore.lexicon import Voice
from lore.world import Condition, Deed, World, WorldPart, ages
from lore.world_rules import named, world_rules
from realm_tui.runtime.opened import OpenedSave
from saves.campaigns import campaigns


@dataclass(frozen=True, slots=True)
class Land:
    """One region of the map."""

    id: str
    colour: str
    levels: tuple[int, int | None] | None
    """Mastered levels that live here; None for a side region."""
    tiers: tuple[str, ...]
    here: bool
    unlocked: Deed | None
    asks: tuple[Condition, ...]
    """What its gate asks, while it is locked."""
    bosses: tuple[tuple[str, Deed | None], ...]
    """Guardians that stand here, and when they were beaten."""

    def name(self, voice: Voice) -> str:
        """What it is called."""
        return named("region", self.id, voice)


@dataclass(frozen=True, slots=True)
class MapView:
    """The map as a screen shows it, from the top down."""

    lands: tuple[Land, ...]
    sides: tuple[Land, ...]
    """Regions beside the ladder."""
    world: World
    age: int
    """Which Age of the save it is, from 1."""

    def as_dict(self) -> dict[str, Any]:
        """The machine form."""
        return {
            "here": self.world.here,
            "leading": self.world.leading,
            "level": self.world.level,
            "age": self.age,
            "regions": [asdict(land) for land in (*self.lands, *self.sides)],
            "talents": {name: asdict(deed) for name, deed in self.world.talents.items()},
            "tiers": {name: {"correct": c, "items": n} for name, (c, n) in self.world.tiers.items()},
        }


def map_view(save: OpenedSave, game: Game) -> MapView:
    """The map of the active campaign."""
    rules, world = world_rules(), WorldPart().view(game.part("world"))
    lands = [
        Land(
            id=name,
            colour=region.colour,
            levels=region.levels,
            tiers=region.tiers,
            here=name == world.here,
            unlocked=world.unlocked.get(name),
            asks=world.gates.get(name, ()),
            bosses=tuple((b, world.bosses.get(b)) for b, boss in rules.bosses.items() if boss.region == name),
        )
        for name, region in rules.regions.items()
    ]
    forms = [str(c.hero.get("model", {}).get("family", "")) for c in sorted(campaigns(save.conn), key=_created)]
    return MapView(
        lands=tuple(land for land in reversed(lands) if land.levels is not None),
        sides=tuple(land for land in lands if land.levels is None),
        world=world,
        age=ages([(family, "") for family in forms]),
    )


def _created(campaign: Any) -> float:
    return float(campaign.created_at)


def asked(condition: Condition, voice: Voice) -> str:
    """A condition of a gate with how far the hero is, in words."""
    have, need = condition.have, condition.need
    match condition.key:
        case "steps":
            return f"{have or 0:,.0f} steps, at least {need:,.0f}"
        case "level":
            kinds = f" in {' or '.join(condition.of.split())}" if condition.of else ""
            return f"level {have or 0:.0f}{kinds}, at least {need:.0f}"
        case "answers":
            return f"{have or 0:.0f} newest answers, at least {need:.0f}, {named('tier', condition.of, voice)}"
        case "share":
            shown = "–" if have is None else share(int(have * 10_000 + 1e-6), 10_000)
            return f"{shown} of them right, at least {share(round(need * 100), 100)}"
        case _:
            return f"{named('boss', condition.of, voice)} {'beaten' if condition.met else 'not beaten'}"

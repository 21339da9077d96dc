"""The laws of the world (`lore/laws.yaml`), and those of them that speak of the game and its rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from pydantic import Field

from configs.base import Model
from configs.reading import parse, read_yaml
from lore.lexicon import Voice
from lore.world import World
from lore.world_rules import WorldRules


class Law(Model):
    """One law, in two voices."""

    plain: str = Field(min_length=1, description="what must hold")
    tavern: str = Field(min_length=1, description="the same as a saying")

    def text(self, voice: Voice) -> str:
        """The law in a voice."""
        return self.plain if voice == "plain" else self.tavern


class _Codex(Model):
    laws: dict[str, Law]


@dataclass(frozen=True, slots=True)
class Breach:
    """Something that breaks a law; it is told and never repaired."""

    law: str
    """``law-1`` … ``law-14``."""
    entity: str
    """What breaks it; may hold text from outside."""
    text: str


@cache
def laws() -> Mapping[str, Law]:
    """Every law by its id, in order."""
    return parse(_Codex, {"laws": read_yaml(resources.files("lore") / "laws.yaml")}, "the laws").laws


def one_region(world: World, rules: WorldRules) -> Iterator[Breach]:
    """Law 1: the hero is in one region that the map knows and that was opened."""
    if world.here not in rules.regions:
        yield Breach("law-1", world.here, "the map has no such region")
    elif world.unlocked and world.here not in world.unlocked:
        yield Breach("law-1", world.here, "the hero is in a region that was never opened")


def overlapping(stretches: Sequence[tuple[int, int]]) -> Iterator[Breach]:
    """Law 13: of stretches of steps (first and last, both counted) none reaches into another."""
    reached = None
    for first, last in sorted(stretches):
        if reached is not None and first <= reached:
            yield Breach("law-13", f"steps {first}–{last}", f"steps up to {reached} were blessed before")
        reached = last if reached is None else max(reached, last)

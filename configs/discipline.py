"""Disciplines of the realm: skills made of drills, and those that no drill can judge, locked with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Literal

from pydantic import Field, model_validator

from configs.base import Model
from configs.catalogue import primitive_id, primitives, tracks
from configs.errors import RealmError
from configs.reading import parse, read_yaml, shipped
from configs.schema import Share, SkillDisplay

Category = Literal["reasoning", "math", "compression", "generation", "classification", "tool_use", "meta"]


class Discipline(Model):
    """One file of `configs/disciplines/`; the name of the file is its id."""

    name: str
    rpg_name: str
    version: str = "1.0.0"
    description: str
    rpg_description: str = ""
    category: Category
    display: SkillDisplay
    accuracy_thresholds: tuple[Share, ...] = Field(
        min_length=10, max_length=10, description="share of right answers that wins each of the ten levels"
    )
    tracks: tuple[str, ...] = Field((), description="tracks of the catalogue whose primitives are all asked")
    primitives: tuple[str, ...] = Field((), description="single primitives asked beside them")
    locked: str = Field("", description="why it cannot be played; then it asks nothing")

    @model_validator(mode="after")
    def _asks_or_is_locked(self) -> Discipline:
        if bool(self.locked) == bool(self.tracks or self.primitives):
            raise ValueError("a discipline either asks primitives or is locked")
        return self

    def asked(self) -> dict[str, int]:
        """Its primitives with the first level that asks each; the harder ones begin later.

        Raises:
            RealmError: a track or primitive is unknown.
        """
        if strange := sorted(set(self.tracks) - set(tracks())):
            raise RealmError(
                f"the discipline {self.rpg_name} names unknown tracks: {', '.join(strange)}",
                fix=f"choose from {', '.join(tracks())}",
                code="CONFIG_INVALID",
            )
        known = primitives()
        named = [p.id for p in known.values() if p.track in self.tracks]
        named += [primitive_id(name) for name in self.primitives]
        return {name: max(1, 2 * known[name].difficulty - 3) for name in dict.fromkeys(named)}


@cache
def disciplines() -> Mapping[str, Discipline]:
    """Every discipline by id."""
    files = sorted((f for f in (shipped() / "disciplines").iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return MappingProxyType(
        {f.name.removesuffix(".yaml"): parse(Discipline, read_yaml(f), f"the discipline {f.name}", [f]) for f in files}
    )

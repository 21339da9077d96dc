"""The rules of the map (`lore/world.yaml`): regions, guardians, tiers and talents."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from configs.base import Model
from configs.discipline import Category
from configs.errors import RealmError
from configs.schema import Share
from lore import lexicon
from lore.lexicon import LABEL_CELLS, Voice
from lore.own_file import in_force


class Gate(Model):
    """What opens a region; all of it must hold at one moment."""

    steps: int = Field(0, ge=0, description="fewest optimizer steps of the campaign")
    level: int = Field(0, ge=0, description="least mastered level in any one skill")
    categories: tuple[Category, ...] = Field((), description="only skills of these kinds count for `level`; empty: all")
    tier: str = Field("", description="the tier whose newest answers `share` speaks of")
    answers: int = Field(20, ge=1, description="fewest answers of the tier")
    share: Share = Field(0.0, description="least share of them that is right")
    boss: str = Field("", description="the guardian to be beaten first")


class RegionRule(Model):
    """One region of the map."""

    label: str = Field("", max_length=LABEL_CELLS, description="its name; empty: the lexicon's")
    plain: str = Field("", max_length=LABEL_CELLS, description="its plain name; empty: the lexicon's")
    levels: tuple[int, int | None] | None = Field(
        None, description="mastered levels of the leading skill that live here; null: no end"
    )
    tiers: tuple[str, ...] = Field((), description="tiers of its problems")
    colour: str = Field("#9CA3AF", pattern=r"^#[0-9A-Fa-f]{6}$", description="its colour on the map")
    side: bool = Field(False, description="beside the ladder of levels")
    asks: tuple[str, ...] = Field((), description="side region: primitives that most of an exam taken there exercises")
    most: Share = Field(0.75, gt=0, description="side region: share of the exam's items that must exercise them")
    opens: Gate = Field(default_factory=lambda: Gate.model_validate({}), description="what must hold before it opens")

    @model_validator(mode="after")
    def _on_or_beside_the_ladder(self) -> RegionRule:
        if self.side == (self.levels is not None) or self.side != bool(self.asks):
            raise ValueError("a region has `levels`, or it is a `side` region and `asks` primitives")
        return self


class BossRule(Model):
    """One guardian."""

    label: str = Field("", max_length=LABEL_CELLS, description="its name; empty: the lexicon's")
    plain: str = Field("", max_length=LABEL_CELLS, description="its plain name; empty: the lexicon's")
    region: str = Field(description="where it stands")
    level: int = Field(ge=1, description="least level of the exam that beats it")
    items: int = Field(64, ge=1, description="fewest items of that exam")
    share: Share = Field(description="least share of them that is right")


class TalentRule(Model):
    """A badge for what lies between disciplines."""

    label: str = Field("", max_length=LABEL_CELLS, description="its name; empty: the lexicon's")
    plain: str = Field("", max_length=LABEL_CELLS, description="its plain name; empty: the lexicon's")
    disciplines: tuple[str, ...] = Field(min_length=1, description="all of them must stand at `level`")
    level: int = Field(ge=1, description="least level of each")


class WorldRules(Model):
    """All rules of the map."""

    regions: dict[str, RegionRule] = Field(min_length=1, description="from the start upwards")
    bosses: dict[str, BossRule] = Field(description="guardians by id")
    tiers: dict[str, int] = Field(min_length=1, description="first level of each tier")
    talents: dict[str, TalentRule] = Field(description="talents by id")

    @model_validator(mode="after")
    def _names_are_known(self) -> WorldRules:
        for name, region in self.regions.items():
            unknown = {region.opens.tier, *region.tiers} - {""} - self.tiers.keys()
            if unknown:
                raise ValueError(f"region {name}: no tier is called {', '.join(sorted(unknown))}")
            if region.opens.boss and region.opens.boss not in self.bosses:
                raise ValueError(f"region {name}: no guardian is called {region.opens.boss}")
        for name, boss in self.bosses.items():
            if boss.region not in self.regions:
                raise ValueError(f"guardian {name}: no region is called {boss.region}")
        if not any(r.levels is not None and r.levels[0] == 0 for r in self.regions.values()):
            raise ValueError("one region must hold level 0")
        return self

    def tier(self, level: int) -> str:
        """The tier of a level's problems; levels below 1 count as 1."""
        return max((first, name) for name, first in self.tiers.items() if first <= max(1, level))[1]

    def stars(self, tier: str) -> int:
        """How many stars a tier has, from 1."""
        return sorted(self.tiers.values()).index(self.tiers[tier]) + 1


FILE = "world.yaml"


def world_rules() -> WorldRules:
    """The map in force: the shipped one under the player's ``config/world.yaml``; without it when that file is not valid."""
    return in_force(WorldRules, FILE).rules


def map_complaint() -> RealmError | None:
    """What is wrong with the player's ``config/world.yaml``, with file, line and field; None when nothing is."""
    return in_force(WorldRules, FILE).problem


def named(kind: str, name: str, voice: Voice, rules: WorldRules | None = None) -> str:
    """What a region, boss, talent or tier is called; its own label first, then the lexicon's, else the id in words.

    Args:
        kind: ``region``, ``boss``, ``talent`` or ``tier``.
        name: its id.
        voice: which of the two names.
        rules: where its own label may stand; None for the map in force.
    """
    numbers = rules or world_rules()
    tables: dict[str, Mapping[str, RegionRule | BossRule | TalentRule]] = {
        "region": numbers.regions,
        "boss": numbers.bosses,
        "talent": numbers.talents,
    }
    rule = tables.get(kind, {}).get(name)
    own = "" if rule is None else (rule.plain if voice == "plain" else rule.label) or rule.label
    known = lexicon.known(f"{kind}.{name}")
    return own or (known.named(voice) if known is not None else name.replace("_", " ").capitalize())

"""The numbers of the game layer: what a step, an answer and a finished quest are worth."""

from __future__ import annotations

import itertools
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from configs.base import Model
from configs.paths import config_dir
from configs.reading import merged, parse, read_yaml

ResultName = Literal["crit", "hit", "glancing", "miss", "crit_miss"]


class HeroNumbers(Model):
    """Numbers of the hero panel."""

    level_steps: int = Field(1000, ge=1, description="optimizer steps in one hero level")
    gold_per_quest: int = Field(100, ge=0, description="gold for one completed quest of the player's own")
    damage_cap: float = Field(99.9, gt=0, description="highest ATK and DEF shown")


class CombatNumbers(Model):
    """Numbers of discipline XP."""

    base_xp: dict[ResultName, int] = Field(description="points of an answer by its result")
    glancing_max: int = Field(8, ge=0, description="most points of a partly right answer")
    difficulty: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        min_length=1, description="multiplier by skill level, from level 1; the last one holds for all above"
    )
    streak_bonus: float = Field(0.05, ge=0, le=1, description="bonus per success already standing")
    streak_cap: float = Field(0.5, ge=0, le=10, description="highest bonus of a streak")
    thresholds: tuple[int, ...] = Field(
        min_length=1, description="total discipline XP that each rank asks, from rank 1"
    )

    @field_validator("base_xp")
    @classmethod
    def _all_results(cls, value: dict[ResultName, int]) -> dict[ResultName, int]:
        missing = {"crit", "hit", "glancing", "miss", "crit_miss"} - set(value)
        if missing:
            raise ValueError(f"no points for {', '.join(sorted(missing))}")
        return value

    @field_validator("thresholds")
    @classmethod
    def _rising(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if value[0] != 0 or any(b <= a for a, b in itertools.pairwise(value)):
            raise ValueError("must begin with 0 and rise")
        return value


class WeatherNumbers(Model):
    """Training losses, in nats, above which the weather over the battle turns."""

    clouds: float = Field(ge=0, description="above it clouds gather")
    rain: float = Field(ge=0, description="above it rain falls")
    storm: float = Field(ge=0, description="above it a storm rages")

    @model_validator(mode="after")
    def _rising(self) -> WeatherNumbers:
        if not self.clouds <= self.rain <= self.storm:
            raise ValueError("clouds, rain and storm must rise")
        return self


class LoreRules(Model):
    """All numbers of the game layer (`lore/rules.yaml`)."""

    hero: HeroNumbers
    combat: CombatNumbers
    weather: WeatherNumbers


@cache
def rules() -> LoreRules:
    """The rules in force: the shipped ones under the player's ``config/lore.yaml``."""
    data = read_yaml(resources.files("lore") / "rules.yaml")
    mine = config_dir() / "lore.yaml"
    if mine.is_file():
        return parse(LoreRules, merged(data, read_yaml(mine)), str(mine))
    return parse(LoreRules, data, "the rules of the lore")

"""The curriculum's own configuration: strategies, presets, and the rules of choosing, forgetting and remedying."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from configs.base import Model
from configs.errors import RealmError, UsageError
from configs.reading import nearest, parse, with_own

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Strategy = Literal["equal", "focus", "weighted", "catch_up", "bandit"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


class SkillSetting(Model):
    """What a player may say of one skill."""

    enabled: bool = Field(True, description="false: it is not trained at all")
    priority: int = Field(0, ge=0, le=99, description="lower comes first where two are alike")
    weight: float = Field(1.0, ge=0, le=1000, description="its part of the steps under `weighted`")
    target: int | None = Field(None, ge=1, le=200, description="level from which it is only kept; null: its last")


class Preset(Model):
    """A named choice of strategy."""

    description: str
    strategy: Strategy
    focus: str | None = Field(None, description="the skill of `focus`")
    skills: dict[str, SkillSetting] = Field({}, description="what differs from the defaults, by skill")
    others: bool = Field(True, description="false: only the focus and the skills named here are trained")

    @model_validator(mode="after")
    def _consistent(self) -> Preset:
        if (self.strategy == "focus") != (self.focus is not None):
            raise ValueError("`focus` names the skill of the strategy focus, and of no other")
        return self


class CurriculumBook(Model):
    """`configs/curriculum.yaml`: strategies in words, and presets."""

    strategies: dict[Strategy, str]
    presets: dict[str, Preset]


class StrategyRules(Model):
    """How the skills share the steps."""

    preset: str = Field("balanced", description="the preset of a new campaign (configs/curriculum.yaml)")
    floor: Share = Field(0.05, description="least share of the steps for a skill that has won a level")
    maintenance_weight: Share = Field(
        0.25, description="weight of a skill whose levels are all won, or whose target is reached, beside the others"
    )
    catch_up_levels: int = Field(3, ge=1, description="levels behind the foremost from which a skill trails")
    catch_up_share: Share = Field(0.75, description="share of the steps for the skill that trails most")
    repair_share: Share = Field(
        0.5, description="least share for the skills with lost levels while more is lost than the budget allows"
    )


class ForgettingRules(Model):
    """How much may be forgotten, and when a hero counts as maxed out."""

    budget: Share = Field(0.10, description="share of all won levels, over all skills, that may be lost")
    regression_margin: Share = Field(0.05, description="below its peak by more than this a level has regressed")
    attempt_exams: int = Field(20, ge=2, le=1000, description="exams at a level after which an attempt ends unwon")
    maxed_attempts: int = Field(2, ge=1, le=10, description="consecutive attempts that must show it")
    maxed_multiplier: float = Field(
        3.0,
        gt=0,
        description="effort on what was won before over effort on the new level, from which holding is too dear",
    )
    maxed_delta: Share = Field(0.10, description="gain in accuracy that is ruled out before a hero counts as maxed out")


class PrimitiveRules(Model):
    """When a primitive is weak, and what is done about it."""

    weak_below: Share = Field(0.70, description="accuracy under which a primitive is weak")
    weak_samples: int = Field(5, ge=1, description="answers from which that is said")
    drill_until: Share = Field(0.75, description="accuracy at which a drill has done its work")
    spar_below: Share = Field(0.80, description="accuracy under which sparring aims at it")
    window_items: int = Field(64, ge=8, description="newest answers that a primitive's accuracy is made of")
    drill_steps: int = Field(50, ge=10, description="steps of a drill")
    remedy: Literal["off", "suggest", "drill"] = Field(
        "suggest", description="weak primitives: nothing, a suggestion, or drills between the forged quests"
    )
    drill_every: int = Field(4, ge=2, description="with `drill`: every so many forged quests at most one is a drill")


def load_book() -> CurriculumBook:
    """Strategies and presets in force: the shipped ones with the player's laid over them."""
    return with_own(CurriculumBook, "curriculum.yaml", "the curriculum")


def load_preset(name: str) -> Preset:
    """A preset by name; `UsageError` names the nearest."""
    presets = load_book().presets
    if name not in presets:
        near = nearest(name, list(presets))
        raise UsageError(
            f"no preset is called {name!r}",
            why=f"the nearest name is {near}" if near else "",
            fix=f"choose one of {', '.join(presets)}",
            code="UNKNOWN_PRESET",
        )
    return presets[name]


def setting(**given: object) -> SkillSetting:
    """One skill's setting; `UsageError` where a value is out of bounds."""
    try:
        return parse(SkillSetting, given, "the setting of a skill")
    except RealmError as error:
        raise UsageError(error.what, why=error.why, fix=error.fix, code="BAD_ARGUMENT") from error

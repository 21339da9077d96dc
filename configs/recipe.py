"""A recipe: everything that made a campaign what it became, in one file that another save can re-run or race against."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from configs.base import Model
from configs.schema import HeroConfig

FORMAT = 1
MAX_ORDERS = 10_000
MAX_POINTS = 10_000
MAX_TIME = 1e11
"""Bounds of a file that anybody may have written."""


class RecipeOrder(Model):
    """Something the player changed, at its step."""

    step: int = Field(ge=0, description="the change took effect after this optimizer step")
    verb: Literal["set", "skip", "drill"] = Field(description="what was ordered; nothing else changes training")
    args: dict[str, Any] = Field({}, description="its arguments")


class RecipeData(Model):
    """A player's file that was trained; the file itself is not in the recipe."""

    step: int = Field(ge=0, description="taken from the board after this optimizer step")
    name: str
    digest: str = Field(description="hash of the file")
    epochs: int = Field(ge=1)


class RecipePoint(Model):
    """A stretch of the curve."""

    step: int = Field(ge=0, description="last step of the stretch")
    tokens: int = Field(ge=0, description="trained tokens up to there")
    strain: float | None = Field(description="mean strain of the stretch")
    loss: float | None = Field(description="mean loss of the stretch")


class RecipeMark(Model):
    """A level won."""

    step: int = Field(ge=0)
    skill: str
    level: int = Field(ge=1)


class Recipe(Model):
    """What `realm campaign export` writes."""

    format: Literal[1] = Field(1, description="of this file")
    campaign: str = Field(description="its name where it was made")
    hero: HeroConfig = Field(description="the hero's whole configuration")
    seed: int = Field(ge=0, description="decides everything random")
    began_at: float | None = Field(
        None,
        ge=0,
        le=MAX_TIME,
        description="when it began, UTC seconds: the date that its hero is told; null: not known",
    )
    overrides: dict[str, Any] = Field({}, description="the campaign's own layer of rules")
    rules: dict[str, Any] = Field({}, description="every rule that decides what is learnt, as it was in force")
    strategy: dict[str, Any] = Field({}, description="how the skills shared the steps")
    skills: dict[str, str] = Field({}, description="version of each skill")
    versions: dict[str, str] = Field({}, description="of the game and of what it computed with")
    starting_checkpoint: str | None = Field(None, description="the form it began with; null: a newborn")
    orders: tuple[RecipeOrder, ...] = Field((), max_length=MAX_ORDERS, description="what the player changed on the way")
    data: tuple[RecipeData, ...] = Field((), max_length=MAX_ORDERS, description="the player's files on the way")
    steps: int = Field(ge=0, description="how far it went")
    curve: tuple[RecipePoint, ...] = Field((), max_length=MAX_POINTS, description="coarse strain and loss")
    marks: tuple[RecipeMark, ...] = Field((), max_length=MAX_POINTS, description="levels won")

"""The typed form of `configs/gym.yaml`: which tasks of the package reasoning-gym are skills, and how each is asked and judged."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

from pydantic import Field, field_validator, model_validator

from configs.base import Model
from configs.reading import parse, read_yaml, shipped


class GymLimits(Model):
    """What makes a rung of a task fit to be a level. A longer item is drawn anew; a rung that mostly fails is left out."""

    prompt_chars: int = Field(ge=100, description="longest prompt that is asked")
    answer_chars: int = Field(ge=10, description="longest answer that is asked for")
    item_ms: float = Field(
        gt=0, description="mean time to make an item, in milliseconds, up to which a rung is offered"
    )
    constant_share: float = Field(gt=0, lt=1, description="share of the commonest answer up to which a rung is offered")


class GymTask(Model):
    """One task that is a skill."""

    rungs: tuple[int, ...] = Field(
        min_length=1, description="rungs of the task's curriculum that are levels, easiest first; `2-5` for a span"
    )
    area: str = Field(description="the package's own shelf of it, e.g. arithmetic")
    name: str = Field("", description="what it is called; empty: from the task's id")
    scorer: Literal["exact", "own", "listed"] = Field(
        "exact",
        description="exact: the reference answer. own: the task's scorer, full marks only. listed: any of the listed answers",
    )
    shape: str = Field(
        "", description="regular expression that a whole answer must match before the task's scorer sees it"
    )
    as_json: bool = Field(
        False, description="the answer is JSON and is read with bounds before the task's scorer sees it"
    )
    reference: str = Field("", description="metadata field that holds the answer where the task gives none")
    same: tuple[str, ...] = Field(
        (), description="metadata fields that make two wordings one problem, `*` all; empty: the question's own text"
    )
    unworded: str = Field(
        "", description="regular expression of wording that is cut from the question before it is compared"
    )
    fresh: bool = Field(
        False, description="the task draws its items when it is set up, so each item needs a new set-up"
    )
    finite: bool = Field(False, description="fewer than ten thousand problems on some level")
    hatchling: bool = Field(False, description="every item is short enough for a hatchling")
    primitives: tuple[str, ...] = Field((), description="primitives that an item exercises")

    @field_validator("rungs", mode="before")
    @classmethod
    def _span(cls, value: object) -> object:
        found = re.fullmatch(r"(\d+)-(\d+)", value) if isinstance(value, str) else None
        return tuple(range(int(found[1]), int(found[2]) + 1)) if found else value

    @model_validator(mode="after")
    def _guarded(self) -> GymTask:
        if self.scorer == "own" and not (self.shape or self.as_json):
            raise ValueError("a task's own scorer needs `shape` or `as_json`, so that prose never reaches it")
        return self


class GymConfig(Model):
    """All of `configs/gym.yaml`."""

    package: str = Field(description="name of the package on the index")
    version: str = Field(description="the version whose tasks were measured; another one disables the tasks")
    limits: GymLimits
    tasks: dict[str, GymTask]
    left_out: dict[str, str] = Field(description="task to the reason why it is no skill")

    @model_validator(mode="after")
    def _apart(self) -> GymConfig:
        both = sorted(set(self.tasks) & set(self.left_out))
        if both:
            raise ValueError(f"both a skill and left out: {', '.join(both)}")
        return self


@cache
def load_gym() -> GymConfig:
    """The shipped table of tasks."""
    path = shipped() / "gym.yaml"
    return parse(GymConfig, read_yaml(path), "the table of gym tasks", [path])

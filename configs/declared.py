"""The typed form of a declared skill: a player's `config/skills/<id>.yaml`, a skill that is data and no code.

A skill is a set of operations. An operation is templates with slots, and an answer expression over the slots
(`skills.declared.expression` says which language). What a slot may hold is said level by level.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from configs.base import Model
from configs.errors import RealmError
from configs.exam_plan import PlanEntry
from configs.paths import config_dir
from configs.reading import parse, read_yaml

MAX_INT = 10**12
MAX_LENGTH = 200
SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")

Levels = Annotated[int, Field(ge=1, le=50)]
Bound = Annotated[int, Field(ge=-MAX_INT, le=MAX_INT)]
Length = Annotated[int, Field(ge=1, le=MAX_LENGTH)]


class _Slot(Model):
    @field_validator("levels", "length", check_fields=False)
    @classmethod
    def _from_one(cls, value: dict[int, Any]) -> dict[int, Any]:
        if 1 not in value:
            raise ValueError("level 1 says nothing")
        return dict(sorted(value.items()))

    @field_validator("levels", "length", "values", check_fields=False)
    @classmethod
    def _ordered(cls, value: Any) -> Any:
        for pair in value.values() if isinstance(value, dict) else [value]:
            if len(pair) == 2 and isinstance(pair[0], int) and pair[0] > pair[1]:
                raise ValueError(f"{pair[0]} to {pair[1]} is no range")
        return value


class IntSlot(_Slot):
    """A whole number."""

    kind: Literal["int"]
    levels: dict[Levels, tuple[Bound, Bound]] = Field(description="from this level on: least and greatest value")


class ChoiceSlot(_Slot):
    """One of some texts."""

    kind: Literal["choice"]
    levels: dict[Levels, tuple[Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)], ...]] = Field(
        description="from this level on: the texts to choose from"
    )
    facts: dict[str, int | str] = Field(
        default_factory=dict, description="what is known of each text, `<slot>_fact` in expressions"
    )
    wording: bool = Field(False, description="another text makes another wording, not another problem")

    @model_validator(mode="after")
    def _known(self) -> ChoiceSlot:
        texts = {text for values in self.levels.values() for text in values}
        if not all(self.levels.values()) or (self.facts and texts - set(self.facts)):
            raise ValueError(
                f"nothing is known of {', '.join(sorted(texts - set(self.facts)))}" if texts else "no texts"
            )
        return self


class LettersSlot(_Slot):
    """Random letters, written as one word."""

    kind: Literal["letters"]
    alphabet: str = Field(min_length=2, max_length=MAX_LENGTH, description="letters to draw from")
    levels: dict[Levels, tuple[Length, Length]] = Field(description="from this level on: fewest and most letters")


class ListSlot(_Slot):
    """Several whole numbers."""

    kind: Literal["list"]
    length: dict[Levels, tuple[Length, Length]] = Field(description="from this level on: fewest and most numbers")
    values: tuple[Bound, Bound] = Field(description="least and greatest number")
    separator: str = Field(", ", min_length=1, max_length=5, description="what stands between two numbers")


Slot = Annotated[IntSlot | ChoiceSlot | LettersSlot | ListSlot, Field(discriminator="kind")]


class DeclaredOperation(Model):
    """One kind of problem."""

    templates: tuple[Annotated[str, Field(min_length=1, max_length=2000)], ...] = Field(
        min_length=1, max_length=50, description="wordings of one problem, with slots as `{name}`"
    )
    slots: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Slot] = Field(min_length=1, max_length=20)
    where: str = Field("", max_length=500, description="expression that must be true of the drawn slots; empty: any")
    answer: str = Field(min_length=1, max_length=500, description="expression that gives the answer")
    compare: Literal["text", "number"] = Field("text", description="how an answer is compared with the right one")
    first_level: Levels = Field(1, description="first level that asks it")
    primitives: tuple[str, ...] = Field((), description="primitives that it exercises")
    finite: bool = Field(False, description="fewer than ten thousand problems on its highest level")

    @model_validator(mode="after")
    def _complete(self) -> DeclaredOperation:
        for template in self.templates:
            named = set(SLOT.findall(template))
            if named != set(self.slots):
                odd = ", ".join(sorted(named ^ set(self.slots)))
                raise ValueError(f"template {template[:60]!r} and slots do not name the same: {odd}")
        return self


class Review(Model):
    """What a person said of a proposal; only an accepted skill can be trained."""

    state: Literal["proposed", "accepted", "rejected"] = "accepted"
    at: str = Field("", description="when it was decided")
    note: str = ""


class LevelExam(Model):
    """What an exam of one level can promise."""

    level: int = Field(ge=1)
    items: int = Field(ge=0, description="items of an exam: 64, or every held-out problem of an apprentice level")
    apprentice: bool = Field(False, description="fewer than 64 problems are held out, so no error is claimed")
    constant_share: float = Field(ge=0, le=1, description="accuracy of the best constant answer")


class DeclaredSkill(Model):
    """One declared skill."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")
    name: str = Field(min_length=1, max_length=60)
    description: str = ""
    version: str = "1.0.0"
    category: Literal["reasoning", "math", "compression", "generation", "classification", "tool_use", "meta"] = (
        "reasoning"
    )
    icon: str = Field("⚒", max_length=4)
    colour: str = Field("#D97706", pattern=r"^#[0-9A-Fa-f]{6}$")
    max_level: Levels
    operations: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], DeclaredOperation] = Field(
        min_length=1, max_length=100
    )
    exams: tuple[LevelExam, ...] = Field((), description="exam plan: what an exam of each level can promise")
    plan: dict[str, PlanEntry] = Field(
        default_factory=dict, description="entries of the exam plan that come with it once it is accepted"
    )
    review: Review = Field(default_factory=lambda: Review.model_validate({}))
    forged: dict[str, Any] = Field(default_factory=dict, description="how the Skill Forge came to it")

    @model_validator(mode="after")
    def _asks(self) -> DeclaredSkill:
        if all(operation.first_level > 1 for operation in self.operations.values()):
            raise ValueError("level 1 asks nothing")
        return self


def own_skills_dir() -> Path:
    """Where a player's declared skills lie."""
    return config_dir() / "skills"


def own_skill_files() -> dict[str, Path]:
    """The files of a player's declared skills by id (the file's name)."""
    return {path.stem: path for path in sorted(own_skills_dir().glob("*.yaml"))}


def read_declared(path: Path) -> DeclaredSkill:
    """The declared skill in a file; every wrong field is named with its line."""
    return parse(DeclaredSkill, read_yaml(path), f"skill {path.stem}", [path])


def accepted_plans() -> dict[str, PlanEntry]:
    """Exam plan entries of the player's accepted skills; a file that cannot be read has none, and is listed with its reason."""
    found: dict[str, PlanEntry] = {}
    for path in own_skill_files().values():
        try:
            declared = read_declared(path)
        except RealmError:
            continue
        if declared.review.state == "accepted":
            found |= declared.plan
    return found

"""Named ways to train: a technique is a physics with advice, a memory profile makes a physics fit a card.

Both are layers under a hero's YAML: technique, profile, hero; later wins.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import Field, model_validator

from configs.base import Model
from configs.errors import RealmError
from configs.paths import config_dir
from configs.reading import nearest, parse, read_yaml, shipped
from configs.training import HeroTraining

N = TypeVar("N", bound="Named")


class Named(Model):
    """What a technique and a profile have in common."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$", description="file name without .yaml")
    name: str = Field(min_length=1, description="what it is called")
    symbol: str = Field(description="shown where emoji are on")
    description: str = Field(description="what it does")
    training: dict[str, Any] = Field(description="values of a hero's `training` that it sets")

    @model_validator(mode="after")
    def _a_training(self) -> Named:
        HeroTraining.model_validate({"learning_rate": 1e-4, **self.training})
        return self


class Technique(Named):
    """A named physics (`configs/techniques/<id>.yaml`)."""

    colour: str = Field(pattern=r"^#[0-9A-Fa-f]{6}$", description="its colour")
    advice: str = Field(description="when to take it")


class MemoryProfile(Named):
    """What makes a size of model fit a card (`configs/memory_profiles/<id>.yaml`)."""

    sizes_b: tuple[float, float] = Field(description="smallest and largest model it is made for, in billions")
    context_length: int = Field(ge=64, description="tokens of the longest example, where the hero says nothing")
    notes: str = Field("", description="what one should know before taking it")


def techniques() -> dict[str, Technique]:
    """Every technique by id, shipped and the player's own (``techniques/`` in the configuration folder)."""
    return {key: technique(key) for key in _names("techniques")}


def memory_profiles() -> dict[str, MemoryProfile]:
    """Every memory profile by id, shipped and the player's own (``memory_profiles/`` in the configuration folder)."""
    return {key: memory_profile(key) for key in _names("memory_profiles")}


def technique(key: str) -> Technique:
    """One technique; `RealmError` with the nearest name when there is none of that id."""
    return _one("techniques", "technique", key, Technique)


def memory_profile(key: str) -> MemoryProfile:
    """One memory profile; `RealmError` with the nearest name when there is none of that id."""
    return _one("memory_profiles", "memory profile", key, MemoryProfile)


def _names(folder: str) -> list[str]:
    found = {f.name.removesuffix(".yaml") for f in (shipped() / folder).iterdir() if f.name.endswith(".yaml")}
    own = config_dir() / folder
    return sorted(found | {f.stem for f in own.glob("*.yaml")})


def _one(folder: str, word: str, key: str, kind: type[N]) -> N:
    names = _names(folder)
    if key not in names:
        near = nearest(key, names)
        raise RealmError(
            f"no {word} is called {key!r}",
            fix=f"did you mean {near}? There are: {', '.join(names)}" if near else f"choose one of {', '.join(names)}",
            code="PHYSICS_UNKNOWN",
        )
    mine = config_dir() / folder / f"{key}.yaml"
    file = mine if mine.is_file() else shipped() / folder / f"{key}.yaml"
    return parse(kind, read_yaml(file), f"{word} {key}", [file])

"""Loads rules and heroes in layers; later wins.

Rules: shipped, the player's `config/game.yaml`, campaign, command line.
Heroes: technique, memory profile, the shipped hero, the player's file of the same id, campaign, command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from configs.errors import UsageError
from configs.paths import config_dir
from configs.reading import merged, nearest, parse, read_yaml, shipped
from configs.schema import GameConfig, HeroConfig, SkillConfig


def player_game_file() -> Path:
    """The player's own rules, laid over the shipped ones."""
    return config_dir() / "game.yaml"


def load_game(*overrides: Mapping[str, Any]) -> GameConfig:
    """The rules in force: shipped, the player's file, then ``overrides`` in order."""
    data = read_yaml(shipped() / "game.yaml")
    mine = player_game_file()
    if mine.is_file():
        own = read_yaml(mine)
        parse(GameConfig, merged(data, own), str(mine), [mine])
        data = merged(data, own)
    for layer in overrides:
        data = merged(data, layer)
    return parse(GameConfig, data, "the configuration")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a hero: its name, what it says, and its file where it has one."""

    name: str
    data: Mapping[str, Any]
    file: Path | Traversable | None = None


def _shipped_heroes() -> dict[str, Traversable]:
    return {f.name.removesuffix(".yaml"): f for f in (shipped() / "heroes").iterdir() if f.name.endswith(".yaml")}


def own_hero_file(hero_id: str) -> Path:
    """Where the player writes a hero of their own, or what is theirs of a shipped one."""
    return config_dir() / "heroes" / f"{hero_id}.yaml"


def hero_ids() -> list[str]:
    """Every hero of the roster, shipped and the player's own."""
    own = config_dir() / "heroes"
    return sorted({*_shipped_heroes(), *(f.stem for f in own.glob("*.yaml"))})


def hero_layers(hero_id: str, *over: Layer) -> list[Layer]:
    """The layers of a hero, first to last: technique, memory profile, shipped, the player's own file, then ``over``.

    Raises:
        RealmError: a file cannot be read, or a technique or profile that a layer names does not exist.
    """
    from configs.physics import memory_profile, technique

    layers: list[Layer] = []
    found = _shipped_heroes().get(hero_id)
    if found is not None:
        layers.append(Layer("shipped", read_yaml(found), found))
    mine = own_hero_file(hero_id)
    if mine.is_file():
        layers.append(Layer(str(mine), read_yaml(mine), mine))
    layers += over
    named = _laid(layers)
    below: list[Layer] = []
    if isinstance(key := named.get("technique"), str) and key:
        below.append(Layer(f"technique {key}", {"training": technique(key).training}))
    if isinstance(key := named.get("memory_profile"), str) and key:
        profile = memory_profile(key)
        model = {"context_length": profile.context_length}
        below.append(Layer(f"profile {key}", {"model": model, "training": profile.training}))
    return below + layers


def _laid(layers: Sequence[Layer]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for layer in layers:
        data = merged(data, layer.data)
    return data


def hero_of(layers: Sequence[Layer], source: str) -> HeroConfig:
    """The hero that ``layers`` make; every wrong field is named with its file and line."""
    return parse(HeroConfig, _laid(layers), source, [layer.file for layer in layers if layer.file is not None])


def find_hero(which: str) -> str:
    """The id meant by an id or by its first part (``dio``).

    Raises:
        UsageError: there is none, or there are several; names the nearest.
    """
    ids = hero_ids()
    wanted = which.lower()
    found = [i for i in ids if i == wanted] or [i for i in ids if i.split("-")[0] == wanted]
    if len(found) != 1:
        near = nearest(wanted, [*ids, *(i.split("-")[0] for i in ids)])
        raise UsageError(
            f"no hero is called {which!r}" if not found else f"{which!r} could be {', '.join(found)}",
            why=f"the nearest name is {near}" if near and not found else "",
            fix=f"choose one of {', '.join(ids)}",
            code="UNKNOWN_HERO",
        )
    return found[0]


def load_hero(which: str, *over: Layer) -> HeroConfig:
    """A hero by id or by the first part of it (``dio``), with further layers laid on top."""
    hero_id = find_hero(which)
    return hero_of(hero_layers(hero_id, *over), f"hero {hero_id}")


def on_this_machine(hero: HeroConfig) -> HeroConfig:
    """``hero``, as a campaign recorded it, with the model folder that its YAML names today.

    Which model a campaign trains is fixed; where that model lies belongs to the machine and may be named later.
    """
    if hero.model.source != "pretrained":
        return hero
    try:
        today = load_hero(hero.id).model
    except UsageError:
        return hero
    if not today.path or today.name != hero.model.name:
        return hero
    return hero.model_copy(update={"model": hero.model.model_copy(update={"path": today.path})})


@cache
def shipped_skill_ids() -> tuple[str, ...]:
    """Every shipped skill, in order of name."""
    return tuple(
        sorted(f.name.removesuffix(".yaml") for f in (shipped() / "skills").iterdir() if f.name.endswith(".yaml"))
    )


@cache
def load_skill(skill_id: str) -> SkillConfig:
    """The shipped description of a skill."""
    path = shipped() / "skills" / f"{skill_id}.yaml"
    if not path.is_file():
        raise UsageError(f"no skill is called {skill_id!r}", fix="see `realm skill list`", code="UNKNOWN_SKILL")
    return parse(SkillConfig, read_yaml(path), f"skill {skill_id}")

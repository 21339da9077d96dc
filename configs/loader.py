"""Loads YAML in layers: shipped, hero, the player's `config/game.yaml`, campaign, command line. Later wins."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from configs.errors import RealmError, UsageError
from configs.paths import config_dir
from configs.schema import GameConfig, HeroConfig, SkillConfig

M = TypeVar("M", bound=BaseModel)


def shipped() -> Traversable:
    """The folder of shipped YAML, also from inside a wheel."""
    return resources.files("configs")


def read_yaml(path: Path | Traversable) -> dict[str, Any]:
    """One YAML mapping; a broken file is a `RealmError` that names file and line."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RealmError(
            f"cannot read {path}",
            why=" ".join(str(error).split()),
            fix="mend the file, or move it away to use the shipped values",
            code="CONFIG_INVALID",
        ) from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise RealmError(f"{path} does not hold a mapping", fix="write `key: value` lines", code="CONFIG_INVALID")
    return data


def parse(model: type[M], data: Mapping[str, Any], source: str) -> M:
    """``data`` as ``model``; every wrong field is named with its reason."""
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise RealmError(
            f"{source} is not valid", why=reasons, fix="mend the named fields", code="CONFIG_INVALID"
        ) from error


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``over`` laid on top; mappings merge, everything else is replaced."""
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        out[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return out


def player_game_file() -> Path:
    """The player's own rules, laid over the shipped ones."""
    return config_dir() / "game.yaml"


def load_game(*overrides: Mapping[str, Any]) -> GameConfig:
    """The rules in force: shipped, the player's file, then ``overrides`` in order."""
    data = read_yaml(shipped() / "game.yaml")
    mine = player_game_file()
    if mine.is_file():
        own = read_yaml(mine)
        parse(GameConfig, merged(data, own), str(mine))
        data = merged(data, own)
    for layer in overrides:
        data = merged(data, layer)
    return parse(GameConfig, data, "the configuration")


def _hero_files() -> dict[str, Path | Traversable]:
    files: dict[str, Path | Traversable] = {
        f.name.removesuffix(".yaml"): f for f in (shipped() / "heroes").iterdir() if f.name.endswith(".yaml")
    }
    own = config_dir() / "heroes"
    if own.is_dir():
        files.update({f.stem: f for f in sorted(own.glob("*.yaml"))})
    return dict(sorted(files.items()))


def hero_ids() -> list[str]:
    """Every hero of the roster, shipped and the player's own."""
    return list(_hero_files())


def load_hero(which: str) -> HeroConfig:
    """A hero by id or by the first part of it (``dio``)."""
    files = _hero_files()
    wanted = which.lower()
    found = [i for i in files if i == wanted] or [i for i in files if i.split("-")[0] == wanted]
    if len(found) != 1:
        raise UsageError(
            f"no hero is called {which!r}" if not found else f"{which!r} could be {', '.join(found)}",
            fix=f"choose one of {', '.join(files)}",
            code="UNKNOWN_HERO",
        )
    return parse(HeroConfig, read_yaml(files[found[0]]), f"hero {found[0]}")


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
def load_skill(skill_id: str) -> SkillConfig:
    """The shipped description of a skill."""
    path = shipped() / "skills" / f"{skill_id}.yaml"
    if not path.is_file():
        raise UsageError(f"no skill is called {skill_id!r}", fix="see `realm skill list`", code="UNKNOWN_SKILL")
    return parse(SkillConfig, read_yaml(path), f"skill {skill_id}")

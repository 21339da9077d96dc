"""The rules value by value: what is in force, which layer said so, what it means, and whether the player's files hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from configs.errors import RealmError
from configs.loader import hero_ids, load_game, load_hero, player_game_file
from configs.paths import SaveFolder
from configs.reading import merged, read_yaml, shipped
from configs.schema import GameConfig
from realm_tui.runtime.opened import opened


@dataclass(frozen=True, slots=True)
class Rule:
    """One value of the rules."""

    key: str
    """Dotted path, e.g. ``exams.items``."""
    value: Any
    shipped: Any
    source: str
    """``shipped``, the player's file, or the campaign."""
    bounds: str
    meaning: str

    @property
    def text(self) -> str:
        return _text(self.value)

    @property
    def shipped_text(self) -> str:
        return _text(self.shipped)


@dataclass(frozen=True, slots=True)
class Checked:
    """One source of configuration, judged."""

    source: str
    ok: bool
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def rules_in_force(save: str | None = None) -> list[Rule]:
    """Every rule for the save called ``save`` (without one: shipped values and the player's file only)."""
    base = read_yaml(shipped() / "game.yaml")
    layers: list[tuple[str, Mapping[str, Any]]] = [("shipped", base)]
    mine = player_game_file()
    if mine.is_file():
        layers.append((str(mine), read_yaml(mine)))
    folder = SaveFolder.named(save)
    if folder.database.is_file():
        with opened(folder) as found:
            layers.append((found.campaign.id, found.campaign.overrides))
    elif save is not None:
        with opened(folder):
            pass
    data: dict[str, Any] = {}
    for _, layer in layers:
        data = merged(data, layer)
    in_force, plain = load_game(*(layer for _, layer in layers[1:])), GameConfig.model_validate(base)
    out = []
    for key, info in _fields(GameConfig):
        source = next(name for name, layer in reversed(layers) if name == "shipped" or _at(layer, key) is not _ABSENT)
        out.append(Rule(key, _value(in_force, key), _value(plain, key), source, _bounds(info), info.description or ""))
    return out


def check_configuration(save: str | None = None, *, only_files: bool = False) -> list[Checked]:
    """The rules, every hero and (unless ``only_files``) the save's campaign, each with what is wrong with it."""
    mine = player_game_file()
    out = [_try(str(mine) if mine.is_file() else "shipped rules", load_game)]
    for hero in hero_ids():
        out.append(_try(f"hero {hero}", lambda hero=hero: load_hero(hero)))
    if only_files:
        return out
    folder = SaveFolder.named(save)
    if save is not None or folder.database.is_file():
        out.append(_try(f"save {folder.name}", lambda: _open(folder)))
    return out


def _open(folder: SaveFolder) -> None:
    with opened(folder):
        pass


def _try(source: str, read: Any) -> Checked:
    try:
        read()
    except RealmError as error:
        return Checked(source, False, error.text())
    return Checked(source, True)


_ABSENT = object()


def _at(layer: Mapping[str, Any], key: str) -> Any:
    found: Any = layer
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return _ABSENT
        found = found[part]
    return found


def _value(config: BaseModel, key: str) -> Any:
    found: Any = config
    for part in key.split("."):
        found = getattr(found, part)
    return found


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _fields(kind, f"{prefix}{name}.")
        else:
            yield prefix + name, info


def _bounds(info: FieldInfo) -> str:
    if get_origin(info.annotation) is Literal:
        return " | ".join(str(choice) for choice in get_args(info.annotation))
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return ", ".join(
        f"{sign} {getattr(part, name)}"
        for part in info.metadata
        for name, sign in signs.items()
        if getattr(part, name, None) is not None
    )


def _text(value: Any) -> str:
    return "null" if value is None else value if isinstance(value, str) else json.dumps(value)

"""Writes the player's own rules and their own fields of a hero: one value at a time, judged before anything is written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from configs.editing import nested, with_value, without
from configs.errors import BlockedError, RealmError, UsageError
from configs.loader import Layer, load_hero, own_hero_file, player_game_file
from configs.paths import SaveFolder
from configs.physics import memory_profile
from configs.reading import merged, nearest, parse, read_yaml, shipped
from configs.schema import GameConfig, HeroConfig
from realm_tui.runtime.opened import opened
from realm_tui.runtime.rules import Rule, rules_in_force


@dataclass(frozen=True, slots=True)
class Change:
    """A value that the player set or took back."""

    key: str
    old: Any
    """What was in force."""
    new: Any
    """What is in force now."""
    file: str
    held_by: str = ""
    """The campaign whose own value still wins; empty: none does."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def rule(key: str, save: str | None = None) -> Rule:
    """One rule in force; `UsageError` with the nearest name when there is none."""
    rules = rules_in_force(save)
    found = next((r for r in rules if r.key == key), None)
    if found is None:
        near = nearest(key, [r.key for r in rules])
        raise UsageError(
            f"no rule is called {key!r}",
            why=f"the nearest name is {near}" if near else "",
            fix="see `realm config show`",
            code="UNKNOWN_KEY",
        )
    return found


def value_of(text: str) -> Any:
    """What a player typed, read as YAML; `UsageError` when it is none."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(
            f"cannot read {text!r} as a value", why=" ".join(str(error).split()), code="BAD_ARGUMENT"
        ) from error


def set_rule(key: str, text: str, save: str | None = None) -> Change:
    """Write a rule into the player's file.

    Args:
        key: dotted path of the rule.
        text: its value as YAML.
        save: whose campaign is asked whether the rules still hold together.

    Raises:
        UsageError: there is no such rule, or the text is no value.
        RealmError: the value breaks the rule's bounds, or the file is broken; nothing is written then.
    """
    before = rule(key, save)
    value = value_of(text)
    file = player_game_file()
    own = _read(file)
    changed = with_value(own, key.split("."), value, str(file))
    try:
        _judge(yaml.safe_load(changed), file, save)
    except RealmError as error:
        found = yaml.safe_load(own) if own else None
        _judge(found or {}, file, save)  # a file that was broken before is named as it is
        raise RealmError(
            f"{key} stays as it was", why=error.why or error.what, fix="give another value", code=error.code
        ) from error
    _write(file, changed)
    return _change(key, before, file, save)


def unset_rule(key: str, save: str | None = None) -> Change:
    """Take the player's value of a rule back, so that the shipped one holds again; see `set_rule`.

    Raises:
        BlockedError: the player's file does not set it.
    """
    before = rule(key, save)
    file = player_game_file()
    own = _read(file)
    changed = without(own, key.split("."), str(file))
    if changed == own:
        raise BlockedError(f"{file} does not set {key}", fix="there is nothing to take back", code="NOT_SET")
    _judge(yaml.safe_load(changed) or {}, file, save)
    _write(file, changed)
    return _change(key, before, file, save)


def take_profile(hero_id: str, profile: str) -> Path:
    """Let a hero be trained as a memory profile says; the next campaign of that hero begins so.

    What the hero's own YAML says otherwise is written beside the profile into the player's file, since a hero's word wins.

    Args:
        hero_id: a hero of the roster.
        profile: id of a memory profile.

    Raises:
        RealmError: there is no such profile, or the hero cannot be trained so; nothing is written then.
    """
    layer = memory_profile(profile)
    named: dict[str, Any] = {"memory_profile": profile}
    plain = load_hero(hero_id, Layer("chosen here", named))
    length = min(plain.model.context_length, layer.context_length)
    fields: dict[tuple[str, ...], Any] = {("training", key): value for key, value in layer.training.items()}
    fields[("model", "context_length")] = length
    found: dict[tuple[str, ...], Any] = {
        ("memory_profile",): profile,
        **{p: v for p, v in fields.items() if _value(plain, p) != v},
    }
    over = named
    for path, value in found.items():
        over = merged(over, nested(path, value))
    load_hero(hero_id, Layer("chosen here", over))
    file = own_hero_file(hero_id)
    text = _read(file)
    for path, value in found.items():
        text = with_value(text, path, value, str(file))
    _write(file, text)
    return file


def _value(hero: HeroConfig, path: Sequence[str]) -> Any:
    found: Any = hero.model_dump(mode="json")
    for key in path:
        found = found[key]
    return found


def _read(file: Path) -> str:
    if not file.is_file():
        return ""
    read_yaml(file)
    return file.read_text(encoding="utf-8")


def _judge(own: Mapping[str, Any], file: Path, save: str | None) -> None:
    """Whether the rules hold with this file, alone and under the save's campaign."""
    data = merged(read_yaml(shipped() / "game.yaml"), own)
    parse(GameConfig, data, str(file))
    folder = SaveFolder.named(save)
    if folder.database.is_file():
        with opened(folder) as found:
            overrides = found.campaign.overrides
        parse(GameConfig, merged(data, overrides), f"the rules of {found.campaign.id}")


def _write(file: Path, text: str) -> None:
    """Replace the file whole; a link stays a link."""
    target = file.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.new")
    with beside.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(target)


def _change(key: str, before: Rule, file: Path, save: str | None) -> Change:
    now = rule(key, save)
    held = now.source if now.source not in ("shipped", str(file)) else ""
    return Change(key, before.value, now.value, str(file), held)

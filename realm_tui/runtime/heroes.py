"""The roster: who is ready to play, what is missing, how to install a model or write a hero of one's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from configs.errors import BlockedError, RealmError, UsageError
from configs.loader import hero_ids, load_game, load_hero
from configs.paths import config_dir
from configs.reading import merged, parse, read_yaml, shipped
from configs.schema import HeroConfig
from realm_tui.runtime.machine import graphics_card

MODEL_FILES = ("*.safetensors", "*.json", "*.txt", "*.jinja", "*.model")
"""What a hero needs of a model's repository."""

FIRST_PRETRAINED = "dio-qwen3-0.6b"
"""The smallest hero that comes from a model; larger ones are the player's own choice."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a hero could start now, without any download."""

    ready: bool
    where: Path | None
    """The folder with the weights; None for a hatchling, which is made on the spot."""
    missing: str = ""
    fix: str = ""


def missing_in(folder: Path) -> str:
    """What a model folder lacks, in words; empty when nothing."""
    if not folder.is_dir():
        return f"{folder} is no folder"
    lacks = []
    if not (folder / "config.json").is_file():
        lacks.append("config.json")
    if not (folder / "tokenizer.json").is_file():
        lacks.append("tokenizer.json")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            shards = set(read_json_map(index).values())
        except (OSError, ValueError) as error:
            lacks.append(f"a readable {index.name} ({error})")
        else:
            lacks.extend(sorted(s for s in shards if not (folder / s).is_file()))
    elif not any(folder.glob("*.safetensors")):
        lacks.append("weights (*.safetensors)")
    return f"{folder} lacks {', '.join(lacks)}" if lacks else ""


def read_json_map(index: Path) -> dict[str, str]:
    """Weight name to file name, as an index of sharded weights says; `ValueError` when it does not."""
    import json

    found = json.loads(index.read_text(encoding="utf-8"))
    weights = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(weights, dict):
        raise ValueError("no weight_map")
    return {str(k): str(v) for k, v in weights.items()}


def readiness(hero: HeroConfig) -> Readiness:
    """Look for the hero's model: its folder, then the Hugging Face cache. Nothing is downloaded."""
    if hero.model.source == "hatchling":
        return Readiness(True, None)
    short = hero.id.split("-")[0]
    if hero.model.path:
        folder = Path(hero.model.path).expanduser()
        lacks = missing_in(folder)
        fix = f"mend the folder, or name another: `realm hero install {short} --path FOLDER`"
        return Readiness(not lacks, None if lacks else folder, lacks, fix if lacks else "")
    fix = f"`realm hero install {short}` downloads it; offline, `realm hero install {short} --path FOLDER` names a copy"
    cached = _cached(hero.model.name)
    if cached is None:
        return Readiness(False, None, f"{hero.model.name} is not in the Hugging Face cache", fix)
    lacks = missing_in(cached)
    return Readiness(not lacks, None if lacks else cached, lacks, fix if lacks else "")


def _cached(name: str) -> Path | None:
    from huggingface_hub import constants

    folder = constants.REPO_ID_SEPARATOR.join(["models", *name.split("/")])
    if not (Path(constants.HF_HUB_CACHE) / folder).is_dir():
        return None  # nothing of it was ever fetched; the rest of the library takes long to load
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, "config.json")
    return Path(found).parent if isinstance(found, str) else None


def proposed_hero() -> str:
    """The hero a first screen proposes: DIO where a card and its model are found, else the default hero."""
    if graphics_card() is not None and readiness(load_hero(FIRST_PRETRAINED)).ready:
        return FIRST_PRETRAINED
    return load_game().default_hero


def install(hero: HeroConfig, path: Path | None = None) -> Readiness:
    """Make the hero ready: point it at a local folder, or find its model in the cache, or download it there.

    Raises:
        BlockedError: the folder is not a model, or the download failed; says what is missing and what to do.
    """
    if path is not None:
        if hero.model.source == "hatchling":
            raise UsageError(f"{hero.name} is made on the spot and needs no folder", code="NOTHING_TO_INSTALL")
        folder = path.expanduser().absolute()
        lacks = missing_in(folder)
        if lacks:
            raise BlockedError(
                f"{folder} is not a model {hero.name} could start from",
                why=lacks,
                fix="name a Hugging Face folder with config.json, tokenizer.json and *.safetensors",
                code="MODEL_MISSING",
            )
        _write_own(hero.id, {"model": {"path": str(folder)}})
        return Readiness(True, folder)
    found = readiness(hero)
    if found.ready or not hero.model.name:
        return found
    _download(hero)
    found = readiness(hero)
    if not found.ready:
        raise BlockedError(f"{hero.name} cannot start", why=found.missing, fix=found.fix, code="MODEL_MISSING")
    return found


def _download(hero: HeroConfig) -> None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    short = hero.id.split("-")[0]
    try:
        snapshot_download(hero.model.name, allow_patterns=list(MODEL_FILES))
    except (RepositoryNotFoundError, GatedRepoError) as error:
        raise BlockedError(
            f"the hub does not give out {hero.model.name}",
            why=str(error).splitlines()[0],
            fix="check the name in the hero's YAML, or log in with `hf auth login`",
            code="MODEL_MISSING",
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise BlockedError(
            f"{hero.model.name} could not be downloaded: config, tokenizer and weights of {hero.name} are missing",
            why=" ".join(str(error).split())[:300],
            fix=f"go online and try again, or copy the model here and `realm hero install {short} --path FOLDER`",
            code="MODEL_MISSING",
        ) from error


def new_hero(hero_id: str, base: str, *, name: str | None = None, epithet: str | None = None) -> Path:
    """Write a hero of one's own as a copy of ``base``, ready to be edited; returns the file. Never overwrites."""
    check_new_id(hero_id)
    data = load_hero(base).model_dump(mode="json", exclude_none=True)
    data |= {"id": hero_id, "name": name or first_name(hero_id)}
    if epithet:
        data["epithet"] = epithet
    return _write(hero_id, data)


def new_model_hero(data: Mapping[str, Any]) -> Path:
    """Write the hero that `realm_tui.runtime.model_hero.read_hero` read, named; returns the file. Never overwrites."""
    check_new_id(str(data["id"]))
    return _write(str(data["id"]), data)


def first_name(hero_id: str) -> str:
    """What a hero is called who was given no name."""
    return hero_id.split("-")[0].upper()


def check_new_id(hero_id: str) -> None:
    """Refuse an id that is none, or taken."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", hero_id):
        raise UsageError(
            f"{hero_id!r} is not an id for a hero",
            fix="use lower-case letters, digits, '-', '_' and '.'",
            code="BAD_HERO_ID",
        )
    if hero_id in hero_ids():
        raise UsageError(f"there is a hero called {hero_id!r} already", fix="choose another id", code="HERO_EXISTS")


def _write_own(hero_id: str, over: Mapping[str, Any]) -> Path:
    """Lay ``over`` on the player's file of this hero, or on a copy of the shipped one."""
    own = config_dir() / "heroes" / f"{hero_id}.yaml"
    return _write(hero_id, merged(read_yaml(own if own.is_file() else shipped() / "heroes" / own.name), over))


def _write(hero_id: str, data: Mapping[str, Any]) -> Path:
    parse(HeroConfig, data, f"hero {hero_id}")
    path = config_dir() / "heroes" / f"{hero_id}.yaml"
    beside = path.with_suffix(".yaml.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise RealmError(
            f"cannot write {path}", why=str(error), fix="make the folder writable", code="CANNOT_WRITE"
        ) from error
    return path

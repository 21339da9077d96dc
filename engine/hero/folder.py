"""A model's folder before anything of it is loaded: where it lies, whether it can be trusted, and which one it is. No torch."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from configs.errors import BlockedError, RealmError
from configs.schema import HeroConfig

ADAPTER_FILE = "adapter_config.json"
BASE_FILE = "base.json"
"""Beside an adapter: which model it was trained on."""
_WANTED = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.model", "*.txt", "*.jinja")
"""What is fetched of a model; never its pickles, never its code."""
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_HUB_LOOK_S = 5.0
"""How long an answer of the hub is waited for before a model counts as out of reach."""
_SAMPLES, _SAMPLE_BYTES = 16, 65_536


def find_folder(hero: HeroConfig) -> Path:
    """The folder of a hero's model: its local one, else the Hugging Face cache, else fetched from the hub.

    Raises:
        BlockedError: none of the three has it; the message names each place that was tried.
        RealmError: it is there, and cannot be trusted or is not whole.
    """
    path, name = hero.model.path, hero.model.name
    if path:
        folder = Path(path).expanduser()
        if not (folder / "config.json").is_file():
            raise BlockedError(
                f"{hero.name}'s model is not in {folder}",
                why="there is no config.json in that folder" if folder.is_dir() else "there is no such folder",
                fix="put the model's Hugging Face folder there, or clear `model.path` in the hero's YAML",
                code="MODEL_MISSING",
            )
        check_folder(folder)
        return folder
    tried: list[str] = []
    for offline in (True, False):
        if not offline and (closed := _way_to_hub_closed()):
            tried.append(closed)
            break
        try:
            return _fetched(name, offline=offline)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
        except RealmError as error:
            if not offline:
                raise
            reason = error.text()
        tried.append(f"{'the cache' if offline else 'the hub'}: {reason[:200]}")
    raise BlockedError(
        f"{hero.name}'s model {name} is not on this machine and could not be fetched",
        why="; ".join(tried),
        fix=f"connect to the internet once, or download {name} into a folder and name it as `model.path` in the hero's YAML",
        code="MODEL_MISSING",
    )


def _fetched(name: str, *, offline: bool) -> Path:
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(name, local_files_only=offline, allow_patterns=list(_WANTED)))
    check_folder(folder)
    return folder


def check_folder(folder: Path) -> None:
    """Refuse a model that is not whole, that is stored as code, or that wants code of its own to run.

    Raises:
        RealmError: with the reason and the way out.
    """
    config = _read(folder / "config.json", folder)
    if config.get("auto_map"):
        raise RealmError(
            f"the model in {folder} wants to run code of its own",
            why=f"its config.json names {', '.join(sorted(map(str, config['auto_map'])))} under auto_map",
            fix="choose a model that transformers knows by itself; code that comes with a model is never run here",
            code="REMOTE_CODE",
        )
    if config.get("quantization_config"):
        raise RealmError(
            f"the model in {folder} is quantised already",
            why="the rounding of its weights cannot be trained through",
            fix="choose the model it was made from; `--method qlora` quantises it while loading",
            code="MODEL_QUANTISED",
        )
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = sorted(set(map(str, _read(index, folder).get("weight_map", {}).values())))
        lost = [shard for shard in shards if not (folder / shard).is_file()]
        if lost or not shards:
            raise _incomplete(folder, f"{lost[0]} is missing ({len(lost)} of {len(shards)} parts)" if lost else "empty")
        return
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(p.name for pattern in _PICKLES for p in folder.glob(pattern))
    if pickles:
        raise RealmError(
            f"the weights in {folder} are pickled",
            why=f"{pickles[0]} can run any program when it is opened; only safetensors are read",
            fix="convert them once where you trust them: load with transformers, save with save_pretrained",
            code="PICKLED_WEIGHTS",
        )
    raise _incomplete(folder, "there is no *.safetensors file in it")


def _incomplete(folder: Path, why: str) -> RealmError:
    return RealmError(
        f"the model in {folder} has no weights" if "no *." in why else f"the model in {folder} is incomplete",
        why=why,
        fix="copy the model's folder again",
        code="MODEL_DAMAGED",
    )


def _read(path: Path, folder: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError) as error:
        raise RealmError(
            f"{path.name} in {folder} cannot be read",
            why=" ".join(str(error).split()),
            fix="copy the model's folder again",
            code="MODEL_DAMAGED",
        ) from error
    return data


def fingerprint(folder: Path) -> str:
    """Which weights lie in ``folder``: SHA-256 over names, sizes, beginnings and evenly spread samples of the files.

    Whole models take minutes to hash; two trainings of one model differ in every sample.
    """
    found = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        found.update(f"{path.name}:{size};".encode())
        with path.open("rb") as file:
            for n in range(_SAMPLES):
                file.seek(size * n // _SAMPLES)
                found.update(file.read(_SAMPLE_BYTES))
    return found.hexdigest()


def is_adapter(folder: Path) -> bool:
    """The folder holds an adapter, not a whole model."""
    return (folder / ADAPTER_FILE).is_file()


def stay_offline() -> None:
    """From now on no library of this process reaches out for models or kernels: everything that training needs is here."""
    from huggingface_hub import constants

    os.environ["HF_HUB_OFFLINE"] = "1"
    constants.HF_HUB_OFFLINE = True


def _way_to_hub_closed() -> str:
    """Why the hub cannot be reached, or nothing; said at once, where the library would try for most of a minute."""
    from huggingface_hub import constants

    switches = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    if any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in switches):
        return f"the hub is switched off ({' or '.join(switches)})"
    if getproxies():
        return ""
    hub = urlsplit(constants.ENDPOINT)
    try:
        port = hub.port or (80 if hub.scheme == "http" else 443)
        socket.create_connection((hub.hostname or "", port), timeout=_HUB_LOOK_S).close()
    except OSError as error:
        return f"the hub: {hub.hostname} cannot be reached ({error})"
    return ""

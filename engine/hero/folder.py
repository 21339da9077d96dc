"""A model's folder before anything of it is loaded: where it lies, whether it can be trusted, and which one it is. No torch."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
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
_DOUBLES = ("consolidated*", "original/*")
"""The same weights once more, in the form of the house that trained them (Mistral, Llama)."""
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_HUB_LOOK_S = 5.0
"""How long an answer of the hub is waited for before a model counts as out of reach."""
_SAMPLES, _SAMPLE_BYTES = 16, 65_536


def find_folder(hero: HeroConfig, *, fetch: bool = True) -> Path:
    """The folder of a hero's model: its local one, else the Hugging Face cache, else fetched from the hub.

    Args:
        hero: whose model.
        fetch: it may be fetched; else only this machine is searched.

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
                why=_absent(folder),
                fix="put the model's Hugging Face folder there, or clear `model.path` in the hero's YAML",
                code="MODEL_MISSING",
            )
        check_folder(folder)
        return folder
    tried: list[str] = []
    for offline in (True, False) if fetch else (True,):
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
        f"{hero.name}'s model {name} is not on this machine" + (" and could not be fetched" if fetch else ""),
        why="; ".join(tried),
        fix=f"connect to the internet once, or download {name} into a folder and name it as `model.path` in the hero's YAML",
        code="MODEL_MISSING",
    )


def _absent(folder: Path) -> str:
    if not folder.is_dir():
        return "there is no such folder"
    if is_adapter(folder):
        return "that folder holds an adapter, not the model it was trained on"
    return "there is no config.json in that folder"


def _fetched(name: str, *, offline: bool) -> Path:
    from huggingface_hub import snapshot_download

    folder = Path(
        snapshot_download(name, local_files_only=offline, allow_patterns=list(_WANTED), ignore_patterns=list(_DOUBLES))
    )
    check_folder(folder)
    return folder


def check_folder(folder: Path) -> None:
    """Refuse a model that is not whole, that was quantised before, or whose weights are pickled.

    Raises:
        RealmError: with the reason and the way out.
    """
    config = read_json(folder / "config.json", folder)
    if config.get("quantization_config"):
        raise RealmError(
            f"the model in {folder} is quantised already",
            why="the rounding of its weights cannot be trained through",
            fix="choose the model it was made from; `--method qlora` quantises it while loading",
            code="MODEL_QUANTISED",
        )
    parts = _parts(folder)
    if parts is not None:
        lost = [part for part in parts if not (folder / part).is_file()]
        if lost or not parts:
            raise _incomplete(folder, f"{lost[0]} is missing ({len(lost)} of {len(parts)} parts)" if lost else "empty")
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


def _parts(folder: Path) -> list[str] | None:
    """The files of a model that is stored in several, as its index names them; None: there is no index."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return None
    placed = read_json(index, folder).get("weight_map", {})
    return sorted({str(part) for part in placed.values()}) if isinstance(placed, dict) else []


def _incomplete(folder: Path, why: str) -> RealmError:
    return RealmError(
        f"the model in {folder} has no weights" if "no *." in why else f"the model in {folder} is incomplete",
        why=why,
        fix="copy the model's folder again",
        code="MODEL_DAMAGED",
    )


def read_json(path: Path, folder: Path) -> dict[str, Any]:
    """A file of a model's folder; `RealmError` where it cannot be read or holds something else."""
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
    parts = _parts(folder)
    for path in sorted(folder.glob("*.safetensors")) if parts is None else [folder / part for part in parts]:
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


@contextmanager
def offline() -> Iterator[None]:
    """Like `stay_offline`, and as before afterwards. Libraries fetch compiled kernels when they are first imported."""
    from huggingface_hub import constants

    before, switched = os.environ.get("HF_HUB_OFFLINE"), constants.HF_HUB_OFFLINE
    stay_offline()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = switched
        if before is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = before


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

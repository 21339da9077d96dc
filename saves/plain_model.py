"""A model's folder that has no list of digests of its own: which files are the model, and their hashes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from configs.errors import RealmError
from configs.paths import cache_dir
from saves.checkpoint_folder import sha256

SUFFIXES = (".safetensors", ".json", ".model", ".txt", ".jinja")
"""What a plain model's folder holds beside things nobody loads."""


def model_hashes(folder: Path) -> dict[str, str]:
    """Name to SHA-256 of a plain model's files; a file is read again only when its size or time changed.

    Its digest is `saves.checkpoint_folder.model_digest` of this, as a checkpoint's is.

    Raises:
        RealmError: there is no model in it, or it cannot be read (``MODEL_DAMAGED``).
    """
    path = cache_dir() / "hashes.json"
    try:
        names = sorted(
            p.name for p in folder.iterdir() if p.suffix in SUFFIXES and not p.name.startswith(".") and p.is_file()
        )
        if "config.json" not in names and "adapter_config.json" not in names:
            raise _none(folder, "there is no config.json in it")
        known = _known(path)
        found, fresh = {}, {}
        for name in names:
            file = (folder / name).resolve()
            status = file.stat()
            stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
            old = known.get(str(file))
            if not isinstance(old, list) or old[1:] != stamp:
                old = fresh[str(file)] = [sha256(file), *stamp]
            found[name] = str(old[0])
    except OSError as error:
        raise _none(folder, str(error)) from error
    if fresh:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.write_text(json.dumps(_known(path) | fresh), encoding="utf-8")
        beside.replace(path)
    return found


def _known(path: Path) -> dict[str, object]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _none(folder: Path, why: str) -> RealmError:
    return RealmError(
        f"{folder} holds no model", why=why, fix="name another folder, or check the disk", code="MODEL_DAMAGED"
    )

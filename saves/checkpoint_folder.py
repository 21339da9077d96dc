"""A checkpoint folder as every reader sees it: names, sidecar, digests, export. Writing one is the trainer's.

A checkpoint is a plain Hugging Face folder whose weights are those that sit exams, plus ``trainer/`` (all that an exact
resume needs) and ``.ledger.json`` (facts and digests). It appears by one rename, so a reader never sees half of one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from configs import clock
from configs.errors import RealmError

LEDGER_FILE = ".ledger.json"
LEDGER_VERSION = 1
PART = ".part-"
"""Prefix of a folder that is still being written."""


def checkpoint_name(step: int, at: float) -> str:
    """The canonical name: ``checkpoint-{step}-{YYYYMMDD}-{HHMM}``, UTC."""
    return f"checkpoint-{step}-{clock.utc(at):%Y%m%d-%H%M}"


def read_sidecar(path: Path) -> dict[str, Any]:
    """The facts and digests of a checkpoint; `RealmError` when it has none."""
    try:
        data = json.loads((path / LEDGER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RealmError(
            f"{path.name} has no readable {LEDGER_FILE}",
            why=str(error),
            fix="go back to another checkpoint (`realm ledger summon NAME`)",
            code="CHECKPOINT_CORRUPT",
        ) from error
    if not isinstance(data, dict) or not isinstance(data.get("files"), dict):
        raise RealmError(f"{path.name} has a damaged {LEDGER_FILE}", code="CHECKPOINT_CORRUPT")
    return data


def verify_checkpoint(path: Path) -> dict[str, Any]:
    """Compare every file with its digest; returns the sidecar, or raises `RealmError` naming the file."""
    sidecar = read_sidecar(path)
    for name, digest in sidecar["files"].items():
        file = path / name
        if not file.is_file() or sha256(file) != digest:
            raise RealmError(
                f"{path.name} is damaged: {name} {'differs' if file.is_file() else 'is missing'}",
                fix="go back to another checkpoint (`realm ledger summon NAME`), or restore the save from an export",
                code="CHECKPOINT_CORRUPT",
            )
    if model_digest(sidecar["files"]) != sidecar.get("digest"):
        raise RealmError(f"{path.name} is damaged: its digests disagree", code="CHECKPOINT_CORRUPT")
    return sidecar


def model_digest(files: dict[str, str]) -> str:
    """SHA-256 of the canonical list of the model's files; ``trainer/`` and the sidecar are left out."""
    model = {n: d for n, d in files.items() if not n.startswith("trainer/") and n != LEDGER_FILE}
    return hashlib.sha256(json.dumps(model, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def export_model(path: Path, target: Path) -> None:
    """Copy the plain Hugging Face files of a verified checkpoint to ``target``, which appears by one rename."""
    sidecar = verify_checkpoint(path)
    if target.exists():
        raise RealmError(f"{target} already exists", fix="choose another folder", code="EXISTS")
    part = target.with_name(f"{PART}{target.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name in sidecar["files"]:
        if not name.startswith("trainer/"):
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path / name, part / name)
    shutil.copyfile(path / LEDGER_FILE, part / LEDGER_FILE)
    part.rename(target)


def sweep_leftovers(parent: Path, listed: set[str]) -> list[str]:
    """Remove what a crash left in ``checkpoints/``: parts, and folders that never reached the ledger."""
    swept = []
    for folder in parent.iterdir() if parent.is_dir() else ():
        if folder.is_dir() and folder.name not in listed and folder.name.startswith((PART, "checkpoint-")):
            shutil.rmtree(folder, ignore_errors=True)
            swept.append(folder.name)
    return swept


def free_gb(path: Path) -> float:
    """Free disk space in GB where ``path`` lies."""
    return shutil.disk_usage(path).free / 1e9


def files_in(folder: Path) -> list[Path]:
    """Every file below ``folder``, in a fixed order."""
    return sorted(p for p in folder.rglob("*") if p.is_file())


def size_bytes(folder: Path) -> int:
    """Bytes of every file below ``folder``."""
    return sum(p.stat().st_size for p in files_in(folder))


def sha256(path: Path, *, sync: bool = False) -> str:
    """Hex digest of a file; ``sync`` also forces it to the disk."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if sync:
            os.fsync(file.fileno())
    return digest


def write_synced(path: Path, text: str) -> None:
    """Write a text file and force it to the disk."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

"""Writes checkpoints: beside, synced, digests last, renamed; and reads a trainer's state back."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from configs.errors import RealmError
from saves.checkpoint_folder import (
    LEDGER_FILE,
    LEDGER_VERSION,
    PART,
    files_in,
    free_gb,
    model_digest,
    sha256,
    size_bytes,
    sync_folder,
    verify_checkpoint,
    write_synced,
)

STATE_TENSORS = "trainer/state.safetensors"
STATE_JSON = "trainer/state.json"
PIECES = "pieces"
"""Key of the list of tensors that belong to a state."""


class UnsavedError(RealmError):
    """A checkpoint could not be written; what was there before is untouched."""

    exit_code = 3


class DiskFullError(UnsavedError):
    """There is no room for another checkpoint."""


@dataclass(frozen=True)
class TrainerState:
    """Everything beside the examined weights that an exact resume needs."""

    tensors: dict[str, torch.Tensor]
    values: dict[str, Any]
    """JSON values only."""


@dataclass(frozen=True)
class WrittenCheckpoint:
    """A checkpoint that is complete on disk."""

    name: str
    path: Path
    digest: str
    """SHA-256 over the model's files (weights, tokenizer, template, configuration)."""
    bytes: int


def check_room(parent: Path, name: str, size: int) -> None:
    """`DiskFullError` when the disk under ``parent`` has less room than the ``size`` bytes that are to be written.

    A folder that somebody removed is made again; `UnsavedError` where it cannot be.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(parent).free
    except OSError as error:
        raise _unwritable(name, parent, error) from error
    if free < size:
        raise DiskFullError(
            f"no room to save {name}",
            why=f"it takes {size / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free where checkpoints are kept",
            fix="free some space, then resume; the previous checkpoint is untouched",
            code="DISK_FULL",
        )


def write_checkpoint(
    parent: Path, name: str, write_model: Callable[[Path], None], state: TrainerState, facts: dict[str, Any]
) -> WrittenCheckpoint:
    """Write one checkpoint folder. Uses nothing but its arguments, so that a thread can do it.

    Args:
        parent: the save's ``checkpoints/`` folder.
        name: the folder's final name; an unlisted leftover of that name is replaced.
        write_model: fills a folder with the plain Hugging Face files.
        state: what an exact resume needs.
        facts: goes into ``.ledger.json`` beside the digests.

    Raises:
        DiskFullError: the disk is full; nothing was changed.
        UnsavedError: the disk or the folder cannot be written; nothing was changed.
    """
    final, part = parent / name, parent / f"{PART}{name}"
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        write_model(part)
        (part / "trainer").mkdir()
        save_file({k: v.detach().contiguous() for k, v in state.tensors.items()}, part / STATE_TENSORS)
        values = {**state.values, PIECES: sorted(state.tensors)}
        (part / STATE_JSON).write_text(json.dumps(values, sort_keys=True), encoding="utf-8")
        files = {p.relative_to(part).as_posix(): sha256(p, sync=True) for p in files_in(part)}
        digest = model_digest(files)
        sidecar = {
            **facts,
            "ledger_version": LEDGER_VERSION,
            "canonical_name": name,
            "digest": digest,
            "files": files,
            "size_bytes": sum(p.stat().st_size for p in files_in(part)),
        }
        write_synced(part / LEDGER_FILE, json.dumps(sidecar, indent=1, sort_keys=True))
        for folder in (part / "trainer", part):
            sync_folder(folder)
        if final.exists():
            shutil.rmtree(final)
        part.rename(final)
        sync_folder(parent)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"no room to save {name}",
                why=f"{error.strerror}; {free_gb(parent):.2f} GB are free where checkpoints are kept",
                fix="free some space, then resume; the previous checkpoint is untouched",
                code="DISK_FULL",
            ) from error
        raise _unwritable(name, parent, error) from error
    except (RuntimeError, SafetensorError) as error:
        # safetensors and torch wrap the system's error in one of their own and keep only its message.
        shutil.rmtree(part, ignore_errors=True)
        if "No space left" in str(error) or "os error 28" in str(error):
            raise DiskFullError(
                f"no room to save {name}",
                why=str(error),
                fix="free some space, then resume; the previous checkpoint is untouched",
                code="DISK_FULL",
            ) from error
        if "os error" in str(error).lower():
            raise _unwritable(name, parent, error) from error
        raise
    return WrittenCheckpoint(name, final, digest, size_bytes(final))


def _unwritable(name: str, parent: Path, error: Exception) -> UnsavedError:
    return UnsavedError(
        f"{name} could not be saved",
        why=" ".join(str(error).split()),
        fix=f"see that {parent} is there and can be written, then resume; the previous checkpoint is untouched",
        code="DISK_UNWRITABLE",
    )


def read_state(path: Path) -> TrainerState:
    """The trainer's state of a checkpoint whose digests match.

    Raises:
        RealmError: a file is damaged, or a piece of the state is missing or does not belong to it; it is named.
    """
    verify_checkpoint(path)
    values = json.loads((path / STATE_JSON).read_text(encoding="utf-8"))
    tensors = load_file(path / STATE_TENSORS)
    pieces = values.pop(PIECES, None)
    if pieces is not None and set(pieces) != set(tensors):
        missing, foreign = sorted(set(pieces) - set(tensors)), sorted(set(tensors) - set(pieces))
        raise RealmError(
            f"{path.name} does not hold the state it was saved with",
            why=f"{(missing or foreign)[0]} {'is missing' if missing else 'does not belong to it'}",
            fix="go back to an older checkpoint (`realm ledger summon NAME`)",
            code="CHECKPOINT_BROKEN",
        )
    return TrainerState(tensors, values)

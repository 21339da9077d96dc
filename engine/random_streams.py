"""The process's random streams as tensors, so that a resumed run draws what the uninterrupted one would have drawn."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from configs.errors import RealmError


def random_streams() -> dict[str, Tensor]:
    """Every stream by name: torch's on the CPU and on a CUDA card in use, and Python's."""
    _, words, gauss = random.getstate()
    streams = {
        "random.cpu": torch.get_rng_state(),
        "random.python": torch.tensor(words, dtype=torch.int64),
        "random.python_gauss": torch.tensor([] if gauss is None else [gauss], dtype=torch.float64),
    }
    if _cuda_in_use():
        streams["random.cuda"] = torch.cuda.get_rng_state()
    return streams


def restore_random_streams(tensors: Mapping[str, Tensor], recorded: Iterable[str] | None) -> None:
    """Set the streams to what `random_streams` gave.

    Args:
        tensors: may hold other things too.
        recorded: the names of the streams that were saved; None for a checkpoint that does not say, which holds the CPU's.

    Raises:
        RealmError: a stream is missing; nothing was changed.
    """
    wanted = set(recorded if recorded is not None else ["random.cpu"])
    if recorded is not None and _cuda_in_use():
        wanted.add("random.cuda")
    missing = sorted((wanted | {"random.cpu"}) - set(tensors))
    if missing:
        raise RealmError(
            f"the checkpoint lacks a random stream: {', '.join(missing)}",
            why="without it a resumed run would draw other numbers than the run it continues",
            fix="go back to an older checkpoint (`realm ledger summon NAME`)",
            code="CHECKPOINT_BROKEN",
        )
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in wanted and _cuda_in_use():
        torch.cuda.set_rng_state(tensors["random.cuda"])
    if "random.python" in wanted:
        gauss = tensors["random.python_gauss"].tolist()
        random.setstate((3, tuple(tensors["random.python"].tolist()), gauss[0] if gauss else None))


def _cuda_in_use() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]

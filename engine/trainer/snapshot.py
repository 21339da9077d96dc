"""A copy of the hero on the host, taken at a step boundary, that stays as it is while training goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil
import torch
from torch import Tensor

SPARE_SHARE = 0.1
"""Share of the machine's memory that a copy must leave free."""


@dataclass(frozen=True)
class HostCopy:
    """Tensors on the host by name. Before they are read, `ready` must have returned."""

    weights: dict[str, Tensor]
    """The examined weights: a checkpoint's folder."""
    state: dict[str, Tensor]
    """What the trainer needs beside them."""
    ready: Callable[[], None]
    """Waits until an accelerator has delivered everything."""


def nothing_to_wait_for() -> None:
    """The tensors are there already."""


def bytes_of(*groups: Mapping[str, Tensor]) -> int:
    """Bytes of all tensors."""
    return sum(t.numel() * t.element_size() for group in groups for t in group.values())


def fits_beside(size: int) -> bool:
    """Whether the machine's memory holds another ``size`` bytes and keeps some to spare."""
    memory = psutil.virtual_memory()
    return bool(memory.available - size > SPARE_SHARE * memory.total)


class HostRoom:
    """Where copies go. From a CUDA card into pinned memory, which is kept from one copy to the next: making it is slow.

    One copy at a time: the next one overwrites it.
    """

    def __init__(self) -> None:
        self._pinned: dict[str, Tensor] = {}
        self._stream: torch.cuda.Stream | None = None

    @torch.no_grad()
    def copy(self, weights: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> HostCopy:
        """Copy both groups of tensors.

        On a card the copies run on a stream of their own. The program goes on at once; the card itself begins nothing new
        before they are through, so no later step can change what is being copied.
        """
        named = {**{f"weights/{n}": t for n, t in weights.items()}, **{f"state/{n}": t for n, t in state.items()}}
        on_card = any(t.is_cuda for t in named.values())
        copies, ready = self._from_card(named) if on_card else (_clones(named), nothing_to_wait_for)
        return HostCopy(
            {n.removeprefix("weights/"): t for n, t in copies.items() if n.startswith("weights/")},
            {n.removeprefix("state/"): t for n, t in copies.items() if n.startswith("state/")},
            ready,
        )

    def _from_card(self, named: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Callable[[], None]]:
        if self._stream is None:
            self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        training = torch.cuda.current_stream()
        self._stream.wait_stream(training)
        copies: dict[str, Tensor] = {}
        with torch.cuda.stream(self._stream):
            for name, tensor in named.items():
                copies[name] = self._room(name, tensor).copy_(tensor, non_blocking=tensor.is_cuda)
        self._pinned = copies
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record(self._stream)
        training.wait_event(done)
        return copies, done.synchronize

    def _room(self, name: str, tensor: Tensor) -> Tensor:
        known = self._pinned.get(name)
        if known is not None and known.shape == tensor.shape and known.dtype == tensor.dtype:
            return known
        return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)


def _clones(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in named.items()}

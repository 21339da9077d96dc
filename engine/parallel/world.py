"""The processes that train one hero: orders from the first to the others, answers back, tensors both ways.

Orders travel over gloo between the hosts, whatever device the hero trains on, so that a resting engine keeps no card busy; a process that
waits for its next order waits as long as it takes.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch import Tensor

from configs.errors import RealmError
from engine.parallel.launch import Seat

_PATIENCE = datetime.timedelta(days=3650)
"""How long a process waits for its next order: a paused game may rest for months."""


class Verb(StrEnum):
    """What the first process can ask of the others."""

    WAKE = "wake"
    """Load the hero; carries a `engine.parallel.follower.Waking`."""
    TRAIN = "train"
    """One optimizer step; carries the receiver's `engine.parallel.loop.Share`."""
    EXAM = "exam"
    """Help to put together the whole hero as it sits exams."""
    WEIGHTS = "weights"
    """Help to put together the weights of a checkpoint's folder."""
    STATE = "state"
    """Help to put together what a checkpoint holds."""
    LOAD = "load"
    """Take back what a checkpoint held; the tensors follow."""
    SHELVE = "shelve"
    """Give memory back."""
    UNSHELVE = "unshelve"
    """Take it again."""
    STOP = "stop"
    """End."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order to one process."""

    verb: Verb
    data: Any = field(default=None, repr=False)


class World:
    """All processes of one trainer; made by each of them at the same time.

    Args:
        seat: which of them this is.
        kind: ``ddp`` or ``fsdp2``; the others learn it with their first order.
    """

    def __init__(self, seat: Seat, kind: str = "ddp") -> None:
        self.seat, self.kind = seat, kind
        # accelerate would choose its own way to shard; which way is ours to say, in one place.
        os.environ.pop("ACCELERATE_USE_FSDP", None)
        cards = torch.cuda.is_available() and torch.cuda.device_count() >= seat.local_processes
        dist.init_process_group("cpu:gloo,cuda:nccl" if cards else "gloo", rank=seat.rank, world_size=seat.processes)
        self._control = dist.new_group(backend="gloo", timeout=_PATIENCE)
        self._accelerator: Accelerator | None = None
        self.device = "cpu"

    @property
    def size(self) -> int:
        """Number of processes."""
        return self.seat.processes

    @property
    def first(self) -> bool:
        """Whether this process plays the game."""
        return self.seat.first

    @property
    def accelerator(self) -> Accelerator:
        """What wraps the model; there is one from `settle` on."""
        assert self._accelerator is not None
        return self._accelerator

    def settle(self, device: str) -> None:
        """Take this process's place on ``cpu`` or on its card.

        Raises:
            RealmError: there is no card for each process of this machine, or the device cannot train with several.
        """
        if device not in ("cpu", "cuda") or (
            device == "cuda" and torch.cuda.device_count() < self.seat.local_processes
        ):
            raise RealmError(
                f"{self.seat.local_processes} processes cannot share this machine's {device}",
                why=f"there are {torch.cuda.device_count()} CUDA cards",
                fix="set engine.processes to the number of cards, or engine.device to cpu",
                code="TOO_FEW_DEVICES",
            )
        if device == "cuda":
            torch.cuda.set_device(self.seat.local_rank)
        self.device = device
        self._accelerator = Accelerator(cpu=device == "cpu", mixed_precision="no")

    # ---------------------------------------------------------------- orders

    def order(self, verb: Verb, data: Any = None) -> None:
        """Give all others the same order (first process only)."""
        self.orders([Order(verb, data)] * self.size)

    def orders(self, orders: Sequence[Order]) -> Order:
        """Give each process its order, by rank; returns the first one's own (first process only)."""
        got: list[Any] = [None]
        dist.scatter_object_list(got, [orders[0], *orders[1:]], src=0, group=self._control)
        own: Order = got[0]
        return own

    def hear(self) -> Order:
        """Wait for the next order (other processes).

        Raises:
            RuntimeError: the first process is gone.
        """
        got: list[Any] = [None]
        dist.scatter_object_list(got, None, src=0, group=self._control)
        order: Order = got[0]
        return order

    def answers(self, mine: Any) -> list[Any]:
        """What every process answers, by rank; only the first gets them, the others an empty list."""
        got: list[Any] = [None] * self.size if self.first else []
        dist.gather_object(mine, got if self.first else None, dst=0, group=self._control)
        return got

    # ---------------------------------------------------------------- tensors

    def spread(self, tensor: Tensor | None, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """A tensor of the first process on the host of all; ``tensor`` is None elsewhere."""
        held = tensor.detach().to("cpu").contiguous() if tensor is not None else torch.empty(tuple(shape), dtype=dtype)
        # gloo sends numbers of some kinds only; bytes it always sends.
        dist.broadcast(held.view(-1).view(torch.uint8) if held.numel() else held, src=0, group=self._control)
        return held

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, the same bits in each; ``tensor`` is overwritten."""
        dist.all_reduce(tensor)
        return tensor

    def close(self) -> None:
        """Take leave of the others."""
        dist.destroy_process_group()

"""Parking: the accelerator is freed, weights and optimizer wait on the host, and training goes on exactly afterwards."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.parallel.loop import ParallelLoop
from engine.step import StepLoop


@dataclass(frozen=True)
class Parked:
    """A step loop on the host; of several processes each keeps its own part, and nothing is here but what was freed."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]
    weights: dict[str, Tensor]
    freed_bytes: int | None
    """What the process gave back to the accelerator, measured; None where it cannot be told."""


def park(loop: StepLoop) -> Parked | None:
    """Move everything off the accelerator; None where there is none to free. The loop cannot be used until `unpark`."""
    if loop.placement.device == "cpu":
        return None
    if isinstance(loop, ParallelLoop):
        return Parked({}, {}, {}, loop.shelve())
    return release(loop)


def release(loop: StepLoop) -> Parked:
    """Copy the state to the host, drop optimizer and average, and move the model there."""
    held = bytes_held(loop.placement.device)
    tensors, facts = loop.state()
    kept = {name: tensor.to("cpu", copy=True) for name, tensor in tensors.items()}
    weights = {name: tensor.to("cpu", copy=True) for name, tensor in loop.exam_weights().items()}
    del tensors
    loop.optimizer.zero_grad()
    del loop.optimizer
    loop.ema = None
    # The module's own way: transformers refuses to move some quantised models, whose weights can be moved.
    torch.nn.Module.to(loop.hero.model, "cpu")
    gc.collect()
    if loop.placement.device == "cuda":
        torch.cuda.empty_cache()
    elif loop.placement.device == "mps":
        torch.mps.empty_cache()
    left = bytes_held(loop.placement.device)
    return Parked(kept, facts, weights, None if held is None or left is None else held - left)


@torch.no_grad()
def unpark(loop: StepLoop, parked: Parked) -> None:
    """Back onto the accelerator, as if nothing had been."""
    if isinstance(loop, ParallelLoop):
        loop.unshelve()
        return
    torch.nn.Module.to(loop.hero.model, loop.placement.device)
    for name, weight in loop.hero.weights().items():
        weight.copy_(parked.weights[name])
    loop.optimizer = loop.new_optimizer()
    loop.ema = loop.new_average()
    loop.load(parked.tensors, parked.facts)


def bytes_held(device: str) -> int | None:
    """Memory that this process holds of an accelerator; None where it cannot be told."""
    if device == "cuda":
        return torch.cuda.memory_reserved()
    if device == "mps":
        return int(torch.mps.driver_allocated_memory())
    return None

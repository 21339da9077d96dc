"""Parking: the accelerator is freed, weights and optimizer wait on the host, and training goes on exactly afterwards."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.optim.build import build_optimizer
from engine.optim.ema import AveragedWeights
from engine.step import StepLoop


@dataclass(frozen=True)
class Parked:
    """A step loop on the host."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]
    weights: dict[str, Tensor]


def park(loop: StepLoop) -> Parked | None:
    """Move everything off the accelerator; None where there is none to free. The loop cannot be used until `unpark`."""
    if loop.placement.device == "cpu":
        return None
    tensors, facts = loop.state()
    parked = Parked(
        {name: tensor.to("cpu", copy=True) for name, tensor in tensors.items()},
        facts,
        {name: tensor.to("cpu", copy=True) for name, tensor in loop.exam_weights().items()},
    )
    loop.optimizer.zero_grad()
    del loop.optimizer
    loop.ema = None
    loop.hero.model.to("cpu")
    gc.collect()
    if loop.placement.device == "cuda":
        torch.cuda.empty_cache()
    return parked


@torch.no_grad()
def unpark(loop: StepLoop, parked: Parked) -> None:
    """Back onto the accelerator, as if nothing had been."""
    training = loop.hero.config.training
    loop.hero.model.to(loop.placement.device)
    for name, weight in loop.hero.weights().items():
        weight.copy_(parked.weights[name])
    loop.optimizer = build_optimizer(
        loop.hero.model, training, half=loop.placement.half_orthogonal, rounding=loop.placement.rounding
    )
    if training.ema_decay is not None:
        loop.ema = AveragedWeights(loop.hero.model, training.ema_decay)
    loop.load(parked.tensors, parked.facts)

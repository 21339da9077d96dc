"""Averaged weights: they sit the exams, answer the player, and are what a checkpoint's folder holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class AveragedWeights:
    """Exponential moving average of a model's trained weights; the average starts young and grows up to ``decay``."""

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._names, self._live = list(named), list(named.values())
        self._shadow = [p.detach().float().clone() for p in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the weights: decay = min(decay, (1 + t) / (10 + t))."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        pairs = list(zip(self._shadow, (p.detach() for p in self._live), strict=True))
        whole = [(average, p) for average, p in pairs if p.dtype is average.dtype]
        if whole:
            torch._foreach_lerp_([average for average, _ in whole], [p for _, p in whole], 1 - decay)
        for average, p in pairs:
            if (
                p.dtype is not average.dtype
            ):  # one fp32 copy at a time: together they would be twice as large as the model
                average.lerp_(p.float(), 1 - decay)
        self.updates += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model holds the average inside, and its own weights again afterwards. No training inside.

        Nothing is copied but half-precision weights, whose average is kept in fp32.
        """
        own = [p.data for p in self._live]
        for p, average in zip(self._live, self._shadow, strict=True):
            p.data = average.to(p.dtype)
        try:
            yield
        finally:
            for p, data in zip(self._live, own, strict=True):
                p.data = data

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights by name as the model holds them in an exam; the tensors themselves where they are fp32."""
        return {n: average.to(p.dtype) for n, average, p in zip(self._names, self._shadow, self._live, strict=True)}

    def unrounded(self) -> dict[str, Tensor]:
        """The averages of half-precision weights in full, by name; nothing where `weights` says it all."""
        named = zip(self._names, self._shadow, self._live, strict=True)
        return {n: average for n, average, p in named if p.dtype is not average.dtype}

    @torch.no_grad()
    def load(self, weights: Mapping[str, Tensor], updates: int) -> None:
        """Take the average from ``weights``."""
        for name, tensor in zip(self._names, self._shadow, strict=True):
            tensor.copy_(weights[name])
        self.updates = updates

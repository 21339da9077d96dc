"""Averaged weights: they sit the exams, answer the player, and are what a checkpoint's folder holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class AveragedWeights:
    """Exponential moving average of a model's weights; the average starts young and grows up to ``decay``."""

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._names = [name for name, _ in model.named_parameters()]
        self._live = [p for _, p in model.named_parameters()]
        self._shadow = [p.detach().clone() for p in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the weights: decay = min(decay, (1 + t) / (10 + t))."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self._shadow, [p.detach() for p in self._live], 1 - decay)
        self.updates += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model holds the average inside, and its own weights again afterwards. No copies, no training inside."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for index, p in enumerate(self._live):
            p.data, self._shadow[index] = self._shadow[index], p.data

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights by name; the tensors themselves."""
        return dict(zip(self._names, self._shadow, strict=True))

    @torch.no_grad()
    def load(self, weights: Mapping[str, Tensor], updates: int) -> None:
        """Take the average from ``weights``."""
        for name, tensor in zip(self._names, self._shadow, strict=True):
            tensor.copy_(weights[name])
        self.updates = updates

"""The weights an optimizer works on: the model's own, an fp32 copy that is kept, or one made for the moment of the update.

A bf16 number has 8 bits of mantissa: an update smaller than 1/256 of a weight is rounded away, every time. There are two ways out. ``master``
keeps the true weights in fp32 and shows the model their rounded copy (4 bytes a weight). ``stochastic`` keeps nothing: the new value is
rounded up or down by chance, in proportion to how near it lies, so that small updates arrive in the mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import Parameter

Rounding = Literal["none", "master", "stochastic"]
_BLOCK_NUMBERS = 64 * 1024 * 1024
"""Weights whose fp32 copies exist at a time (256 MB)."""
_SPREAD = 0x9E3779B97F4A7C15


class WorkingWeights:
    """Parameters by name, as the optimizer sees them.

    Args:
        named: the trainable parameters.
        rounding: ``none``: the parameters themselves.
        seed: of the stochastic rounding; together with the number of the update it decides every bit.
    """

    def __init__(self, named: Mapping[str, Parameter], rounding: Rounding, seed: int = 0) -> None:
        self.named = dict(named)
        self.rounding: Rounding = rounding
        self._seed = seed
        self._copies: dict[str, Parameter] = {}
        if rounding != "none":
            for name, p in self.named.items():
                kept = p.detach().float() if rounding == "master" else torch.empty(0, device=p.device)
                self._copies[name] = Parameter(kept.clone())

    def __getitem__(self, name: str) -> Parameter:
        """What the optimizer updates."""
        return self._copies.get(name, self.named[name])

    def blocks(self, names: Sequence[str]) -> Iterator[list[str]]:
        """``names`` in pieces that may be taken together."""
        if self.rounding == "none":
            yield list(names)
            return
        block: list[str] = []
        numbers = 0
        for name in names:
            size = self.named[name].numel()
            if block and numbers + size > _BLOCK_NUMBERS:
                yield block
                block, numbers = [], 0
            block.append(name)
            numbers += size
        if block:
            yield block

    @torch.no_grad()
    def take(self, names: Sequence[str]) -> None:
        """Give the working copies of ``names`` their values and gradients."""
        if self.rounding == "none":
            return
        for name in names:
            p, copy = self.named[name], self._copies[name]
            if self.rounding == "stochastic":
                copy.data = p.detach().float()
            copy.grad = None if p.grad is None else p.grad.float()

    @torch.no_grad()
    def give(self, names: Sequence[str], update: int) -> None:
        """Write the working copies back into the model's weights."""
        if self.rounding == "none":
            return
        for name in names:
            p, copy = self.named[name], self._copies[name]
            if self.rounding == "master" or p.dtype is copy.dtype:
                p.copy_(copy)
            else:
                round_by_chance(p, copy.detach(), self._generator(p.device, name, update))
            copy.grad = None
        self.drop(names)

    def drop(self, names: Sequence[str]) -> None:
        """Forget copies that were taken only to be looked at."""
        if self.rounding == "stochastic":
            for name in names:
                self._copies[name].data = torch.empty(0, device=self.named[name].device)

    def state(self) -> dict[str, Tensor]:
        """The kept copies by name; nothing where none are kept."""
        return {n: copy.detach() for n, copy in self._copies.items()} if self.rounding == "master" else {}

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the kept copies back."""
        for name, tensor in tensors.items():
            self._copies[name].copy_(tensor)

    def _generator(self, device: torch.device, name: str, update: int) -> torch.Generator:
        place = sum(ord(letter) * 31**n for n, letter in enumerate(name)) % 2**31
        mixed = (self._seed * _SPREAD + update * 0xBF58476D1CE4E5B9 + place) % 2**63
        return torch.Generator(device).manual_seed(mixed)


@torch.no_grad()
def round_by_chance(target: Tensor, value: Tensor, generator: torch.Generator) -> None:
    """Write finite fp32 ``value`` into bf16 ``target``, up or down with the probability that keeps the mean."""
    bits = value.contiguous().view(torch.int32)
    noise = torch.randint(0, 1 << 16, bits.shape, dtype=torch.int32, device=bits.device, generator=generator)
    target.copy_(noise.add_(bits).bitwise_and_(-(1 << 16)).view(torch.float32))

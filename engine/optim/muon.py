"""Muon with equally shaped matrices orthogonalised together.

The update is that of ``torch.optim.Muon`` (Keller Jordan, "Muon: an optimizer for hidden layers in neural networks",
2024): Nesterov momentum, five Newton-Schulz iterations, decoupled weight decay, step scaled by sqrt(max(1, rows/columns)).
torch's own iterates one matrix at a time and always in bf16, which a CPU without bf16 instructions has to emulate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

NS_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NS_STEPS = 5
_EPSILON = 1e-7


def orthogonalise(matrices: Tensor) -> Tensor:
    """Newton-Schulz on [n, rows, columns]: singular values are driven towards 1, directions stay."""
    a, b, c = NS_COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = matrices / matrices.flatten(1).norm(dim=1).clamp_(min=_EPSILON)[:, None, None]
    for _ in range(NS_STEPS):
        gram = torch.bmm(x.mT, x) if tall else torch.bmm(x, x.mT)
        poly = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, x, poly, beta=a) if tall else torch.baddbmm(x, poly, x, beta=a)
    return x


@dataclass(eq=False)
class _Family:
    """Matrices of one shape, which are orthogonalised together."""

    indices: list[int]
    momentum: Tensor
    """[n, rows, columns] float32."""
    step_scale: float


class BatchedMuon:
    """Muon over 2-D weights.

    Args:
        params: 2-D weights with gradients.
        lr: learning rate; may be changed between steps.
        momentum: of the Nesterov average.
        weight_decay: decoupled.
        half: iterate in bf16 (where it is native), else in fp32.
    """

    def __init__(
        self, params: Iterable[torch.nn.Parameter], *, lr: float, momentum: float, weight_decay: float, half: bool
    ) -> None:
        self.params = list(params)
        self.lr, self.momentum, self.weight_decay, self.half = lr, momentum, weight_decay, half
        groups: dict[tuple[int, int], list[int]] = {}
        for index, p in enumerate(self.params):
            if p.ndim != 2:
                raise ValueError(f"Muon takes matrices, not a tensor of shape {tuple(p.shape)}")
            groups.setdefault((p.shape[0], p.shape[1]), []).append(index)
        self._families = [
            _Family(
                indices,
                torch.zeros(len(indices), rows, columns, device=self.params[indices[0]].device),
                math.sqrt(max(1.0, rows / columns)),
            )
            for (rows, columns), indices in groups.items()
        ]

    @torch.no_grad()
    def step(self) -> None:
        """One update from the gradients; a weight without a gradient counts as having a zero one."""
        for family in self._families:
            members: list[Tensor] = [self.params[i] for i in family.indices]
            grads = torch.stack([p.grad if p.grad is not None else torch.zeros_like(p) for p in members]).float()
            family.momentum.lerp_(grads, 1 - self.momentum)
            update = grads.lerp_(family.momentum, self.momentum)
            whole = orthogonalise(update.bfloat16() if self.half else update).to(members[0].dtype)
            if self.weight_decay:
                torch._foreach_mul_(members, 1 - self.lr * self.weight_decay)
            torch._foreach_add_(members, whole.unbind(0), alpha=-self.lr * family.step_scale)

    def state(self) -> dict[str, Tensor]:
        """Momentum by index of the parameter."""
        return {
            f"momentum.{index}": family.momentum[n].clone()
            for family in self._families
            for n, index in enumerate(family.indices)
        }

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `state` gave."""
        for family in self._families:
            for n, index in enumerate(family.indices):
                family.momentum[n].copy_(tensors[f"momentum.{index}"])

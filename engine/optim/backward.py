"""Updates within the backward pass: each weight moves as soon as its gradient is whole, and the gradient is dropped at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import Parameter

from engine.optim.build import HeroOptimizer


@dataclass(eq=False)
class Arrivals:
    """What the gradients of one backward pass were."""

    squares: list[Tensor] = field(default_factory=list)
    """Squared norm of each, before its clip."""
    left_alone: list[str] = field(default_factory=list)
    """Weights whose gradient was not finite: neither they nor their optimizer state were touched."""

    def norm(self) -> Tensor:
        """Norm of the whole gradient."""
        return torch.stack(self.squares).sum().sqrt()


@contextmanager
def updating(optimizer: HeroOptimizer, max_norm: float) -> Iterator[Arrivals]:
    """A backward pass run inside updates the weights; at no time do two gradients wait.

    No gradient is compared with the others: each is clipped by its own norm. A weight that is used twice (embedding and head in one)
    moves when both of its gradients are added up. Whether a gradient is finite is read by the host before its weight moves.

    Args:
        optimizer: over the weights.
        max_norm: largest norm of one weight's gradient.
    """
    arrivals = Arrivals()
    names = {id(p): name for name, p in optimizer.named.items()}

    @torch.no_grad()
    def arrive(p: Parameter) -> None:
        grad = p.grad
        if grad is None:
            return
        norm = torch.linalg.vector_norm(grad, dtype=torch.float32)
        arrivals.squares.append(norm.square())
        if torch.isfinite(norm):
            grad.mul_((max_norm / (norm + 1e-6)).clamp(max=1.0))
            optimizer.step_one(names[id(p)])
        else:
            arrivals.left_alone.append(names[id(p)])
        p.grad = None

    handles = [p.register_post_accumulate_grad_hook(arrive) for p in optimizer.params]
    try:
        yield arrivals
    finally:
        for handle in handles:
            handle.remove()
    optimizer.updates += 1

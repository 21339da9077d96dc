"""The loss, taken only where a token is trained; logits exist a slice at a time and are never kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_SLICE_NUMBERS = 64 * 1024 * 1024
"""Logits made at a time (256 MB in fp32)."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadResult:
    """Loss of one forward pass."""

    total: Tensor
    """Scalar: weighted sum of the losses, in nats; carries the gradient where one is wanted."""
    losses: Tensor
    """[N] float32: loss of each token, unweighted."""
    right: Tensor
    """[N] bool: the most likely token was the right one."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadGradients:
    """Losses with the gradients of their weighted sum."""

    losses: Tensor
    right: Tensor
    hidden: Tensor
    """[N, H]."""
    weight: Tensor | None
    """[V, H] float32; None where the head is frozen."""


@torch.no_grad()
def head_gradients(
    hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor, *, train_head: bool = True
) -> HeadGradients:
    """Cross entropy at ``hidden`` and its gradients, slice by slice; arguments as in `head_loss`."""
    step = max(64, _SLICE_NUMBERS // weight.shape[0])
    weight_grad = torch.zeros_like(weight, dtype=torch.float32) if train_head else None
    hidden_grad, losses, right = [], [], []
    for first in range(0, hidden.shape[0], step):
        part = slice(first, first + step)
        states, wanted = hidden[part], targets[part, None]
        logits = (states @ weight.T).float()
        right.append(logits.argmax(-1) == wanted[:, 0])
        logp = torch.log_softmax(logits, -1)
        losses.append(-logp.gather(1, wanted)[:, 0])
        grad = logp.exp_()
        grad.scatter_add_(1, wanted, grad.new_full((1, 1), -1.0).expand_as(wanted))
        grad *= weights[part, None]
        grad = grad.to(states.dtype)
        hidden_grad.append(grad @ weight)
        if weight_grad is not None:
            weight_grad += grad.T @ states
    return HeadGradients(torch.cat(losses), torch.cat(right), torch.cat(hidden_grad), weight_grad)


class _SlicedCrossEntropy(torch.autograd.Function):
    """`head_gradients` as a differentiable sum; the gradients are ready when the loss is."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        made = head_gradients(hidden, weight, targets, weights, train_head=ctx.needs_input_grad[1])
        ctx.save_for_backward(made.hidden, made.weight)
        ctx.dtypes = (hidden.dtype, weight.dtype)
        ctx.mark_non_differentiable(made.losses, made.right)
        return (made.losses * weights).sum(), made.losses, made.right

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        scale = outer[0]
        hidden_grad, weight_grad = ctx.saved_tensors
        hidden_type, weight_type = ctx.dtypes
        to_weight = None if weight_grad is None else (weight_grad * scale).to(weight_type)
        return (hidden_grad * scale).to(hidden_type), to_weight, None, None


def head_loss(hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor) -> HeadResult:
    """Loss at given states.

    Args:
        hidden: [N, H] states from which ``targets`` are predicted.
        weight: [V, H] the head.
        targets: [N] int64.
        weights: [N] float32; 0 leaves a token out.
    """
    total, losses, right = _SlicedCrossEntropy.apply(hidden, weight, targets, weights)  # type: ignore[no-untyped-call]
    return HeadResult(total, losses, right)

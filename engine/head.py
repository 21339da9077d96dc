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
    """Scalar: weighted sum of the losses, in nats; carries the gradient."""
    losses: Tensor
    """[N] float32: loss of each token, unweighted."""
    right: Tensor
    """[N] bool: the most likely token was the right one."""


class _SlicedCrossEntropy(torch.autograd.Function):
    """Cross entropy over slices of tokens; the gradients are made in the forward pass, so no logits are kept."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        count = hidden.shape[0]
        step = max(64, _SLICE_NUMBERS // weight.shape[0])
        head_grad = ctx.needs_input_grad[1]
        weight_grad = torch.zeros_like(weight, dtype=torch.float32) if head_grad else None
        hidden_grad, losses, right = [], [], []
        for first in range(0, count, step):
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
        loss, hit = torch.cat(losses), torch.cat(right)
        ctx.save_for_backward(torch.cat(hidden_grad), weight_grad)
        ctx.dtypes = (hidden.dtype, weight.dtype)
        ctx.mark_non_differentiable(loss, hit)
        return (loss * weights).sum(), loss, hit

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

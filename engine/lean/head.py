"""The head of the passes by hand: `engine.head.head_gradients` in memory that is used again."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SLICE_NUMBERS = 8 * 1024 * 1024
"""Logits made at a time (32 MB)."""
_LEAST_TOKENS = 64

Buffer = Callable[[str, tuple[int, ...]], Tensor]


def head_pass(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    weights: Tensor,
    weight_grad: Tensor,
    to_hidden: Tensor,
    buffer: Buffer,
) -> tuple[Tensor, Tensor]:
    """Losses [N], and whether the target was the most likely token [N].

    Args:
        hidden: [N, C] states from which ``targets`` are predicted.
        weight: [V, C] the head.
        targets: [N] int64.
        weights: [N] float32.
        weight_grad: [V, C]; the gradient of the weighted sum of the losses is added.
        to_hidden: [N, C]; becomes the gradient of ``hidden``.
        buffer: gives memory by name and shape.
    """
    count, vocabulary = hidden.shape[0], weight.shape[0]
    step = max(_LEAST_TOKENS, SLICE_NUMBERS // vocabulary)
    losses = torch.empty(count)
    right = torch.empty(count, dtype=torch.bool)
    for first in range(0, count, step):
        part = slice(first, min(count, first + step))
        states, wanted = hidden[part], targets[part, None]
        shape = (states.shape[0], vocabulary)
        logits = torch.mm(states, weight.T, out=buffer("logits", shape))
        torch.eq(logits.argmax(-1), wanted[:, 0], out=right[part])
        logp = torch.ops.aten._log_softmax.out(logits, -1, False, out=buffer("logp", shape))
        losses[part] = logp.gather(1, wanted)[:, 0].neg_()
        grad = logp.exp_()
        grad.scatter_add_(1, wanted, grad.new_full((1, 1), -1.0).expand_as(wanted))
        grad.mul_(weights[part, None])
        torch.mm(grad, weight, out=to_hidden[part])
        weight_grad.addmm_(grad.T, states)
    return losses, right

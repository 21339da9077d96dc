"""The loss, taken only where a token is trained; logits exist a slice at a time and are never kept.

Every school shares this head. A school whose loss is a function of log-probabilities goes twice over the same states:
`log_probabilities` first, and then `head_loss` with the derivative of its loss by each log-probability (negated) as weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from configs.errors import RealmError

_SLICE_NUMBERS = {"cpu": 64 * 1024 * 1024, "cuda": 160 * 1024 * 1024}
"""Logits made at a time, by device (256 MB and 640 MB in fp32): on a card each slice also costs a pass over the head's gradient."""
_LEAST_TOKENS = 64


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
    hidden: Tensor | None
    """[N, H]; None where nobody asked for it."""
    weight: Tensor | None
    """[V, H] in the dtype it was summed in; None where the head is frozen."""


@dataclass(frozen=True, slots=True, eq=False)
class LogProbabilities:
    """What the hero thinks of given tokens; no gradient."""

    logp: Tensor
    """[N] float32: log-probability of each target."""
    entropy: Tensor
    """[N] float32: entropy of the distribution it was taken from, in nats."""
    right: Tensor
    """[N] bool: the target was the most likely token."""


def head_weight(model: Any) -> Tensor:
    """[V, H]: the model's head.

    Raises:
        RealmError: the model does more with its logits than one product, which this head would leave out.
    """
    head, config = model.get_output_embeddings(), model.config
    extras = [name for name in ("final_logit_softcapping", "logits_scaling", "logit_scale") if _does(config, name)]
    if getattr(head, "bias", None) is not None:
        extras.append("a bias of the head")
    if extras:
        raise RealmError(
            f"{type(model).__name__} cannot be trained",
            why=f"its head is more than one matrix: {', '.join(extras)}",
            fix="choose a model of a family that `realm hero list` names",
            code="HEAD_UNKNOWN",
        )
    weight: Tensor = head.weight
    return weight


def _does(config: Any, name: str) -> bool:
    return getattr(config, name, None) not in (None, 1, 1.0)


def slice_tokens(vocabulary: int, device: str) -> int:
    """Tokens whose logits are made together."""
    return max(_LEAST_TOKENS, _SLICE_NUMBERS.get(device, _SLICE_NUMBERS["cpu"]) // vocabulary)


@torch.no_grad()
def head_gradients(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    weights: Tensor,
    *,
    train_states: bool = True,
    train_head: bool = True,
    sum_dtype: torch.dtype = torch.float32,
) -> HeadGradients:
    """Cross entropy at ``hidden`` and those of its gradients that are wanted, slice by slice; arguments as in `head_loss`."""
    step = slice_tokens(weight.shape[0], weight.device.type)
    weight_grad = torch.zeros_like(weight, dtype=sum_dtype) if train_head else None
    hidden_grad, losses, right = [], [], []
    for first in range(0, hidden.shape[0], step):
        part = slice(first, first + step)
        states, wanted = hidden[part], targets[part, None]
        logits = (states @ weight.T).float()
        right.append(logits.argmax(-1) == wanted[:, 0])
        logp = torch.log_softmax(logits, -1)
        del logits
        losses.append(-logp.gather(1, wanted)[:, 0])
        if not train_states and weight_grad is None:
            continue
        grad = logp.exp_()
        grad.scatter_add_(1, wanted, grad.new_full((1, 1), -1.0).expand_as(wanted))
        grad *= weights[part, None]
        grad = grad.to(states.dtype)
        if train_states:
            hidden_grad.append(grad @ weight)
        if weight_grad is not None:
            if weight_grad.dtype == grad.dtype:
                weight_grad.addmm_(grad.T, states)
            else:
                weight_grad += grad.T @ states
    to_hidden = torch.cat(hidden_grad) if train_states else None
    return HeadGradients(torch.cat(losses), torch.cat(right), to_hidden, weight_grad)


@torch.no_grad()
def log_probabilities(hidden: Tensor, weight: Tensor, targets: Tensor) -> LogProbabilities:
    """Log-probability and entropy at ``hidden``, slice by slice; arguments as in `head_loss`."""
    step = slice_tokens(weight.shape[0], weight.device.type)
    logps, entropies, right = [], [], []
    for first in range(0, hidden.shape[0], step):
        part = slice(first, first + step)
        wanted = targets[part, None]
        logp = torch.log_softmax((hidden[part] @ weight.T).float(), -1)
        logps.append(logp.gather(1, wanted)[:, 0])
        right.append(logp.argmax(-1) == wanted[:, 0])
        entropies.append(-(logp.exp() * logp).sum(-1))
    return LogProbabilities(torch.cat(logps), torch.cat(entropies), torch.cat(right))


class _SlicedCrossEntropy(torch.autograd.Function):
    """`head_gradients` as a differentiable sum; the gradients are ready when the loss is."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        weights: Tensor,
        wanted: tuple[bool, bool],
        sum_dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor, Tensor]:
        made = head_gradients(
            hidden, weight, targets, weights, train_states=wanted[0], train_head=wanted[1], sum_dtype=sum_dtype
        )
        ctx.save_for_backward(made.hidden, made.weight)
        ctx.dtypes = (hidden.dtype, weight.dtype)
        ctx.mark_non_differentiable(made.losses, made.right)
        return (made.losses * weights).sum(), made.losses, made.right

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        scale = outer[0]
        hidden_grad, weight_grad = ctx.saved_tensors
        hidden_type, weight_type = ctx.dtypes
        to_weight = None if weight_grad is None else weight_grad.mul_(scale).to(weight_type)
        to_hidden = None if hidden_grad is None else (hidden_grad * scale).to(hidden_type)
        return to_hidden, to_weight, None, None, None, None


def head_loss(
    hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor, *, sum_dtype: torch.dtype = torch.float32
) -> HeadResult:
    """Loss at given states; where no gradient is recorded, none is computed.

    Args:
        hidden: [N, H] states from which ``targets`` are predicted.
        weight: [V, H] the head; its gradient is left out where it is frozen.
        targets: [N] int64.
        weights: [N] float32; 0 leaves a token out.
        sum_dtype: in which the head's gradient is summed over the slices; the weights' own dtype saves memory.
    """
    # Asked here: inside the function gradients are always off, and it is told of a weight that trains even where they are off outside.
    recorded = torch.is_grad_enabled()
    wanted = (recorded and hidden.requires_grad, recorded and weight.requires_grad)
    total, losses, right = _SlicedCrossEntropy.apply(hidden, weight, targets, weights, wanted, sum_dtype)  # type: ignore[no-untyped-call]
    return HeadResult(total, losses, right)

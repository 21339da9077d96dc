"""The matrices of a Qwen3 layer, with the norm scales in front of them folded in; and the way back for their gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

MOST_PARAMETERS = 200_000_000
"""Largest model: the passes keep a second copy of most weights, and gradients of that copy."""


def supports(model: Any) -> bool:
    """Whether this module computes ``model``: a plain Qwen3 of some size in fp32 on a CPU, all of whose weights learn."""
    config = model.config
    return (
        type(model).__name__ == "Qwen3ForCausalLM"
        and config.num_attention_heads % config.num_key_value_heads == 0
        and set(config.layer_types) == {"full_attention"}
        and config.hidden_act == "silu"
        and not config.attention_bias
        and not config.attention_dropout
        and config.rope_parameters["rope_type"] == "default"
        and all(p.dtype == torch.float32 and p.device.type == "cpu" and p.requires_grad for p in model.parameters())
        and sum(p.numel() for p in model.parameters()) <= MOST_PARAMETERS
    )


@dataclass(slots=True, eq=False)
class Folded:
    """One layer's matrices with the norm scales before them folded in, and their gradients of this step."""

    qkv: Tensor
    """[A + 2K, C]: query and key rows interleaved for complex rotation."""
    query_scale: Tensor
    """[D]: scale of the query norm, interleaved; carries 1/sqrt(D)."""
    key_scale: Tensor
    """[D]: scale of the key norm, interleaved."""
    out: Tensor
    """[C, A]."""
    gate_up: Tensor
    """[2F, C]."""
    down: Tensor
    """[C, F]."""
    grad_qkv: Tensor
    grad_query_scale: Tensor
    grad_key_scale: Tensor
    grad_gate_up: Tensor
    grad_out: Tensor
    """The weight's own ``grad``, as is the next one."""
    grad_down: Tensor


class Folding:
    """Folds and unfolds the layers of one model, always into the same memory.

    Query and key rows are interleaved, so that the two halves which a rotary angle turns become neighbours: a pair is then one
    complex number and the rotation one product. Scores do not change, because queries and keys are reordered alike.
    """

    def __init__(self, model: Any) -> None:
        config = model.config
        self.heads, self.pairs, self.dim = (
            int(config.num_attention_heads),
            int(config.num_key_value_heads),
            int(config.head_dim),
        )
        dim = self.dim
        self._order = torch.arange(dim).view(2, dim // 2).T.flatten()
        self._order_back = torch.argsort(self._order)
        angles = torch.arange(int(config.max_position_embeddings)).float()[:, None] * model.model.rotary_emb.inv_freq
        self.rotations = torch.polar(torch.ones_like(angles), angles)
        """[positions, D/2] complex."""
        self._kept: dict[tuple[int, str], Tensor] = {}

    def fold(self, number: int, layer: Any) -> Folded:
        """The matrices of layer ``number`` as they are now, with empty gradients."""
        attention, mlp = layer.self_attn, layer.mlp
        size, side, inner = self.heads * self.dim, self.pairs * self.dim, mlp.down_proj.weight.shape[1]
        width = attention.q_proj.weight.shape[1]
        qkv = self._buffer(number, "qkv", (size + 2 * side, width))
        before = layer.input_layernorm.weight
        torch.mul(self._interleaved(attention.q_proj.weight), before, out=self._turnable(qkv[:size]))
        torch.mul(self._interleaved(attention.k_proj.weight), before, out=self._turnable(qkv[size : size + side]))
        torch.mul(attention.v_proj.weight, before, out=qkv[size + side :])
        gate_up = self._buffer(number, "gate_up", (2 * inner, width))
        between = layer.post_attention_layernorm.weight
        torch.mul(mlp.gate_proj.weight, between, out=gate_up[:inner])
        torch.mul(mlp.up_proj.weight, between, out=gate_up[inner:])
        return Folded(
            qkv,
            attention.q_norm.weight[self._order] * self.dim**-0.5,
            attention.k_norm.weight[self._order],
            attention.o_proj.weight.detach(),
            gate_up,
            mlp.down_proj.weight.detach(),
            self._buffer(number, "grad_qkv", qkv.shape).zero_(),
            torch.zeros(self.dim),
            torch.zeros(self.dim),
            self._buffer(number, "grad_gate_up", gate_up.shape).zero_(),
            self.gradient(attention.o_proj.weight),
            self.gradient(mlp.down_proj.weight),
        )

    def unfold(self, layer: Any, parts: Folded) -> None:
        """Add the gradients of ``parts`` to the layer's own weights."""
        attention, mlp = layer.self_attn, layer.mlp
        size, side, inner = self.heads * self.dim, self.pairs * self.dim, mlp.down_proj.weight.shape[1]
        scratch = self._buffer(-1, "scratch", (max(size, inner), parts.qkv.shape[1]))
        before, between = layer.input_layernorm.weight, layer.post_attention_layernorm.weight
        for weight, norm, grad in (
            (attention.q_proj.weight, before, self._turnable(parts.grad_qkv[:size])),
            (attention.k_proj.weight, before, self._turnable(parts.grad_qkv[size : size + side])),
            (attention.v_proj.weight, before, parts.grad_qkv[size + side :]),
            (mlp.gate_proj.weight, between, parts.grad_gate_up[:inner]),
            (mlp.up_proj.weight, between, parts.grad_gate_up[inner:]),
        ):
            turned = grad.ndim > 2
            own = self._interleaved(weight) if turned else weight.detach()
            into = self.gradient(weight)
            torch.mul(grad, own, out=scratch[: weight.shape[0]].view(grad.shape))
            self.gradient(norm).add_(scratch[: weight.shape[0]].sum(0))
            (self._interleaved(into) if turned else into).addcmul_(grad, norm.detach())
        self.gradient(attention.q_norm.weight).add_(parts.grad_query_scale[self._order_back], alpha=self.dim**-0.5)
        self.gradient(attention.k_norm.weight).add_(parts.grad_key_scale[self._order_back])

    def gradient(self, weight: torch.nn.Parameter) -> Tensor:
        """The weight's gradient; where it has none yet, the same memory every time, filled with zeros."""
        if weight.grad is None:
            weight.grad = self._buffer(id(weight), "grad", weight.shape).zero_()
        return weight.grad

    def _interleaved(self, matrix: Tensor) -> Tensor:
        """[heads, D/2, 2, C] view of [heads * D, C] in which the two halves of a head are neighbours."""
        return matrix.detach().view(-1, 2, self.dim // 2, matrix.shape[1]).transpose(1, 2)

    def _turnable(self, matrix: Tensor) -> Tensor:
        """[heads, D/2, 2, C] view of interleaved rows."""
        return matrix.view(-1, self.dim // 2, 2, matrix.shape[1])

    def _buffer(self, number: int, name: str, shape: torch.Size | tuple[int, ...]) -> Tensor:
        found = self._kept.get((number, name))
        if found is None or found.shape != torch.Size(shape):
            found = self._kept[number, name] = torch.empty(shape)
        return found

"""The matrices of a Qwen3 layer, with the norm scales in front of them folded in; and the way back for their gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


def supports(model: Any) -> bool:
    """Whether this module computes ``model``: a plain Qwen3 in fp32 on a CPU, as many key heads as query heads."""
    config = model.config
    return (
        type(model).__name__ == "Qwen3ForCausalLM"
        and config.num_key_value_heads == config.num_attention_heads
        and set(config.layer_types) == {"full_attention"}
        and config.hidden_act == "silu"
        and not config.attention_bias
        and config.rope_parameters["rope_type"] == "default"
        and all(p.dtype == torch.float32 and p.device.type == "cpu" for p in model.parameters())
    )


@dataclass(slots=True, eq=False)
class Folded:
    """One layer's matrices with the norm scales before them folded in, and their gradients of this step."""

    qkv: Tensor
    """[3A, C]: query and key rows interleaved for complex rotation."""
    head_scale: Tensor
    """[2H, D]: scales of the query and key norms, interleaved; queries carry 1/sqrt(D)."""
    out: Tensor
    """[C, A]."""
    gate_up: Tensor
    """[2F, C]."""
    down: Tensor
    """[C, F]."""
    grad_qkv: Tensor
    grad_head_scale: Tensor
    grad_out: Tensor
    grad_gate_up: Tensor
    grad_down: Tensor


class Folding:
    """Folds and unfolds the layers of one model.

    Query and key rows are interleaved, so that the two halves which a rotary angle turns become neighbours: a pair is then one
    complex number and the rotation one product. Scores do not change, because queries and keys are reordered alike.
    """

    def __init__(self, model: Any) -> None:
        config = model.config
        self.heads, self.dim = int(config.num_attention_heads), int(config.head_dim)
        dim = self.dim
        self._order = torch.arange(dim).view(2, dim // 2).T.flatten()
        self._row_order = (torch.arange(self.heads)[:, None] * dim + self._order).flatten()
        self._order_back, self._row_back = torch.argsort(self._order), torch.argsort(self._row_order)
        angles = torch.arange(int(config.max_position_embeddings)).float()[:, None] * model.model.rotary_emb.inv_freq
        self.rotations = torch.polar(torch.ones_like(angles), angles)
        """[positions, D/2] complex."""

    def fold(self, layer: Any) -> Folded:
        """The layer's matrices as they are now, with empty gradients."""
        attention, mlp = layer.self_attn, layer.mlp
        scale = torch.stack(
            [attention.q_norm.weight[self._order] * self.dim**-0.5, attention.k_norm.weight[self._order]]
        ).repeat_interleave(self.heads, 0)
        parts = (
            self._plain_qkv(attention) * layer.input_layernorm.weight,
            scale,
            attention.o_proj.weight.detach(),
            torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]).mul_(layer.post_attention_layernorm.weight),
            mlp.down_proj.weight.detach(),
        )
        return Folded(*parts, *(torch.zeros_like(p) for p in parts))

    def _plain_qkv(self, attention: Any) -> Tensor:
        order = self._row_order
        return torch.cat([attention.q_proj.weight[order], attention.k_proj.weight[order], attention.v_proj.weight])

    def unfold(self, layer: Any, parts: Folded) -> None:
        """Add the gradients of ``parts`` to the layer's own weights."""
        attention, mlp = layer.self_attn, layer.mlp
        size, back = self.heads * self.dim, self._row_back
        norm = layer.input_layernorm.weight
        _add(norm, (parts.grad_qkv * self._plain_qkv(attention)).sum(0))
        grad = parts.grad_qkv * norm
        _add(attention.q_proj.weight, grad[:size][back])
        _add(attention.k_proj.weight, grad[size : 2 * size][back])
        _add(attention.v_proj.weight, grad[2 * size :])
        norm = layer.post_attention_layernorm.weight
        _add(norm, (parts.grad_gate_up * torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])).sum(0))
        gate, up = (parts.grad_gate_up * norm).chunk(2)
        _add(mlp.gate_proj.weight, gate)
        _add(mlp.up_proj.weight, up)
        _add(attention.o_proj.weight, parts.grad_out)
        _add(mlp.down_proj.weight, parts.grad_down)
        by_head = parts.grad_head_scale.view(2, self.heads, self.dim).sum(1)[:, self._order_back]
        _add(attention.q_norm.weight, by_head[0] * self.dim**-0.5)
        _add(attention.k_norm.weight, by_head[1])


def _add(weight: torch.nn.Parameter, grad: Tensor) -> None:
    weight.grad = grad.contiguous() if weight.grad is None else weight.grad.add_(grad)

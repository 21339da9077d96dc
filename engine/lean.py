"""The hatchling's forward and backward pass by hand, for one CPU core.

The same function as transformers' Qwen3 with the same weights (a test compares every gradient); what differs is the work:
no autograd graph, buffers that are used again, a few rows at a time so that they stay in the core's cache, norm scales folded
into the matrices behind them, and in the last layer queries and feed-forward only where a token is trained.

Shapes: R rows of W tokens, T = R*W; H heads of D, A = H*D; C width; F feed-forward; Q queries a row in the last layer, M = R*Q.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.batch import Batch
from engine.head import HeadResult, head_gradients

_CHUNK_TOKENS = 2048
"""Tokens worked on at a time."""
_QUERY_STEP = 8


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
class _Folded:
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


@dataclass(slots=True, eq=False)
class _Saved:
    """What the backward pass of one layer needs."""

    normed: Tensor
    scale: Tensor
    asked: Tensor
    q_unit: Tensor
    q_scale: Tensor
    k_unit: Tensor
    k_scale: Tensor
    q_rotation: Tensor
    q: Tensor
    k: Tensor
    v: Tensor
    shares: Tensor
    context: Tensor
    normed2: Tensor
    scale2: Tensor
    gate: Tensor
    up: Tensor
    soft: Tensor
    active: Tensor


@dataclass(slots=True, eq=False)
class _Chunk:
    """Some rows of a batch, and where in them tokens are trained."""

    ids: Tensor
    """[T]."""
    rotation: Tensor
    """[R, W, 1, D/2] complex: the rotary angles."""
    mask: Tensor
    """[R, W, W] additive."""
    entries: Tensor
    """[N] indices into the batch's trained tokens."""
    queries: Tensor
    """[M] indices into T; a row's free places repeat its first token."""
    slots: Tensor
    """[N] indices into M."""
    rows: int
    width: int
    per_row: int


class LeanQwen3:
    """Forward and backward of one model; gradients are added to the weights' ``grad``."""

    def __init__(self, model: Any) -> None:
        config = model.config
        self._model = model
        self._heads, self._dim = int(config.num_attention_heads), int(config.head_dim)
        self._eps = float(config.rms_norm_eps)
        dim = self._dim
        self._order = torch.arange(dim).view(2, dim // 2).T.flatten()
        """Interleaves the halves of a head, so that (i, i + D/2) become neighbours."""
        rows = torch.arange(self._heads)[:, None] * dim + self._order
        self._row_order = rows.flatten()
        angles = torch.arange(int(config.max_position_embeddings)).float()[:, None] * model.model.rotary_emb.inv_freq
        self._rotations = torch.polar(torch.ones_like(angles), angles)
        self._pool: dict[str, Tensor] = {}

    @torch.no_grad()
    def loss_and_gradients(self, batch: Batch, divisor: float) -> HeadResult:
        """Loss of ``batch``; the gradient of ``total / divisor`` is added to every weight's ``grad``."""
        model = self._model
        folded = [self._fold(layer) for layer in model.model.layers]
        embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
        for p in {id(p): p for p in (embedding, head, model.model.norm.weight)}.values():
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        count = batch.sources.shape[0]
        losses = torch.zeros(count)
        right = torch.zeros(count, dtype=torch.bool)
        for chunk in self._chunks(batch):
            saved, states, scale = self._forward(folded, chunk, embedding)
            final = model.model.norm.weight
            hidden = states.index_select(0, chunk.slots)
            made = head_gradients(
                hidden * final,
                head,
                batch.targets[chunk.entries],
                batch.weights[chunk.entries] / divisor,
            )
            losses[chunk.entries], right[chunk.entries] = made.losses, made.right
            if made.weight is not None:
                head.grad += made.weight
            final.grad += (made.hidden * hidden).sum(0)
            grad = torch.zeros_like(states).index_copy_(0, chunk.slots, made.hidden * final)
            self._norm_back(grad, states, scale)
            grad = self._backward(folded, chunk, saved, grad)
            embedding.grad.index_add_(0, chunk.ids, grad)
        for layer, parts in zip(model.model.layers, folded, strict=True):
            self._unfold(layer, parts)
        return HeadResult((losses * batch.weights).sum(), losses, right)

    # ---------------------------------------------------------------- one layer's matrices

    def _fold(self, layer: Any) -> _Folded:
        attention, mlp = layer.self_attn, layer.mlp
        scale = torch.stack(
            [attention.q_norm.weight[self._order] * self._dim**-0.5, attention.k_norm.weight[self._order]]
        ).repeat_interleave(self._heads, 0)
        parts = (
            self._plain_qkv(attention) * layer.input_layernorm.weight,
            scale,
            attention.o_proj.weight.detach(),
            torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]).mul_(layer.post_attention_layernorm.weight),
            mlp.down_proj.weight.detach(),
        )
        return _Folded(*parts, *(torch.zeros_like(p) for p in parts))

    def _plain_qkv(self, attention: Any) -> Tensor:
        order = self._row_order
        return torch.cat([attention.q_proj.weight[order], attention.k_proj.weight[order], attention.v_proj.weight])

    def _unfold(self, layer: Any, parts: _Folded) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        size, back, inner = self._heads * self._dim, torch.argsort(self._row_order), torch.argsort(self._order)
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
        by_head = parts.grad_head_scale.view(2, self._heads, self._dim).sum(1)[:, inner]
        _add(attention.q_norm.weight, by_head[0] * self._dim**-0.5)
        _add(attention.k_norm.weight, by_head[1])

    # ---------------------------------------------------------------- rows of a batch

    def _chunks(self, batch: Batch) -> list[_Chunk]:
        rows, width = batch.input_ids.shape
        step = max(1, _CHUNK_TOKENS // width)
        sources = batch.sources.numpy()[: batch.trained_tokens]
        row_of = sources // width
        mask = batch.mask("eager", torch.float32)[:, 0]
        chunks: list[_Chunk] = []
        for first in range(0, rows, step):
            last = min(rows, first + step)
            entries = np.flatnonzero((row_of >= first) & (row_of < last))
            if not len(entries):
                continue
            here = row_of[entries] - first
            sort = np.argsort(here, kind="stable")
            entries, here = entries[sort], here[sort]
            counts = np.bincount(here, minlength=last - first)
            rank = np.arange(len(here)) - np.repeat(np.cumsum(counts) - counts, counts)
            per_row = -(-int(counts.max()) // _QUERY_STEP) * _QUERY_STEP
            queries = np.repeat(np.arange(last - first) * width, per_row)
            slots = here * per_row + rank
            queries[slots] = sources[entries] - first * width
            positions = batch.positions[first:last]
            chunks.append(
                _Chunk(
                    ids=batch.input_ids[first:last].flatten(),
                    rotation=self._rotations[positions][:, :, None],
                    mask=mask[first:last],
                    entries=torch.from_numpy(entries),
                    queries=torch.from_numpy(queries),
                    slots=torch.from_numpy(slots),
                    rows=last - first,
                    width=width,
                    per_row=per_row,
                )
            )
        return chunks

    # ---------------------------------------------------------------- forward

    def _forward(self, folded: list[_Folded], chunk: _Chunk, embedding: Tensor) -> tuple[list[_Saved], Tensor, Tensor]:
        x = embedding.index_select(0, chunk.ids)
        saved: list[_Saved] = []
        for number, parts in enumerate(folded):
            x, kept = self._layer(number, parts, chunk, x, last=number == len(folded) - 1)
            saved.append(kept)
        states = self._buffer("final", x.shape)
        return saved, states, self._norm(x, states, "final")

    def _layer(self, number: int, parts: _Folded, chunk: _Chunk, x: Tensor, *, last: bool) -> tuple[Tensor, _Saved]:
        heads, dim = self._heads, self._dim
        size, rows, width = heads * dim, chunk.rows, chunk.width
        normed = self._buffer(f"normed{number}", x.shape)
        scale = self._norm(x, normed, f"scale{number}")
        per_row = chunk.per_row if last else width
        if last:
            asked = normed.index_select(0, chunk.queries)
            x = x.index_select(0, chunk.queries)
            query = torch.mm(asked, parts.qkv[:size].T)
            pair = torch.mm(normed, parts.qkv[size:].T)
            q_rotation = chunk.rotation.flatten(0, 1).index_select(0, chunk.queries).view(rows, per_row, 1, -1)
        else:
            asked = normed
            whole = torch.mm(normed, parts.qkv.T, out=self._buffer("qkv", (rows * width, 3 * size)))
            query, pair = whole[:, :size], whole[:, size:]
            q_rotation = chunk.rotation
        q_unit, q_scale, q = self._turn(query, parts.head_scale[:heads], q_rotation, rows, f"q{number}")
        k_unit, k_scale, k = self._turn(pair[:, :size], parts.head_scale[heads:], chunk.rotation, rows, f"k{number}")
        v = self._buffer(f"v{number}", (heads, rows, width, dim))
        v.permute(1, 2, 0, 3).copy_(pair[:, size:].view(rows, width, heads, dim))
        q, k, v = q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)
        scores = torch.bmm(q, k.mT, out=self._buffer("scores", (heads * rows, per_row, width)))
        scores.view(heads, rows, per_row, width).add_(self._query_mask(chunk) if last else chunk.mask)
        shares = torch.softmax(scores, -1, out=self._buffer(f"shares{number}", scores.shape))
        mixed = torch.bmm(shares, v, out=self._buffer("mixed", (heads * rows, per_row, dim)))
        context = self._buffer(f"context{number}", (rows * per_row, size))
        context.view(rows, per_row, heads, dim).copy_(mixed.view(heads, rows, per_row, dim).permute(1, 2, 0, 3))
        x = torch.addmm(x, context, parts.out.T)
        normed2 = self._buffer(f"normed2{number}", x.shape)
        scale2 = self._norm(x, normed2, f"scale2{number}")
        inner = parts.down.shape[1]
        gate_up = torch.mm(normed2, parts.gate_up.T, out=self._buffer(f"gate_up{number}", (x.shape[0], 2 * inner)))
        gate, up = gate_up[:, :inner], gate_up[:, inner:]
        soft = torch.sigmoid(gate, out=self._buffer(f"soft{number}", (x.shape[0], inner)))
        active = torch.mul(gate, soft, out=self._buffer(f"active{number}", soft.shape)).mul_(up)
        x = torch.addmm(x, active, parts.down.T)
        return x, _Saved(
            normed,
            scale,
            asked,
            q_unit,
            q_scale,
            k_unit,
            k_scale,
            q_rotation,
            q,
            k,
            v,
            shares,
            context,
            normed2,
            scale2,
            gate,
            up,
            soft,
            active,
        )

    def _norm(self, x: Tensor, out: Tensor, name: str) -> Tensor:
        """``out`` = x / rms(x); returns 1 / rms(x) as a column."""
        scale: Tensor = torch.linalg.vector_norm(
            x, dim=1, keepdim=True, out=self._buffer(f"{name}.rms", (x.shape[0], 1))
        )
        scale.square_().mul_(1 / x.shape[1]).add_(self._eps).rsqrt_()
        torch.mul(x, scale, out=out)
        return scale

    def _turn(
        self, x: Tensor, head_scale: Tensor, rotation: Tensor, rows: int, name: str
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Head norm and rotary angle: (unit heads, 1 / rms, [H, rows, places, D])."""
        heads, dim = self._heads, self._dim
        x = x.view(x.shape[0], heads, dim)
        scale = torch.linalg.vector_norm(x, dim=2, keepdim=True)
        scale.square_().mul_(1 / dim).add_(self._eps).rsqrt_()
        unit = torch.mul(x, scale, out=self._buffer(f"{name}.unit", (x.shape[0], heads, dim)))
        scaled = torch.mul(unit, head_scale, out=self._buffer("turn", unit.shape))
        places = x.shape[0] // rows
        turned = self._buffer(name, (heads, rows, places, dim))
        torch.mul(
            _complex(scaled).view(rows, places, heads, dim // 2), rotation, out=_complex(turned).permute(1, 2, 0, 3)
        )
        return unit, scale, turned

    def _query_mask(self, chunk: _Chunk) -> Tensor:
        mask = chunk.mask.flatten(0, 1).index_select(0, chunk.queries)
        return mask.view(chunk.rows, chunk.per_row, chunk.width)

    # ---------------------------------------------------------------- backward

    def _backward(self, folded: list[_Folded], chunk: _Chunk, saved: list[_Saved], grad: Tensor) -> Tensor:
        """Gradient of the embedded tokens [T, C] from the gradient [M, C] before the final norm."""
        for number in range(len(folded) - 1, -1, -1):
            grad = self._layer_back(folded[number], chunk, saved[number], grad, last=number == len(folded) - 1)
        return grad

    def _layer_back(self, parts: _Folded, chunk: _Chunk, s: _Saved, grad: Tensor, *, last: bool) -> Tensor:
        heads, dim = self._heads, self._dim
        size, rows, width = heads * dim, chunk.rows, chunk.width
        per_row = chunk.per_row if last else width
        # feed-forward
        parts.grad_down.addmm_(grad.T, s.active)
        inner = s.soft.shape[1]
        to_active = torch.mm(grad, parts.down, out=self._buffer("to_active", s.soft.shape))
        to_gate_up = self._buffer("to_gate_up", (grad.shape[0], 2 * inner))
        to_gate, to_up = to_gate_up[:, :inner], to_gate_up[:, inner:]
        torch.mul(s.gate, s.soft, out=to_up)
        torch.addcmul(to_up, to_up, s.soft, value=-1, out=to_gate)
        to_gate.add_(s.soft).mul_(s.up).mul_(to_active)
        to_up.mul_(to_active)
        parts.grad_gate_up.addmm_(to_gate_up.T, s.normed2)
        back = torch.mm(to_gate_up, parts.gate_up, out=self._buffer("back", grad.shape))
        self._norm_back(back, s.normed2, s.scale2)
        grad = grad.add_(back)
        # attention
        parts.grad_out.addmm_(grad.T, s.context)
        to_context = torch.mm(grad, parts.out, out=self._buffer("to_context", (grad.shape[0], size)))
        to_mixed = self._buffer("to_mixed", (heads, rows, per_row, dim))
        to_mixed.permute(1, 2, 0, 3).copy_(to_context.view(rows, per_row, heads, dim))
        to_mixed = to_mixed.flatten(0, 1)
        to_shares = torch.bmm(to_mixed, s.v.mT, out=self._buffer("scores", s.shares.shape))
        to_scores = torch._softmax_backward_data(to_shares, s.shares, -1, torch.float32)
        to_v = torch.bmm(s.shares.mT, to_mixed)
        to_q = torch.bmm(to_scores, s.k)
        to_k = torch.bmm(to_scores.mT, s.q)
        if last:
            to_query, to_pair = (
                self._buffer("to_query", (grad.shape[0], size)),
                self._buffer("qkv", (rows * width, 2 * size)),
            )
        else:
            to_qkv = self._buffer("qkv", (rows * width, 3 * size))
            to_query, to_pair = to_qkv[:, :size], to_qkv[:, size:]
        q_head, k_head = parts.grad_head_scale[:heads], parts.grad_head_scale[heads:]
        self._turn_back(to_q, s.q_unit, s.q_scale, parts.head_scale[:heads], s.q_rotation, rows, q_head, to_query)
        self._turn_back(
            to_k, s.k_unit, s.k_scale, parts.head_scale[heads:], chunk.rotation, rows, k_head, to_pair[:, :size]
        )
        to_pair[:, size:].view(rows, width, heads, dim).copy_(to_v.view(heads, rows, width, dim).permute(1, 2, 0, 3))
        if last:
            parts.grad_qkv[:size].addmm_(to_query.T, s.asked)
            parts.grad_qkv[size:].addmm_(to_pair.T, s.normed)
            to_normed = torch.mm(to_pair, parts.qkv[size:])
            to_normed.index_add_(0, chunk.queries, torch.mm(to_query, parts.qkv[:size]))
        else:
            parts.grad_qkv.addmm_(to_qkv.T, s.normed)
            to_normed = torch.mm(to_qkv, parts.qkv)
        self._norm_back(to_normed, s.normed, s.scale)
        return to_normed.index_add_(0, chunk.queries, grad) if last else to_normed.add_(grad)

    def _norm_back(self, grad: Tensor, normed: Tensor, scale: Tensor) -> None:
        """In place: from the gradient of ``normed`` to that of what was normed."""
        along = torch.linalg.vecdot(grad, normed).mul_(1 / normed.shape[1])
        grad.addcmul_(normed, along[:, None], value=-1).mul_(scale)

    def _turn_back(
        self,
        grad: Tensor,
        unit: Tensor,
        scale: Tensor,
        head_scale: Tensor,
        rotation: Tensor,
        rows: int,
        grad_head_scale: Tensor,
        out: Tensor,
    ) -> None:
        heads, dim = self._heads, self._dim
        places = unit.shape[0] // rows
        turned = self._buffer("turn", unit.shape)
        torch.mul(
            _complex(grad).view(heads, rows, places, dim // 2).permute(1, 2, 0, 3),
            rotation.conj(),
            out=_complex(turned).view(rows, places, heads, dim // 2),
        )
        product = torch.mul(turned, unit, out=self._buffer("product", unit.shape))
        grad_head_scale += product.sum(0)
        along = product.mul_(head_scale).sum(2, keepdim=True).mul_(1 / dim)
        turned.mul_(head_scale).addcmul_(unit, along, value=-1)
        torch.mul(turned, scale, out=out.view(out.shape[0], heads, dim))

    def _buffer(self, name: str, shape: Sequence[int]) -> Tensor:
        """Memory that is used again in the next step; its content is whatever was there."""
        count = math.prod(shape)
        flat = self._pool.get(name)
        if flat is None or flat.numel() < count:
            flat = self._pool[name] = torch.empty(count)
        return flat[:count].view(shape)


def _complex(x: Tensor) -> Tensor:
    """Neighbours along the last dimension as complex numbers."""
    return torch.view_as_complex(x.view(*x.shape[:-1], x.shape[-1] // 2, 2))


def _add(weight: torch.nn.Parameter, grad: Tensor) -> None:
    weight.grad = grad.contiguous() if weight.grad is None else weight.grad.add_(grad)

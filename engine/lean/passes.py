"""Forward and backward pass of the whole model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.batch import Batch
from engine.head import HeadResult
from engine.lean.attention import Attended, Attention, as_complex
from engine.lean.head import head_pass
from engine.lean.rows import Chunk, chunks
from engine.lean.weights import Folded, Folding

CHUNK_BYTES = 1_500_000_000
"""What the forward pass of a chunk may leave for the backward pass, about."""


@dataclass(slots=True, eq=False)
class Turned:
    """Queries or keys of one layer on their way through norm and scale."""

    unit: Tensor
    """[places, heads, D] after the norm."""
    scale: Tensor
    """[places, heads, 1]: 1 / rms."""


@dataclass(slots=True, eq=False)
class Saved:
    """What the backward pass of one layer needs."""

    normed: Tensor
    scale: Tensor
    asked: Tensor
    query: Turned
    key: Turned
    attended: Attended
    context: Tensor
    normed2: Tensor
    scale2: Tensor
    gate: Tensor
    up: Tensor
    soft: Tensor
    active: Tensor


class LeanQwen3:
    """Forward and backward of one model; gradients are added to the weights' ``grad``.

    A gradient that is not there yet is made in the same memory every time: take a copy to keep it beyond the next step.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.folding = Folding(model)
        self.heads, self.pairs, self.dim = self.folding.heads, self.folding.pairs, self.folding.dim
        self.attention = Attention(self.heads, self.pairs, self.dim, self.buffer)
        self._eps = float(model.config.rms_norm_eps)
        config = model.config
        kept = 3 * config.hidden_size + 5 * config.intermediate_size + (5 * self.heads + 3 * self.pairs) * self.dim
        self._tokens = CHUNK_BYTES // (4 * kept * config.num_hidden_layers)
        self._padding = model.get_input_embeddings().padding_idx
        self._pool: dict[str, Tensor] = {}

    @torch.no_grad()
    def loss_and_gradients(self, batch: Batch, divisor: float) -> HeadResult:
        """Loss of ``batch``; the gradient of ``total / divisor`` is added to every weight's ``grad``."""
        model = self.model
        folded = self.fold()
        embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
        final = model.model.norm.weight
        to_embedding, to_head, to_final = (self.folding.gradient(p) for p in (embedding, head, final))
        count = batch.sources.shape[0]
        losses = torch.zeros(count)
        right = torch.zeros(count, dtype=torch.bool)
        for chunk in chunks(batch, self.folding.rotations, self._tokens, fused=self.attention.fused):
            saved, states, scale = self.forward(folded, chunk, embedding)
            entries, trained, filled = chunk.entries, len(chunk.entries), len(chunk.places)
            shape = (filled, states.shape[1])
            hidden = torch.index_select(states, 0, chunk.places, out=self.buffer("hidden", shape))
            targets = torch.zeros(filled, dtype=torch.int64)
            weights = torch.zeros(filled)
            targets[:trained], weights[:trained] = batch.targets[entries], batch.weights[entries] / divisor
            scaled = torch.mul(hidden, final, out=self.buffer("scaled", shape))
            back = self.buffer("to_hidden", shape)
            losses_here, right_here = head_pass(scaled, head, targets, weights, to_head, back, self.buffer)
            losses[entries], right[entries] = losses_here[:trained], right_here[:trained]
            to_final += torch.mul(back, hidden, out=scaled).sum(0)
            grad = self.buffer("grad", states.shape).zero_().index_add_(0, chunk.places, back.mul_(final))
            self._norm_back(grad, states, scale)
            for number in range(len(folded) - 1, -1, -1):
                grad = self._layer_back(folded[number], chunk, saved[number], grad, last=number == len(folded) - 1)
            if self._padding is not None:
                grad[chunk.ids == self._padding] = 0
            to_embedding.index_add_(0, chunk.ids, grad)
        for layer, parts in zip(model.model.layers, folded, strict=True):
            self.folding.unfold(layer, parts)
        return HeadResult((losses * batch.weights).sum(), losses, right)

    def fold(self) -> list[Folded]:
        """The layers' matrices as they are now."""
        return [self.folding.fold(number, layer) for number, layer in enumerate(self.model.model.layers)]

    # ---------------------------------------------------------------- forward

    def forward(self, folded: list[Folded], chunk: Chunk, embedding: Tensor) -> tuple[list[Saved], Tensor, Tensor]:
        """What the backward pass needs, the unit states [M, C] asked for, and 1 / rms of each."""
        shape = (len(chunk.ids), embedding.shape[1])
        x = torch.index_select(embedding.detach(), 0, chunk.ids, out=self.buffer("x", shape))
        self.attention.widen(chunk)
        saved: list[Saved] = []
        for number, parts in enumerate(folded):
            x, kept = self._layer(number, parts, chunk, x, last=number == len(folded) - 1)
            saved.append(kept)
        states = self.buffer("final", x.shape)
        return saved, states, self.norm(x, states, "final")

    def _layer(self, number: int, parts: Folded, chunk: Chunk, x: Tensor, *, last: bool) -> tuple[Tensor, Saved]:
        size, side = self.heads * self.dim, self.pairs * self.dim
        normed = self.buffer(f"normed{number}", x.shape)
        scale = self.norm(x, normed, f"scale{number}")
        if last:
            shape = (len(chunk.queries), x.shape[1])
            asked = torch.index_select(normed, 0, chunk.queries, out=self.buffer("asked", shape))
            x = torch.index_select(x, 0, chunk.queries, out=self.buffer("asked.x", shape))
            query = torch.mm(asked, parts.qkv[:size].T, out=self.buffer("asked.q", (shape[0], size)))
            pair = torch.mm(normed, parts.qkv[size:].T, out=self.buffer("qkv", (normed.shape[0], 2 * side)))
            rotation, pieces = chunk.rotation.index_select(0, chunk.queries), chunk.last
        else:
            asked = normed
            whole = torch.mm(normed, parts.qkv.T, out=self.buffer("qkv", (normed.shape[0], size + 2 * side)))
            query, pair = whole[:, :size], whole[:, size:]
            rotation, pieces = chunk.rotation, chunk.pieces
        query_unit, turned_q = self.unit(query, parts.query_scale, self.heads, f"q{number}")
        key_unit, turned_k = self.unit(pair[:, :side], parts.key_scale, self.pairs, f"k{number}")
        context = self.buffer(f"context{number}", (x.shape[0], size))
        attended = self.attention.forward(
            f"attention{number}", chunk, pieces, turned_q, rotation, turned_k, pair[:, side:], context
        )
        x.addmm_(context, parts.out.T)
        normed2 = self.buffer(f"normed2{number}", x.shape)
        scale2 = self.norm(x, normed2, f"scale2{number}")
        inner = parts.down.shape[1]
        shape = (x.shape[0], inner)
        gate_up = torch.mm(normed2, parts.gate_up.T, out=self.buffer(f"gate_up{number}", (x.shape[0], 2 * inner)))
        gate, up = gate_up[:, :inner], gate_up[:, inner:]
        soft = torch.ops.aten.silu.out(gate, out=self.buffer(f"soft{number}", shape))
        active = torch.mul(soft, up, out=self.buffer(f"active{number}", shape))
        x.addmm_(active, parts.down.T)
        return x, Saved(
            normed, scale, asked, query_unit, key_unit, attended, context, normed2, scale2, gate, up, soft, active
        )

    def norm(self, x: Tensor, out: Tensor, name: str) -> Tensor:
        """``out`` = x / rms(x); returns 1 / rms(x) as a column."""
        scale: Tensor = torch.linalg.vector_norm(
            x, dim=1, keepdim=True, out=self.buffer(f"{name}.rms", (x.shape[0], 1))
        )
        scale.square_().mul_(1 / x.shape[1]).add_(self._eps).rsqrt_()
        torch.mul(x, scale, out=out)
        return scale

    def unit(self, x: Tensor, head_scale: Tensor, heads: int, name: str) -> tuple[Turned, Tensor]:
        """Head norm of [places, heads * D]: what the way back needs, and the scaled heads as [places, heads, D/2] complex."""
        x = x.view(x.shape[0], heads, self.dim)
        scale = torch.linalg.vector_norm(x, dim=2, keepdim=True, out=self.buffer(f"{name}.rms", (x.shape[0], heads, 1)))
        scale.square_().mul_(1 / self.dim).add_(self._eps).rsqrt_()
        unit = torch.mul(x, scale, out=self.buffer(f"{name}.unit", tuple(x.shape)))
        scaled = self.buffer(f"turn{name[0]}", tuple(x.shape))
        torch.mul(unit.flatten(1), head_scale.repeat(heads), out=scaled.view(x.shape[0], heads * self.dim))
        return Turned(unit, scale), as_complex(scaled)

    # ---------------------------------------------------------------- backward

    def _layer_back(self, parts: Folded, chunk: Chunk, s: Saved, grad: Tensor, *, last: bool) -> Tensor:
        """Gradient of the layer's input from that of its output; ``grad`` is used up."""
        size, side, places = self.heads * self.dim, self.pairs * self.dim, grad.shape[0]
        # feed-forward
        parts.grad_down.addmm_(grad.T, s.active)
        to_active = torch.mm(grad, parts.down, out=self.buffer("to_active", tuple(s.soft.shape)))
        inner = s.soft.shape[1]
        to_gate_up = self.buffer("to_gate_up", (places, 2 * inner))
        to_gate, to_up = to_gate_up[:, :inner], to_gate_up[:, inner:]
        torch.mul(to_active, s.soft, out=to_up)
        torch.ops.aten.silu_backward.grad_input(to_active.mul_(s.up), s.gate, grad_input=to_gate)
        parts.grad_gate_up.addmm_(to_gate_up.T, s.normed2)
        back = torch.mm(to_gate_up, parts.gate_up, out=self.buffer("back", grad.shape))
        self._norm_back(back, s.normed2, s.scale2)
        grad = grad.add_(back)
        # attention
        parts.grad_out.addmm_(grad.T, s.context)
        to_context = torch.mm(grad, parts.out, out=self.buffer("to_context", (places, size)))
        slots = len(chunk.ids)
        if last:
            to_query = self.buffer("asked.q", (places, size))
            to_pair = self.buffer("qkv", (slots, 2 * side))
            rotation, pieces = chunk.rotation.index_select(0, chunk.queries), chunk.last
        else:
            to_qkv = self.buffer("qkv", (slots, size + 2 * side))
            to_query, to_pair = to_qkv[:, :size], to_qkv[:, size:]
            rotation, pieces = chunk.rotation, chunk.pieces
        turned_q = self.buffer("turnq", (places, self.heads, self.dim))
        turned_k = self.buffer("turnk", (slots, self.pairs, self.dim))
        self.attention.backward(
            chunk,
            pieces,
            s.attended,
            to_context,
            rotation,
            as_complex(turned_q),
            as_complex(turned_k),
            to_pair[:, side:],
        )
        self._unit_back(turned_q, s.query, parts.query_scale, parts.grad_query_scale, to_query)
        self._unit_back(turned_k, s.key, parts.key_scale, parts.grad_key_scale, to_pair[:, :side])
        to_normed = self.buffer(f"to_normed{int(last)}", tuple(s.normed.shape))
        if last:
            parts.grad_qkv[:size].addmm_(to_query.T, s.asked)
            parts.grad_qkv[size:].addmm_(to_pair.T, s.normed)
            torch.mm(to_pair, parts.qkv[size:], out=to_normed)
            to_normed.index_add_(0, chunk.queries, torch.mm(to_query, parts.qkv[:size], out=back))
        else:
            parts.grad_qkv.addmm_(to_qkv.T, s.normed)
            torch.mm(to_qkv, parts.qkv, out=to_normed)
        self._norm_back(to_normed, s.normed, s.scale)
        return to_normed.index_add_(0, chunk.queries, grad) if last else grad.add_(to_normed)

    def _norm_back(self, grad: Tensor, normed: Tensor, scale: Tensor) -> None:
        """In place: from the gradient of ``normed`` to that of what was normed."""
        along = torch.linalg.vecdot(grad, normed).mul_(1 / normed.shape[1])
        grad.addcmul_(normed, along[:, None], value=-1).mul_(scale)

    def _unit_back(self, turned: Tensor, s: Turned, head_scale: Tensor, to_scale: Tensor, out: Tensor) -> None:
        """From the gradient of the scaled heads to that of what their norm was given; ``turned`` is used up."""
        product = torch.mul(turned, s.unit, out=self.buffer("product", tuple(turned.shape)))
        heads = turned.shape[1]
        to_scale += product.flatten(1).sum(0).view(heads, self.dim).sum(0)
        along = torch.matmul(product, head_scale).mul_(1 / self.dim)[..., None]
        turned.view(turned.shape[0], heads * self.dim).mul_(head_scale.repeat(heads))
        turned.addcmul_(s.unit, along, value=-1)
        torch.mul(turned, s.scale, out=out.view(turned.shape))

    def buffer(self, name: str, shape: tuple[int, ...] | torch.Size) -> Tensor:
        """Memory that is used again in the next step; its content is whatever was there."""
        count = math.prod(shape)
        flat = self._pool.get(name)
        if flat is None or flat.numel() < count:
            flat = self._pool[name] = torch.empty(count)
        return flat[:count].view(shape)

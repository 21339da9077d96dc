"""Forward and backward pass of the whole model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.batch import Batch
from engine.head import HeadResult, head_gradients
from engine.lean.rows import Chunk, chunks
from engine.lean.weights import Folded, Folding


@dataclass(slots=True, eq=False)
class Saved:
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


class LeanQwen3:
    """Forward and backward of one model; gradients are added to the weights' ``grad``."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.folding = Folding(model)
        self.heads, self.dim = self.folding.heads, self.folding.dim
        self._eps = float(model.config.rms_norm_eps)
        self._pool: dict[str, Tensor] = {}

    @torch.no_grad()
    def loss_and_gradients(self, batch: Batch, divisor: float) -> HeadResult:
        """Loss of ``batch``; the gradient of ``total / divisor`` is added to every weight's ``grad``."""
        model = self.model
        folded = [self.folding.fold(layer) for layer in model.model.layers]
        embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
        for p in {id(p): p for p in (embedding, head, model.model.norm.weight)}.values():
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        count = batch.sources.shape[0]
        losses = torch.zeros(count)
        right = torch.zeros(count, dtype=torch.bool)
        for chunk in chunks(batch, self.folding.rotations):
            saved, states, scale = self.forward(folded, chunk, embedding)
            final = model.model.norm.weight
            entries, trained = chunk.entries, len(chunk.entries)
            hidden = states.index_select(0, chunk.slots)
            targets = torch.zeros(len(chunk.slots), dtype=torch.int64)
            weights = torch.zeros(len(chunk.slots))
            targets[:trained], weights[:trained] = batch.targets[entries], batch.weights[entries] / divisor
            made = head_gradients(hidden * final, head, targets, weights)
            losses[entries], right[entries] = made.losses[:trained], made.right[:trained]
            if made.weight is not None:
                head.grad += made.weight
            final.grad += (made.hidden * hidden).sum(0)
            grad = torch.zeros_like(states).index_add_(0, chunk.slots, made.hidden * final)
            self._norm_back(grad, states, scale)
            grad = self._backward(folded, chunk, saved, grad)
            embedding.grad.index_add_(0, chunk.ids, grad)
        for layer, parts in zip(model.model.layers, folded, strict=True):
            self.folding.unfold(layer, parts)
        return HeadResult((losses * batch.weights).sum(), losses, right)

    # ---------------------------------------------------------------- forward

    def forward(self, folded: list[Folded], chunk: Chunk, embedding: Tensor) -> tuple[list[Saved], Tensor, Tensor]:
        """What the backward pass needs, the unit states [M, C] asked for, and 1 / rms of each."""
        x = embedding.index_select(0, chunk.ids)
        saved: list[Saved] = []
        for number, parts in enumerate(folded):
            x, kept = self._layer(number, parts, chunk, x, last=number == len(folded) - 1)
            saved.append(kept)
        states = self.buffer("final", x.shape)
        return saved, states, self.norm(x, states, "final")

    def _layer(self, number: int, parts: Folded, chunk: Chunk, x: Tensor, *, last: bool) -> tuple[Tensor, Saved]:
        heads, dim = self.heads, self.dim
        size, rows, width = heads * dim, chunk.rows, chunk.width
        normed = self.buffer(f"normed{number}", x.shape)
        scale = self.norm(x, normed, f"scale{number}")
        per_row = chunk.per_row if last else width
        if last:
            asked = normed.index_select(0, chunk.queries)
            x = x.index_select(0, chunk.queries)
            query = torch.mm(asked, parts.qkv[:size].T)
            pair = torch.mm(normed, parts.qkv[size:].T)
            q_rotation = chunk.rotation.flatten(0, 1).index_select(0, chunk.queries).view(rows, per_row, 1, -1)
        else:
            asked = normed
            whole = torch.mm(normed, parts.qkv.T, out=self.buffer("qkv", (rows * width, 3 * size)))
            query, pair = whole[:, :size], whole[:, size:]
            q_rotation = chunk.rotation
        q_unit, q_scale, q = self.turn(query, parts.head_scale[:heads], q_rotation, rows, f"q{number}")
        k_unit, k_scale, k = self.turn(pair[:, :size], parts.head_scale[heads:], chunk.rotation, rows, f"k{number}")
        v = self.buffer(f"v{number}", (heads, rows, width, dim))
        v.permute(1, 2, 0, 3).copy_(pair[:, size:].view(rows, width, heads, dim))
        q, k, v = q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)
        scores = torch.bmm(q, k.mT, out=self.buffer("scores", (heads * rows, per_row, width)))
        scores.view(heads, rows, per_row, width).add_(self._query_mask(chunk) if last else chunk.mask)
        shares = torch.softmax(scores, -1, out=self.buffer(f"shares{number}", scores.shape))
        mixed = torch.bmm(shares, v, out=self.buffer("mixed", (heads * rows, per_row, dim)))
        context = self.buffer(f"context{number}", (rows * per_row, size))
        context.view(rows, per_row, heads, dim).copy_(mixed.view(heads, rows, per_row, dim).permute(1, 2, 0, 3))
        x = torch.addmm(x, context, parts.out.T)
        normed2 = self.buffer(f"normed2{number}", x.shape)
        scale2 = self.norm(x, normed2, f"scale2{number}")
        inner = parts.down.shape[1]
        gate_up = torch.mm(normed2, parts.gate_up.T, out=self.buffer(f"gate_up{number}", (x.shape[0], 2 * inner)))
        gate, up = gate_up[:, :inner], gate_up[:, inner:]
        soft = torch.sigmoid(gate, out=self.buffer(f"soft{number}", (x.shape[0], inner)))
        active = torch.mul(gate, soft, out=self.buffer(f"active{number}", soft.shape)).mul_(up)
        x = torch.addmm(x, active, parts.down.T)
        return x, Saved(
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

    def norm(self, x: Tensor, out: Tensor, name: str) -> Tensor:
        """``out`` = x / rms(x); returns 1 / rms(x) as a column."""
        scale: Tensor = torch.linalg.vector_norm(
            x, dim=1, keepdim=True, out=self.buffer(f"{name}.rms", (x.shape[0], 1))
        )
        scale.square_().mul_(1 / x.shape[1]).add_(self._eps).rsqrt_()
        torch.mul(x, scale, out=out)
        return scale

    def turn(
        self, x: Tensor, head_scale: Tensor, rotation: Tensor, rows: int, name: str
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Head norm and rotary angle: (unit heads, 1 / rms, [H, rows, places, D])."""
        heads, dim = self.heads, self.dim
        x = x.view(x.shape[0], heads, dim)
        scale = torch.linalg.vector_norm(x, dim=2, keepdim=True)
        scale.square_().mul_(1 / dim).add_(self._eps).rsqrt_()
        unit = torch.mul(x, scale, out=self.buffer(f"{name}.unit", (x.shape[0], heads, dim)))
        scaled = torch.mul(unit, head_scale, out=self.buffer("turn", unit.shape))
        places = x.shape[0] // rows
        turned = self.buffer(name, (heads, rows, places, dim))
        torch.mul(
            _complex(scaled).view(rows, places, heads, dim // 2), rotation, out=_complex(turned).permute(1, 2, 0, 3)
        )
        return unit, scale, turned

    def _query_mask(self, chunk: Chunk) -> Tensor:
        mask = chunk.mask.flatten(0, 1).index_select(0, chunk.queries)
        return mask.view(chunk.rows, chunk.per_row, chunk.width)

    # ---------------------------------------------------------------- backward

    def _backward(self, folded: list[Folded], chunk: Chunk, saved: list[Saved], grad: Tensor) -> Tensor:
        """Gradient of the embedded tokens [T, C] from the gradient [M, C] before the final norm."""
        for number in range(len(folded) - 1, -1, -1):
            grad = self._layer_back(folded[number], chunk, saved[number], grad, last=number == len(folded) - 1)
        return grad

    def _layer_back(self, parts: Folded, chunk: Chunk, s: Saved, grad: Tensor, *, last: bool) -> Tensor:
        heads, dim = self.heads, self.dim
        size, rows, width = heads * dim, chunk.rows, chunk.width
        per_row = chunk.per_row if last else width
        # feed-forward
        parts.grad_down.addmm_(grad.T, s.active)
        inner = s.soft.shape[1]
        to_active = torch.mm(grad, parts.down, out=self.buffer("to_active", s.soft.shape))
        to_gate_up = self.buffer("to_gate_up", (grad.shape[0], 2 * inner))
        to_gate, to_up = to_gate_up[:, :inner], to_gate_up[:, inner:]
        torch.mul(s.gate, s.soft, out=to_up)
        torch.addcmul(to_up, to_up, s.soft, value=-1, out=to_gate)
        to_gate.add_(s.soft).mul_(s.up).mul_(to_active)
        to_up.mul_(to_active)
        parts.grad_gate_up.addmm_(to_gate_up.T, s.normed2)
        back = torch.mm(to_gate_up, parts.gate_up, out=self.buffer("back", grad.shape))
        self._norm_back(back, s.normed2, s.scale2)
        grad = grad.add_(back)
        # attention
        parts.grad_out.addmm_(grad.T, s.context)
        to_context = torch.mm(grad, parts.out, out=self.buffer("to_context", (grad.shape[0], size)))
        to_mixed = self.buffer("to_mixed", (heads, rows, per_row, dim))
        to_mixed.permute(1, 2, 0, 3).copy_(to_context.view(rows, per_row, heads, dim))
        to_mixed = to_mixed.flatten(0, 1)
        to_shares = torch.bmm(to_mixed, s.v.mT, out=self.buffer("scores", s.shares.shape))
        to_scores = torch._softmax_backward_data(to_shares, s.shares, -1, torch.float32)
        to_v = torch.bmm(s.shares.mT, to_mixed)
        to_q = torch.bmm(to_scores, s.k)
        to_k = torch.bmm(to_scores.mT, s.q)
        if last:
            to_query, to_pair = (
                self.buffer("to_query", (grad.shape[0], size)),
                self.buffer("qkv", (rows * width, 2 * size)),
            )
        else:
            to_qkv = self.buffer("qkv", (rows * width, 3 * size))
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
        heads, dim = self.heads, self.dim
        places = unit.shape[0] // rows
        turned = self.buffer("turn", unit.shape)
        torch.mul(
            _complex(grad).view(heads, rows, places, dim // 2).permute(1, 2, 0, 3),
            rotation.conj(),
            out=_complex(turned).view(rows, places, heads, dim // 2),
        )
        product = torch.mul(turned, unit, out=self.buffer("product", unit.shape))
        grad_head_scale += product.sum(0)
        along = product.mul_(head_scale).sum(2, keepdim=True).mul_(1 / dim)
        turned.mul_(head_scale).addcmul_(unit, along, value=-1)
        torch.mul(turned, scale, out=out.view(out.shape[0], heads, dim))

    def buffer(self, name: str, shape: Sequence[int]) -> Tensor:
        """Memory that is used again in the next step; its content is whatever was there."""
        count = math.prod(shape)
        flat = self._pool.get(name)
        if flat is None or flat.numel() < count:
            flat = self._pool[name] = torch.empty(count)
        return flat[:count].view(shape)


def _complex(x: Tensor) -> Tensor:
    """Neighbours along the last dimension as complex numbers."""
    return torch.view_as_complex(x.view(*x.shape[:-1], x.shape[-1] // 2, 2))

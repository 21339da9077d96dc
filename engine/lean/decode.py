"""Greedy answers to many prompts at once, each row writing into its own place of the key and value cache."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.lean.attention import as_complex
from engine.lean.passes import LeanQwen3
from engine.lean.rows import prompt_rows
from engine.lean.weights import Folded


@dataclass(slots=True, eq=False)
class _Memory:
    """Keys and values of one layer: [G, R, W, D], W = prompt and answer together."""

    keys: Tensor
    values: Tensor


@torch.no_grad()
def answers(
    passes: LeanQwen3, prompts: Sequence[Sequence[int]], limits: Sequence[int], stops: Collection[int]
) -> list[list[int]]:
    """The most likely continuation of every prompt, up to and without its stop token.

    ``limits``: most tokens of each answer, at least 1; prompt and answer fit the context.
    """
    model = passes.model
    folded = passes.fold()
    embedding = model.get_input_embeddings().weight
    head = model.get_output_embeddings().weight * model.model.norm.weight
    chunk = prompt_rows(prompts, passes.folding.rotations)
    saved, states, _ = passes.forward(folded, chunk, embedding)
    rows, width = len(prompts), chunk.last[0].width
    whole, end = width + max(limits), len(passes.folding.rotations) - 1
    shape = (passes.pairs, rows, whole, passes.dim)
    memories = []
    for layer in saved:
        memory = _Memory(torch.zeros(shape), torch.zeros(shape))
        memory.keys[:, :, :width] = layer.attended.k[0]
        memory.values[:, :, :width] = layer.attended.v[0]
        memories.append(memory)
    places = torch.tensor([len(p) for p in prompts])
    mask = torch.full((rows, 1, whole), torch.finfo(torch.float32).min)
    for row, prompt in enumerate(prompts):
        mask[row, :, : len(prompt)] = 0
    out: list[list[int]] = [[] for _ in prompts]
    open_rows = set(range(rows))
    while True:
        chosen = (states @ head.T).argmax(-1)
        for row, token in enumerate(chosen.tolist()):
            if row in open_rows:
                if token in stops:
                    open_rows.discard(row)
                else:
                    out[row].append(token)
                    if len(out[row]) == limits[row]:
                        open_rows.discard(row)
        if not open_rows:
            return out
        mask[torch.arange(rows), 0, places] = 0
        used = int(places.max()) + 1
        x = embedding.index_select(0, chosen)
        rotation = passes.folding.rotations[places][:, None]
        for parts, memory in zip(folded, memories, strict=True):
            x = _grow(passes, parts, memory, x, rotation, places, mask[:, :, :used])
        states = passes.buffer("final", x.shape)
        passes.norm(x, states, "final")
        places = (places + 1).clamp_(max=end)


def _grow(
    passes: LeanQwen3, parts: Folded, memory: _Memory, x: Tensor, rotation: Tensor, places: Tensor, mask: Tensor
) -> Tensor:
    """One layer for one new token a row."""
    heads, pairs, dim, rows, used = passes.heads, passes.pairs, passes.dim, x.shape[0], mask.shape[2]
    size, side, every = heads * dim, pairs * dim, torch.arange(rows)
    normed = passes.buffer("grow.normed", x.shape)
    passes.norm(x, normed, "grow")
    qkv = normed @ parts.qkv.T
    _, query = passes.unit(qkv[:, :size], parts.query_scale, heads, "q.grow")
    _, key = passes.unit(qkv[:, size : size + side], parts.key_scale, pairs, "k.grow")
    q = torch.view_as_real(query * rotation).view(rows, pairs, heads // pairs, dim).transpose(0, 1)
    as_complex(memory.keys)[:, every, places] = (key * rotation).transpose(0, 1)
    memory.values[:, every, places] = qkv[:, size + side :].view(rows, pairs, dim).transpose(0, 1)
    scores = torch.bmm(q.reshape(pairs * rows, heads // pairs, dim), memory.keys[:, :, :used].flatten(0, 1).mT)
    scores.view(pairs, rows, heads // pairs, used).add_(mask)
    mixed = torch.bmm(torch.softmax(scores, -1), memory.values[:, :, :used].flatten(0, 1))
    context = mixed.view(pairs, rows, heads // pairs, dim).transpose(0, 1).reshape(rows, size)
    x = torch.addmm(x, context, parts.out.T)
    passes.norm(x, normed, "grow")
    gate, up = (normed @ parts.gate_up.T).chunk(2, 1)
    return torch.addmm(x, torch.nn.functional.silu(gate) * up, parts.down.T)

"""Which rows of a batch are worked on together, and where in them tokens are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.batch import Batch

CHUNK_TOKENS = 2048
"""Tokens worked on at a time; bounds the memory of long texts."""
_QUERY_STEP = 8
_SLOT_STEP = 64
"""Sizes are rounded up to these, so that few different shapes occur: a CPU library keeps memory for each."""


@dataclass(slots=True, eq=False)
class Chunk:
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
    """[N, filled up with 0 to a round number] indices into M: where the trained tokens are predicted."""
    rows: int
    width: int
    per_row: int


def chunks(batch: Batch, rotations: Tensor) -> list[Chunk]:
    """The rows of ``batch`` in parts; rows in which nothing is trained are left out."""
    rows, width = batch.input_ids.shape
    step = max(1, CHUNK_TOKENS // width)
    sources = batch.sources.numpy()[: batch.trained_tokens]
    row_of = sources // width
    mask = batch.mask("eager", torch.float32)[:, 0]
    chunks: list[Chunk] = []
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
            Chunk(
                ids=batch.input_ids[first:last].flatten(),
                rotation=rotations[positions][:, :, None],
                mask=mask[first:last],
                entries=torch.from_numpy(entries),
                queries=torch.from_numpy(queries),
                slots=torch.from_numpy(np.pad(slots, (0, -len(slots) % _SLOT_STEP))),
                rows=last - first,
                width=width,
                per_row=per_row,
            )
        )
    return chunks


def prompt_rows(prompts: Sequence[Sequence[int]], rotations: Tensor) -> Chunk:
    """One prompt a row, filled up on the right; asked for is what follows its last token."""
    longest = max(map(len, prompts))
    width = -(-longest // _QUERY_STEP) * _QUERY_STEP
    rows = len(prompts)
    ids = torch.tensor([[*p, *([0] * (width - len(p)))] for p in prompts])
    lowest = torch.finfo(torch.float32).min
    causal = torch.full((width, width), lowest).triu_(1)
    last = torch.tensor([row * width + len(p) - 1 for row, p in enumerate(prompts)])
    return Chunk(
        ids=ids.flatten(),
        rotation=rotations[:width].expand(rows, width, -1)[:, :, None],
        mask=causal.expand(rows, width, width),
        entries=torch.arange(rows),
        queries=last,
        slots=torch.arange(rows),
        rows=rows,
        width=width,
        per_row=1,
    )

"""How the documents of a batch are laid out for the passes: one flat run of tokens, and who attends to whom in it.

Every layer but attention works on the flat run, which holds real tokens and almost no padding. Attention works on groups of
equally wide rows: a long document has a row of its own, short ones share rows under a mask. A wide row's queries are taken
a block at a time, each against the keys up to its own end, so that what causality forbids is hardly computed; or a fused
kernel takes the document at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.batch import Batch

CHUNK_TOKENS = 4096
"""Most tokens worked on at a time."""
SHARED_WIDTH = 64
"""Width of the rows that short documents share; a longer document has a row of its own."""
BLOCK = 128
"""Queries of a wide row that are taken together."""
_WIDTH_STEP = 16
_ROW_STEP = 4
_QUERY_STEP = 16
_SLOT_STEP = 128
"""Sizes are rounded up to these, so that few different shapes occur: a CPU library keeps memory for each."""
_LOWEST = torch.finfo(torch.float32).min


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Queries of some rows, and the keys that they see: what one product of matrices scores."""

    keys: int
    """First slot of the rows whose keys are seen."""
    width: int
    """Slots of such a row."""
    rows: int
    queries: int
    """First of the places that ask: slots, or in the last layer places among those asked for."""
    per_row: int
    """Places of such a row."""
    begin: int
    end: int
    """Which of a row's places ask in this piece."""
    seen: int
    """Keys from the row's first on that are seen."""
    mask: Tensor | None
    """Additive; [rows, end - begin, seen], or [end - begin, end - begin] for the last keys seen by a block. None: causal."""
    fused: bool = False
    """The fused kernel takes these rows, one document each."""

    @property
    def asked(self) -> int:
        """Queries of a row in this piece."""
        return self.end - self.begin


@dataclass(slots=True, eq=False)
class Chunk:
    """Some documents of a batch: T slots, M places asked for in the last layer."""

    ids: Tensor
    """[T]."""
    rotation: Tensor
    """[T, D/2] complex: the rotary angles."""
    pieces: list[Piece]
    """Attention of every layer but the last."""
    last: list[Piece]
    """Attention of the last layer, where only places before a trained token ask."""
    entries: Tensor
    """[N] indices into the batch's trained tokens."""
    queries: Tensor
    """[M] slots; a row's free places repeat its first one."""
    places: Tensor
    """[N, filled up with 0 to a round number] indices into M: where the trained tokens are predicted."""
    wide: tuple[Tensor, Tensor] | None = None
    """The rotation of the slots of the fused kernel once for every head, [slots, H, D/2] complex, and its way back."""


def chunks(batch: Batch, rotations: Tensor, tokens: int, *, fused: bool) -> list[Chunk]:
    """The documents of ``batch`` in parts; those in which nothing is trained are left out.

    Args:
        batch: any batch of the hero's.
        rotations: [positions, D/2] complex: the rotary angles.
        tokens: most of a part; a longer document has one of its own.
        fused: long documents go to the fused kernel, which needs no padding.
    """
    sources = batch.sources.numpy()[: batch.trained_tokens]
    starts, lengths = _documents(batch.segments.numpy(), sources)
    order = np.argsort(-lengths, kind="stable")
    parts: list[list[int]] = []
    room = 0
    for index in order:
        if not parts or lengths[index] > room:
            parts.append([])
            room = min(tokens, CHUNK_TOKENS)
        parts[-1].append(int(index))
        room -= int(lengths[index])
    flat = batch.input_ids.flatten()
    positions = batch.positions.flatten()
    return [_chunk(flat, positions, sources, starts[part], lengths[part], rotations, fused) for part in parts]


def _documents(segments: NDArray[np.int64], sources: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where in the flat batch each document with a trained token begins, and its length."""
    rows, width = segments.shape
    keys = (segments + np.arange(rows)[:, None] * (width + 1)).ravel()
    begins = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    lengths = np.diff(np.append(begins, keys.size))
    trained = np.unique(np.searchsorted(begins, sources, side="right") - 1)
    return begins[trained], lengths[trained]


def _chunk(
    flat: Tensor,
    positions: Tensor,
    sources: NDArray[np.int64],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    rotations: Tensor,
    fused: bool,
) -> Chunk:
    """The layout of some documents, long ones first."""
    origins: list[NDArray[np.int64]] = []
    owners: list[NDArray[np.int64]] = []
    shapes: list[tuple[int, int]] = []
    """(rows, width) of each group."""
    long = int((lengths > SHARED_WIDTH).sum())
    widths = lengths[:long] if fused else -(-lengths[:long] // _WIDTH_STEP) * _WIDTH_STEP
    if fused and (free := -int(lengths[:long].sum()) % _SLOT_STEP):
        origins.append(np.full(free, -1))
        owners.append(np.zeros(free, dtype=np.int64))
        shapes.append((1, free))
    for width in np.unique(widths)[::-1]:
        members = np.flatnonzero(widths == width)
        origin = np.full((len(members), int(width)), -1)
        for row, member in enumerate(members):
            origin[row, : lengths[member]] = np.arange(starts[member], starts[member] + lengths[member])
        origins.append(origin.ravel())
        owners.append(np.zeros(origin.size, dtype=np.int64))
        shapes.append((len(members), int(width)))
    if long < len(lengths):
        origin, owner = _shared(starts[long:], lengths[long:])
        origins.append(origin.ravel())
        owners.append(owner.ravel())
        shapes.append((origin.shape[0], origin.shape[1]))
    origin = np.concatenate(origins)
    real = np.flatnonzero(origin >= 0)
    slot_of = np.full(flat.numel(), -1)
    slot_of[origin[real]] = real
    trained = slot_of[sources]
    entries = np.flatnonzero(trained >= 0)
    source = torch.from_numpy(np.maximum(origin, 0))
    chunk = Chunk(
        ids=flat.index_select(0, source),
        rotation=rotations.index_select(0, positions.index_select(0, source)),
        pieces=[],
        last=[],
        entries=torch.empty(0),
        queries=torch.empty(0),
        places=torch.empty(0),
    )
    _ask(chunk, shapes, owners, trained[entries], entries, shared=long < len(lengths), fused=fused)
    return chunk


def _shared(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Short documents, long ones first, into rows of `SHARED_WIDTH`: [rows, width] places in the batch (-1: none), document."""
    width = SHARED_WIDTH if len(lengths) > 1 else int(-(-lengths[0] // _WIDTH_STEP) * _WIDTH_STEP)
    filled: list[int] = []
    where: list[tuple[int, int]] = []
    for length in lengths.tolist():
        row = next((r for r, used in enumerate(filled) if used + length <= width), len(filled))
        if row == len(filled):
            filled.append(0)
        where.append((row, filled[row]))
        filled[row] += length
    rows = -(-len(filled) // _ROW_STEP) * _ROW_STEP if len(filled) > 1 else 1
    origin = np.full((rows, width), -1)
    owner = np.zeros((rows, width), dtype=np.int64)
    for number, ((row, first), start, length) in enumerate(zip(where, starts, lengths, strict=True), 1):
        origin[row, first : first + length] = np.arange(start, start + length)
        owner[row, first : first + length] = number
    return origin, owner


def _ask(
    chunk: Chunk,
    shapes: Sequence[tuple[int, int]],
    owners: Sequence[NDArray[np.int64]],
    trained: NDArray[np.int64],
    entries: NDArray[np.int64],
    *,
    shared: bool,
    fused: bool,
) -> None:
    """Fill in who attends, and which places are asked for in the last layer."""
    queries: list[NDArray[np.int64]] = []
    places = np.empty(len(entries), dtype=np.int64)
    first = asked = 0
    for number, ((rows, width), owner) in enumerate(zip(shapes, owners, strict=True)):
        together = shared and number == len(shapes) - 1
        causal = np.tril(np.ones((width, width), dtype=bool))
        if together:
            held = owner.reshape(rows, width)
            allowed = causal & (held[:, :, None] == held[:, None, :])
            chunk.pieces.append(Piece(first, width, rows, first, width, 0, width, width, _additive(allowed)))
        elif fused:
            allowed = np.broadcast_to(causal, (rows, width, width))
            chunk.pieces.append(Piece(first, width, rows, first, width, 0, width, width, None, fused=True))
        else:
            allowed = np.broadcast_to(causal, (rows, width, width))
            for begin in range(0, width, BLOCK):
                end = min(width, begin + BLOCK)
                mask = _additive(causal[: end - begin, : end - begin])
                chunk.pieces.append(Piece(first, width, rows, first, width, begin, end, end, mask))
        here = np.flatnonzero((trained >= first) & (trained < first + rows * width))
        if not len(here):
            first += rows * width
            continue
        row = (trained[here] - first) // width
        sort = np.argsort(row, kind="stable")
        here, row = here[sort], row[sort]
        counts = np.bincount(row, minlength=rows)
        rank = np.arange(len(here)) - np.repeat(np.cumsum(counts) - counts, counts)
        per_row = -(-int(counts.max()) // _QUERY_STEP) * _QUERY_STEP
        slots = np.repeat(first + np.arange(rows) * width, per_row)
        slots[row * per_row + rank] = trained[here]
        places[here] = asked + row * per_row + rank
        column = (slots - first).reshape(rows, per_row) % width
        mask = _additive(allowed[np.arange(rows)[:, None], column])
        alone = fused and not together
        chunk.last.append(Piece(first, width, rows, asked, per_row, 0, per_row, width, mask, fused=alone))
        queries.append(slots)
        first += rows * width
        asked += rows * per_row
    chunk.queries = torch.from_numpy(np.concatenate(queries))
    chunk.entries = torch.from_numpy(entries)
    chunk.places = torch.from_numpy(np.pad(places, (0, -len(places) % _SLOT_STEP)))


def _additive(allowed: NDArray[np.bool_]) -> Tensor:
    return torch.zeros(allowed.shape).masked_fill_(~torch.from_numpy(allowed), _LOWEST)


def prompt_rows(prompts: Sequence[Sequence[int]], rotations: Tensor) -> Chunk:
    """One prompt a row, filled up on the right; asked for is what follows its last token."""
    longest = max(map(len, prompts))
    width = -(-longest // _QUERY_STEP) * _QUERY_STEP
    rows = len(prompts)
    ids = torch.tensor([[*p, *([0] * (width - len(p)))] for p in prompts])
    causal = np.tril(np.ones((width, width), dtype=bool))
    ends = np.array([len(p) - 1 for p in prompts])
    pieces = [
        Piece(0, width, rows, 0, width, begin, min(width, begin + BLOCK), min(width, begin + BLOCK), mask)
        for begin in range(0, width, BLOCK)
        for mask in (_additive(causal[: min(BLOCK, width - begin), : min(BLOCK, width - begin)]),)
    ]
    return Chunk(
        ids=ids.flatten(),
        rotation=rotations[:width].repeat(rows, 1),
        pieces=pieces,
        last=[Piece(0, width, rows, 0, 1, 0, 1, width, _additive(causal[ends][:, None]))],
        entries=torch.arange(rows),
        queries=torch.from_numpy(np.arange(rows) * width + ends),
        places=torch.arange(rows),
    )

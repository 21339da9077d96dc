"""From encoded examples to tensors: short rows that hold several examples, each seeing only itself."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.attention import MASKED
from engine.chat.encoded import Encoded

_WIDTH_STEP = 16
_ROW_STEP = 4
_LOSS_STEP = 64
"""Sizes are rounded up to these, so that few different shapes occur: kernels cache memory per shape."""
_NARROW = 256
"""Widest row of which empty ones are added; longer ones would cost more than a new shape."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One forward pass: R rows of W tokens, N positions with loss (padded to a round number), E examples."""

    input_ids: Tensor
    """[R, W] int64."""
    positions: Tensor
    """[R, W] int64; restarts with every example."""
    segments: Tensor
    """[R, W] int64; 0 is padding, examples of a row count from 1."""
    sources: Tensor
    """[N] int64: index into the R*W hidden states from which a trained token is predicted."""
    targets: Tensor
    """[N] int64: the trained tokens; padded entries hold 0."""
    weights: Tensor
    """[N] float32: weight of a trained token; 0 in padded entries."""
    owners: Tensor
    """[N] int64: example of a trained token; padded entries hold E."""
    examples: int
    """E."""
    tokens: int
    """Real tokens, without padding."""
    trained_tokens: int
    """Tokens with loss, padding of N not counted."""
    weight_sum: float
    """Sum of ``weights``: what the optimizer batch's loss is divided by."""
    first_trained: int
    """Trained tokens of example 0: the first entries of N."""
    documents: tuple[int, ...]
    """Lengths of the documents of all rows one after the other; padding counts as documents of its own."""

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on ``device``; from pinned memory, so that nothing waits for the copy."""
        if torch.device(device).type == "cpu":
            return self
        names = ("input_ids", "positions", "segments", "sources", "targets", "weights", "owners")
        tensors = {n: getattr(self, n) for n in names}
        if torch.device(device).type == "cuda":
            tensors = {n: t.pin_memory() for n, t in tensors.items()}
        return replace(self, **{n: t.to(device, non_blocking=True) for n, t in tensors.items()})

    def visibility(self, attention: str, dtype: torch.dtype) -> dict[str, Any]:
        """What the model is told of who sees whom: a mask, or where documents begin.

        Args:
            attention: ``eager``, ``sdpa``, ``documents`` or ``varlen``.
            dtype: of an additive mask.
        """
        if attention in MASKED:
            return {"attention_mask": self.mask(attention, dtype)}
        # A mask of four dimensions is taken as it is, so that no library builds a large one of its own; ours is not looked at.
        told: dict[str, Any] = {"attention_mask": torch.ones(1, 1, 1, 1, dtype=torch.bool, device=self.segments.device)}
        if attention == "documents":
            return {**told, "document_lengths": list(self.documents)}
        ends = np.cumsum((0, *self.documents), dtype=np.int32)
        bounds = torch.from_numpy(ends)
        if self.segments.is_cuda:
            bounds = bounds.pin_memory().to(self.segments.device, non_blocking=True)
        longest = max(self.documents)
        told |= {"cu_seq_lens_q": bounds, "cu_seq_lens_k": bounds, "max_length_q": longest, "max_length_k": longest}
        return told

    def mask(self, attention: str, dtype: torch.dtype) -> Tensor:
        """[R, 1, W, W]: causal and inside one example; additive for ``eager``, boolean otherwise."""
        width = self.segments.shape[1]
        same = self.segments[:, :, None] == self.segments[:, None, :]
        allowed = same & torch.ones(width, width, dtype=torch.bool, device=same.device).tril()
        if attention != "eager":
            return allowed[:, None]
        return torch.zeros(allowed.shape, dtype=dtype, device=same.device).masked_fill_(
            ~allowed, torch.finfo(dtype).min
        )[:, None]


def make_batch(
    items: Sequence[Encoded], weights: Sequence[float] | None = None, *, row_tokens: int | None = 64
) -> Batch:
    """Pack ``items`` into rows of at least ``row_tokens`` (or the longest item), best fit by falling length.

    Args:
        items: at least one example; each has at least one trained token.
        weights: factor of each example's loss; None: 1 each.
        row_tokens: wished width of a row; short rows are faster than padding on a CPU. None: one row holds everything, as
            ways of attention that know no mask want it.
    """
    lengths = [len(item.ids) for item in items]
    width = _up(sum(lengths) if row_tokens is None else max(row_tokens, max(lengths)), _WIDTH_STEP)
    places, rows = _pack(lengths, width)
    rows = _up(rows, _ROW_STEP) if rows > 1 and width <= _NARROW else rows
    input_ids = np.zeros((rows, width), dtype=np.int64)
    positions = np.zeros((rows, width), dtype=np.int64)
    segments = np.zeros((rows, width), dtype=np.int64)
    sources: list[int] = []
    targets: list[int] = []
    owners: list[int] = []
    for owner, (item, (row, start, segment)) in enumerate(zip(items, places, strict=True)):
        length = len(item.ids)
        input_ids[row, start : start + length] = item.ids
        positions[row, start : start + length] = _COUNT[:length] if length <= len(_COUNT) else np.arange(length)
        segments[row, start : start + length] = segment
        base = row * width + start - 1
        trained = [i for i, flag in enumerate(item.trained) if flag and i]
        sources += [base + i for i in trained]
        targets += [item.ids[i] for i in trained]
        owners += [owner] * len(trained)
    count = len(targets)
    padding = _up(count, _LOSS_STEP) - count
    factor = np.zeros(count + padding, dtype=np.float32)
    factor[:count] = 1.0 if weights is None else np.asarray(weights, dtype=np.float32)[owners]
    return Batch(
        input_ids=torch.from_numpy(input_ids),
        positions=torch.from_numpy(positions),
        segments=torch.from_numpy(segments),
        sources=torch.tensor(sources + [0] * padding),
        targets=torch.tensor(targets + [0] * padding),
        weights=torch.from_numpy(factor),
        owners=torch.tensor(owners + [len(items)] * padding),
        examples=len(items),
        tokens=sum(lengths),
        trained_tokens=count,
        weight_sum=float(factor.sum(dtype=np.float64)),
        first_trained=items[0].trained_tokens,
        documents=_documents(segments),
    )


def make_batches(
    items: Sequence[Encoded], weights: Sequence[float] | None = None, *, max_tokens: int, row_tokens: int | None = 64
) -> list[Batch]:
    """The examples of one optimizer step as few forward passes, each of at most ``max_tokens`` real tokens.

    Examples keep their order, so that results line up with ``items``. A longer example gets a pass of its own.
    """
    groups: list[list[int]] = []
    room = 0
    for index, item in enumerate(items):
        if not groups or len(item.ids) > room:
            groups.append([])
            room = max_tokens
        groups[-1].append(index)
        room -= len(item.ids)
    return [
        make_batch(
            [items[i] for i in group],
            None if weights is None else [weights[i] for i in group],
            row_tokens=row_tokens,
        )
        for group in groups
    ]


_COUNT = np.arange(2048)


def _pack(lengths: Sequence[int], width: int) -> tuple[list[tuple[int, int, int]], int]:
    """(row, first column, segment) per example, and the number of rows: each goes where the least room is left."""
    places: list[tuple[int, int, int]] = [(0, 0, 0)] * len(lengths)
    used: list[int] = []
    held: list[int] = []
    rooms: list[tuple[int, int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        length = lengths[index]
        at = bisect_left(rooms, (length, 0))
        if at == len(rooms):
            row = len(used)
            used.append(0)
            held.append(0)
        else:
            row = rooms.pop(at)[1]
        held[row] += 1
        places[index] = (row, used[row], held[row])
        used[row] += length
        insort(rooms, (width - used[row], row))
    return places, len(used)


def _documents(segments: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[int, ...]:
    """Lengths of the runs of equal segments, row after row."""
    apart = (segments + np.arange(len(segments))[:, None] * (int(segments.max()) + 1)).ravel()
    starts = np.flatnonzero(np.diff(apart)) + 1
    return tuple(np.diff(starts, prepend=0, append=len(apart)).tolist())


def _up(value: int, step: int) -> int:
    return -(-value // step) * step

"""From encoded examples to tensors: short rows that hold several examples, each seeing only itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

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

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on ``device``."""
        names = ("input_ids", "positions", "segments", "sources", "targets", "weights", "owners")
        return replace(self, **{n: getattr(self, n).to(device, non_blocking=True) for n in names})

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


def make_batch(items: Sequence[Encoded], weights: Sequence[float] | None = None, *, row_tokens: int = 64) -> Batch:
    """Pack ``items`` into rows of at least ``row_tokens`` (or the longest item), first fit by falling length.

    Args:
        items: at least one example; each has at least one trained token.
        weights: factor of each example's loss; None: 1 each.
        row_tokens: wished width of a row; short rows are faster than padding on a CPU.
    """
    lengths = [len(item.ids) for item in items]
    width = _up(max(row_tokens, max(lengths)), _WIDTH_STEP)
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
    )


def make_batches(
    items: Sequence[Encoded], weights: Sequence[float] | None = None, *, max_tokens: int, row_tokens: int = 64
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
    """(row, first column, segment) per example, and the number of rows."""
    places: list[tuple[int, int, int]] = [(0, 0, 0)] * len(lengths)
    used: list[int] = []
    held: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        length = lengths[index]
        row = next((r for r, filled in enumerate(used) if filled + length <= width), len(used))
        if row == len(used):
            used.append(0)
            held.append(0)
        held[row] += 1
        places[index] = (row, used[row], held[row])
        used[row] += length
    return places, len(used)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step

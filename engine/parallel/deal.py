"""How the work of one optimizer step is dealt out: as many forward passes for each process, of about the same length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import torch

from engine.batch import Batch
from engine.chat.encoded import Encoded

Item = TypeVar("Item", bound=Encoded)


def even_parts(items: Sequence[Item], parts: int) -> list[list[Item]]:
    """``items`` in their order as at most ``parts`` pieces of about the same number of tokens; none is empty."""
    total = sum(len(item.ids) for item in items)
    pieces: list[list[Item]] = [[] for _ in range(parts)]
    before = 0
    for item in items:
        length = len(item.ids)
        pieces[min(parts - 1, (2 * before + length) * parts // (2 * total))].append(item)
        before += length
    return [piece for piece in pieces if piece]


def deal(batches: Sequence[Batch], processes: int) -> list[list[tuple[int | None, Batch]]]:
    """For each process its forward passes, with their places in ``batches``; as many for each, because all must meet in each.

    Batches that are worked on at the same time are of similar size. Where there are too few, a process works on one that is
    nobody's (its place is None): it weighs nothing.
    """
    longest_first = sorted(range(len(batches)), key=lambda i: -batches[i].tokens)
    work: list[tuple[int | None, Batch]] = [(i, batches[i]) for i in longest_first]
    while len(work) % processes:
        work.append((None, weightless(batches[longest_first[-1]])))
    return [work[rank::processes] for rank in range(processes)]


def weightless(batch: Batch) -> Batch:
    """``batch`` with every loss weighted 0: its gradient is zero."""
    return replace(batch, weights=torch.zeros_like(batch.weights), weight_sum=0.0)

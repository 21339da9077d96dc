"""Which examples of a quest are kept for before and after, and in which order each epoch reads the rest."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from random import Random

from configs.schema import QuestRules

FEWEST = 8
"""Distinct examples from which at least one is held out."""


def held_out(digests: Sequence[str], rules: QuestRules) -> frozenset[int]:
    """Positions of the held-out examples.

    Chosen by the examples' digests alone, so that the choice survives reordering and all copies of an example fall on one side.

    Args:
        digests: digest of each example, in file order.
        rules: share and most of what is kept; a share of 0 keeps nothing.
    """
    distinct = sorted(set(digests), key=_rank)
    count = min(rules.held_out_max, round(rules.held_out_share * len(distinct)))
    if rules.held_out_share > 0 and len(distinct) >= FEWEST:
        count = max(1, count)
    # Something must be left to train on.
    kept = set(distinct[: min(count, len(distinct) - 1)])
    return frozenset(position for position, digest in enumerate(digests) if digest in kept)


def epoch_order(count: int, seed: int, quest_digest: str, epoch: int) -> list[int]:
    """The order of ``count`` examples in epoch number ``epoch`` (from 0): a pure function of its arguments."""
    random = Random(int.from_bytes(blake2b(f"{seed}/{quest_digest}/{epoch}".encode(), digest_size=8).digest(), "big"))
    ranks = [random.random() for _ in range(count)]
    return sorted(range(count), key=ranks.__getitem__)


def _rank(digest: str) -> bytes:
    return blake2b(digest.encode(), digest_size=16, person=b"held-out").digest()

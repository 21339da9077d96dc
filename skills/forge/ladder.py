"""Lays levels over what the samples span: small numbers, short words and few choices first; never beyond what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any


def int_levels(values: Sequence[int], levels: int, least: int) -> dict[int, list[int]]:
    """Ranges of a number slot: the end next to zero stays, the other goes out by equal factors to the farthest seen.

    Args:
        values: the numbers of the samples.
        levels: how many.
        least: how far the first level reaches, so that enough of its problems can be held out.
    """
    low, high = min(values), max(values)
    near, far = (low, high) if abs(low) <= abs(high) else (high, low)
    span = abs(far - near)
    start = min(span, least)
    found = {}
    for level in range(1, levels + 1):
        share = (level - 1) / (levels - 1) if levels > 1 else 1.0
        reach = round(start * (span / start) ** share) if start else 0
        edge = near + reach if far >= near else near - reach
        found[level] = sorted((near, edge))
    return _changes(found)


def length_levels(lengths: Sequence[int], levels: int) -> dict[int, list[int]]:
    """Ranges of a length: from the shortest seen to the longest in equal steps."""
    low, high = min(lengths), max(lengths)
    return _changes({n: [low, low + round((high - low) * n / levels)] for n in range(1, levels + 1)})


def choice_levels(values: Sequence[str], levels: int) -> dict[int, list[str]]:
    """Texts of a choice: the commonest first, all of them on the last level."""
    counts = Counter(values)
    ordered = sorted(counts, key=lambda v: (-counts[v], len(v), v))
    return _changes(
        {n: ordered[: max(min(4, len(ordered)), -(-len(ordered) * n // levels))] for n in range(1, levels + 1)}
    )


def _changes(table: dict[int, list[Any]]) -> dict[int, list[Any]]:
    """Only the levels that say something new."""
    found: dict[int, list[Any]] = {}
    for level, value in table.items():
        if not found or found[max(found)] != value:
            found[level] = value
    return found

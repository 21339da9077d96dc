"""Figures out of measurements: medians, spreads, intervals, and the tables they are printed in."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

RESAMPLES = 4000


def spread(values: Sequence[float], digits: int = 3) -> dict[str, Any]:
    """Number, smallest, median, 95th percentile and largest of ``values``; None where there are none."""
    if not values:
        return {"n": 0, "min": None, "median": None, "p95": None, "max": None}
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "min": round(ordered[0], digits),
        "median": round(statistics.median(ordered), digits),
        "p95": round(ordered[math.ceil(0.95 * len(ordered)) - 1], digits),
        "max": round(ordered[-1], digits),
    }


def paired_ratio(pairs: Sequence[tuple[float, float]], *, seed: int = 0) -> dict[str, Any]:
    """How much larger the first of each pair is than the second.

    Args:
        pairs: two positive measurements taken side by side.
        seed: decides the resamples.

    Returns:
        ``ratio`` (the geometric mean over the pairs), ``median``, and ``interval``: the percentile bootstrap's 95 % interval
        of the ratio over whole pairs; None with fewer than three of them.
    """
    logs = [math.log(first / second) for first, second in pairs]
    if not logs:
        return {"pairs": 0, "ratio": None, "median": None, "interval": None}
    found = {
        "pairs": len(logs),
        "ratio": round(math.exp(statistics.fmean(logs)), 4),
        "median": round(math.exp(statistics.median(logs)), 4),
    }
    if len(logs) < 3:
        return {**found, "interval": None}
    rng = random.Random(seed)
    means = sorted(statistics.fmean(rng.choices(logs, k=len(logs))) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[math.ceil(0.975 * RESAMPLES) - 1]
    return {**found, "interval": [round(math.exp(low), 4), round(math.exp(high), 4)]}


def table(title: str, rows: Sequence[Mapping[str, Any]], say: Callable[[str], object] = print) -> None:
    """Print rows under all their keys; what a row lacks or does not know is a dash."""
    say(f"\n{title}")
    if not rows:
        say("  nothing was measured")
        return
    heads = list(dict.fromkeys(head for row in rows for head in row))
    lines = [heads, *([written(row.get(head)) for head in heads] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    for line in lines:
        first, rest = line[0].ljust(widths[0]), zip(line[1:], widths[1:], strict=True)
        say("  ".join(["", first, *(cell.rjust(width) for cell, width in rest)]).rstrip())


def written(value: Any) -> str:
    """A value as a cell."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3e}" if value and abs(value) < 1e-3 else f"{value:,.3f}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(written(part) for part in value) + "]"
    return str(value)

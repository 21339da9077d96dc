"""Strain of a whole campaign in bounded memory: buckets of steps that merge as the campaign grows."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from realm_tui.runtime.buckets import bucket_size

MOST_BUCKETS = 1024
RECENT_STEPS = 1024
_TIP_STEPS = 10
"""Newest steps whose mean ends the curve, so that its tip lives even when a column stands for many steps."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What the strain panel draws. Buckets hold means over ``bucket`` steps, the first one from step ``first`` on."""

    first: int = 0
    bucket: int = 1
    values: tuple[float | None, ...] = ()
    recent_first: int = 0
    recent: tuple[float | None, ...] = ()
    """The newest steps one by one."""
    last: int | None = None
    """The newest step."""
    marks: tuple[tuple[int, str], ...] = ()
    """Steps at which a level was won, with a short label (``L3``)."""

    def columns(self, count: int, *, recent: bool = False) -> tuple[int, int, list[float | None]]:
        """First step, steps per column and means for at most ``count`` columns.

        Args:
            count: columns of dots there is room for.
            recent: the newest steps instead of the whole campaign.
        """
        first, size, values = (self.recent_first, 1, self.recent) if recent else (self.first, self.bucket, self.values)
        if not values or count < 1:
            return first, size, []
        group = bucket_size(len(values), count)
        skip = first // size % group  # columns start at multiples of their own size, so that they stay put
        out: list[float | None] = []
        for start in range(-skip, len(values), group):
            known = [v for v in values[max(0, start) : start + group] if v is not None]
            out.append(sum(known) / len(known) if known else None)
        tip = [v for v in self.recent[-_TIP_STEPS:] if v is not None]
        if tip and group * size > 1:
            out[-1] = sum(tip) / len(tip)
        dropped = max(0, len(out) - count)
        return (first // size - skip + dropped * group) * size, size * group, out[dropped:]


class History:
    """Collects (step, strain) in order of steps."""

    def __init__(self) -> None:
        self._bucket = 1
        self._low = 0
        self._sums: list[float] = []
        self._counts: list[int] = []
        self._means: list[float | None] = []
        self._recent: deque[float | None] = deque(maxlen=RECENT_STEPS)
        """Values of steps that follow each other without a gap; the last one is of step `_newest`."""
        self._newest = 0
        self._last: int | None = None
        self._marks: tuple[tuple[int, str], ...] = ()

    @property
    def last_recorded(self) -> int | None:
        """The newest step that was added by itself, not as part of a window."""
        return self._newest if self._recent else None

    def mark(self, marks: Sequence[tuple[int, str]]) -> None:
        """The levels won, as (step, label)."""
        self._marks = tuple(marks)

    def add(self, step: int, value: float | None, *, steps: int = 1) -> None:
        """The mean ``value`` of ``steps`` steps that end with ``step``; None or non-finite is a gap."""
        if self._last is not None and step <= self._last:
            self.rewind(step - steps)
        self._last = step
        known = value if value is not None and math.isfinite(value) else None
        if steps == 1:
            if self._newest != step - 1:
                self._recent.clear()
            self._recent.append(known)
            self._newest = step
        if known is not None:
            self._put(step - steps + 1, step, known)

    def rewind(self, step: int) -> None:
        """Forget everything after ``step``: the run was resumed there."""
        while self._recent and self._newest > step:
            self._recent.pop()
            self._newest -= 1
        keep = max(0, step // self._bucket - self._low + 1)
        del self._sums[keep:], self._counts[keep:], self._means[keep:]
        self._last = step if self._last is not None else None

    def recent(self, most: int = RECENT_STEPS) -> list[float]:
        """Values of at most so many of the newest steps, NaN where one is not known."""
        newest = islice(reversed(self._recent), most)
        return [math.nan if value is None else value for value in newest][::-1]

    def curve(self) -> Curve:
        """What is known now."""
        return Curve(
            first=self._low * self._bucket,
            bucket=self._bucket,
            values=tuple(self._means),
            recent_first=self._newest - len(self._recent) + 1 if self._recent else 0,
            recent=tuple(self._recent),
            last=self._last,
            marks=self._marks,
        )

    def _put(self, first: int, last: int, value: float) -> None:
        if not self._sums:
            self._low = first // self._bucket
        while last // self._bucket - self._low >= MOST_BUCKETS:
            self._merge()
        start, end = max(self._low, first // self._bucket), last // self._bucket
        missing = end - self._low + 1 - len(self._sums)
        if missing > 0:
            self._sums += [0.0] * missing
            self._counts += [0] * missing
            self._means += [None] * missing
        share = max(1, (last - first + 1) // (end - start + 1))
        for key in range(start - self._low, end - self._low + 1):
            self._sums[key] += value * share
            self._counts[key] += share
            self._means[key] = self._sums[key] / self._counts[key]

    def _merge(self) -> None:
        """Make every bucket twice as wide."""
        odd = self._low % 2
        sums, counts = [0.0] * odd + self._sums, [0] * odd + self._counts
        if len(sums) % 2:
            sums.append(0.0)
            counts.append(0)
        self._sums = [a + b for a, b in zip(sums[::2], sums[1::2], strict=True)]
        self._counts = [a + b for a, b in zip(counts[::2], counts[1::2], strict=True)]
        self._means = [s / c if c else None for s, c in zip(self._sums, self._counts, strict=True)]
        self._low //= 2
        self._bucket *= 2

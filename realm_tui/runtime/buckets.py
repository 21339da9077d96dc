"""Steps in buckets of equal size, and which of them are looked at."""

from __future__ import annotations

from dataclasses import dataclass

POINTS = 1024
"""Most buckets of a grid; a chart draws at most so many columns of dots."""


def bucket_size(steps: int, columns: int) -> int:
    """Steps in one column of dots: the smallest of 1, 2, 3, 4, 6, 8, 12, … that shows ``steps`` in ``columns``."""
    size = 1
    while steps > size * columns:
        size = size * 3 // 2 if size > 1 and size & (size - 1) == 0 else size * 4 // 3 if size > 1 else 2
    return size


@dataclass(frozen=True, slots=True)
class Span:
    """Which steps are looked at."""

    width: int | None = None
    """How many; None: all."""
    end: int | None = None
    """The last one; None: the newest, and the view follows it."""

    def bounds(self, first: int, last: int) -> tuple[int, int]:
        """First and last step of the view on a history that reaches from ``first`` to ``last``."""
        if self.width is None:
            return first, last
        end = last if self.end is None else min(last, max(self.end, min(last, first + self.width - 1)))
        return max(first, end - self.width + 1), end

    def zoomed(self, factor: float, first: int, last: int, least: int = 32) -> Span:
        """The view with ``factor`` times as many steps, its newest one kept in place."""
        low, high = self.bounds(first, last)
        width = max(least, round((high - low + 1) * factor))
        if width >= last - first + 1:
            return Span()
        return Span(width, self.end)

    def panned(self, share: float, first: int, last: int) -> Span:
        """The view moved by a share of its width; at the newest step it follows again."""
        if self.width is None:
            return self
        _, high = self.bounds(first, last)
        end = high + round(share * self.width)
        return Span(self.width, None if end >= last else max(end, min(last, first + self.width - 1)))


@dataclass(frozen=True, slots=True)
class Grid:
    """Buckets of equal size, the first one from step ``first`` on."""

    first: int = 1
    size: int = 1
    count: int = 0

    @classmethod
    def over(cls, first: int, last: int, most: int = POINTS) -> Grid:
        """Buckets that begin at multiples of their size, so that they stay put as history grows."""
        size = bucket_size(max(1, last - first + 1), max(1, most - 1))
        start = (first - 1) // size
        return cls(start * size + 1, size, (last - 1) // size - start + 1)

    @property
    def start(self) -> int:
        """Number of the first bucket."""
        return (self.first - 1) // self.size

    @property
    def last(self) -> int:
        """Last step of the last bucket."""
        return self.first + self.size * self.count - 1

    def bucket(self, step: int) -> int | None:
        """Place of the bucket that holds a step; None outside."""
        place = (step - 1) // self.size - self.start
        return place if 0 <= place < self.count else None

    def shifted(self, shift: int) -> tuple[Grid, int, int]:
        """The same buckets counted by somebody whose steps are ``shift`` behind.

        Returns:
            Their grid, how many buckets at the front lie before their first step, and the shift in whole buckets.
        """
        away = round(shift / self.size) * self.size
        first = self.first - away
        short = min(self.count, -((first - 1) // self.size)) if first < 1 else 0
        return Grid(max(1, first + short * self.size), self.size, self.count - short), short, away

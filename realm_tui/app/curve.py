"""Strain over steps as a braille curve: buckets of steps, an axis of four equal zone bands, and the dots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from configs.schema import StrainRules

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Braille bits by row and column of a cell."""
_TOPS = (0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """Zones as bands of equal height; inside Overload the scale is logarithmic, elsewhere linear."""

    rules: StrainRules
    top: float
    dots: int
    """Height in dots; band borders fall on quarters of it."""

    @classmethod
    def over(cls, values: Sequence[float | None], rules: StrainRules, dots: int) -> Axis:
        """The axis that holds every known value, with a round upper end that seldom changes."""
        known = [v for v in values if v is not None and math.isfinite(v)]
        highest = max(known, default=0.0)
        top = next((t for t in _TOPS if t >= highest and t > rules.overload * 1.2), max(_TOPS[-1], highest))
        return cls(rules, top, dots)

    def dot(self, value: float) -> int:
        """Row of dots for a value, 0 at the top."""
        r = self.rules
        if value >= r.overload:
            part = min(1.0, math.log(value / r.overload) / math.log(self.top / r.overload))
            height = 3.0 + part
        else:
            bounds = (0.0, r.productive, r.stretch, r.overload)
            band = 2 if value >= r.stretch else 1 if value >= r.productive else 0
            low, high = bounds[band], bounds[band + 1]
            height = band + (max(0.0, value) - low) / (high - low)
        return min(self.dots - 1, max(0, self.dots - 1 - int(height / 4 * self.dots)))

    def border_row(self, band: int) -> int:
        """The row of cells in which the upper border of band 0, 1 or 2 lies."""
        return min(self.dots - 1, self.dots - math.ceil((band + 1) / 4 * self.dots)) // 4


def plot(values: Sequence[float | None], axis: Axis, width: int) -> list[str]:
    """Rows of cells (braille, or a blank where nothing is drawn) for two values per cell; unknown ones are gaps."""
    rows = axis.dots // 4
    cells = [[0] * width for _ in range(rows)]
    before: int | None = None
    for x, value in enumerate(values[: width * 2]):
        if value is None or not math.isfinite(value):
            before = None
            continue
        here = axis.dot(value)
        low, high = (here, here) if before is None else (min(before, here), max(before, here))
        if before is not None and high > low:
            # A steep step is drawn from the far end up to here, without doubling the dot of the column before.
            low, high = (low + 1, high) if before < here else (low, high - 1)
        for y in range(low, high + 1):
            cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
        before = here
    return ["".join(chr(0x2800 + bits) if bits else " " for bits in line) for line in cells]


def plot_ascii(values: Sequence[float | None], axis: Axis, width: int) -> list[str]:
    """The same curve in ASCII: the height inside a cell is told by ``'`` ``*`` ``.``."""
    rows = axis.dots // 4
    cells = [[" "] * width for _ in range(rows)]
    for x in range(width):
        pair = [v for v in values[2 * x : 2 * x + 2] if v is not None and math.isfinite(v)]
        if pair:
            y = axis.dot(sum(pair) / len(pair))
            cells[y // 4][x] = "'**."[y % 4]
    return ["".join(line) for line in cells]

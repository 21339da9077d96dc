"""Charts as rows: an axis of round numbers, braille lines, a second line drawn dotted, points, and stacked columns.

Everything is a pure function. The second line differs in its dots as well as in its colour, points are signs, and stacked
parts have fillings of their own, so that colour never carries alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from realm_tui.app.drawing import Row
from realm_tui.app.words import UNKNOWN, brief, rate

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
POINT, OTHER_POINT = "●", "○"
FILLS = ("█", "▒", "░")
"""Fillings of stacked parts, from the bottom up."""
LEFT = 7
"""Cells of the axis."""
Numbers = Sequence[float | None]


class Scale(Protocol):
    """Turns a value into a row of dots, 0 at the top."""

    @property
    def dots(self) -> int: ...

    def dot(self, value: float) -> int: ...


@dataclass(frozen=True, slots=True)
class ValueAxis:
    """A linear or logarithmic axis between two round numbers."""

    low: float
    high: float
    dots: int
    log: bool = False

    @classmethod
    def over(
        cls,
        values: Iterable[float | None],
        dots: int,
        *,
        log: bool = False,
        from_zero: bool = False,
        top: float | None = None,
    ) -> ValueAxis:
        """The axis that holds every finite value.

        Args:
            values: what is drawn; unknown ones and those that a logarithm has no place for are left out.
            dots: its height.
            log: equal factors take equal heights.
            from_zero: begin at 0 (not with ``log``).
            top: always end there.
        """
        known = [v for v in values if v is not None and _drawable(v, log)]
        if not known:
            return cls(1.0 if log else 0.0, 10.0 if log else top or 1.0, dots, log)
        low, high = min(known), max(known)
        if log:
            bottom, upper = 1 / _round_step(1 / low), _round_step(high)
            return cls(bottom, upper if upper > bottom * 1.5 else bottom * 10, dots, log)
        if from_zero:
            low, high = min(0.0, low), max(0.0, high)
        if top is not None:
            high = max(top, high)
        if high - low <= 1e-9 * max(abs(low), abs(high)):
            room = abs(high) * 0.5 or 1.0
            low, high = (low, high + room) if from_zero else (low - room, high + room)
        step = _round_step((high - low) / 4)
        bottom = math.floor(low / step + 1e-9) * step
        upper = top if top is not None and high <= top else math.ceil(high / step - 1e-9) * step
        return cls(bottom, upper, dots, log)

    def dot(self, value: float) -> int:
        """Row of dots for a value; those beyond the axis lie on its border."""
        if self.log:
            part = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return min(self.dots - 1, max(0, self.dots - 1 - round(part * (self.dots - 1))))

    def shows(self, value: float | None) -> bool:
        """Whether the value has a place on this axis."""
        return value is not None and _drawable(value, self.log)


def _drawable(value: float, log: bool) -> bool:
    """Finite, and within what an axis can span; a diverged number is a gap and cannot wreck the axis."""
    return abs(value) < 1e30 and (not log or value > 1e-30)


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is at least ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(f * power for f in (1.0, 2.0, 2.5, 5.0, 10.0) if f * power >= least * (1 - 1e-9))


# ---------------------------------------------------------------- numbers


def tick(value: float | None) -> str:
    """A number in at most six cells: ``0.043``, ``12.5``, ``1.9k``, ``2.0e-4``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    size = abs(value)
    if size >= 1000:
        return brief(value)
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1 or value == 0:
        return f"{value:.2f}"
    if size >= 0.01:
        return f"{value:.3f}"
    return rate(value) if value >= 1e-9 else f"{value:.0e}"


def seconds(value: float | None) -> str:
    """A short time: ``41 ms``, ``1.2 s``, ``80 s``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value < 0.9995:
        return f"{value * 1000:.0f} ms" if value >= 0.00995 or value == 0 else f"{value * 1000:.1f} ms"
    return f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"


def memory(mib: float | None) -> str:
    """Mebibytes as ``812 M`` or ``2.4 G``."""
    if mib is None or not math.isfinite(mib):
        return UNKNOWN
    return f"{mib:.0f} M" if mib < 999.5 else f"{mib / 1024:.1f} G"


def share(value: float | None) -> str:
    """A share cut to two places: ``.82``; never rounded up to a bound."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    cut = int(value * 100 + 1e-9)
    return "1.0" if cut >= 100 else f".{max(0, cut):02d}"


def degrees(value: float | None) -> str:
    """A temperature: ``61 °C``."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value:.0f} °C"


# ---------------------------------------------------------------- columns


@dataclass(frozen=True, slots=True)
class Columns:
    """How buckets become columns of dots: some buckets in one column, or one bucket over some columns."""

    group: int = 1
    repeat: int = 1
    skip: int = 0
    """Buckets that are missing in the first column: columns begin at multiples of their own size and stay put."""

    @classmethod
    def fit(cls, start: int, count: int, dots: int) -> Columns:
        """For ``count`` buckets, the first of them number ``start``, in at most ``dots`` columns."""
        if count < 1 or dots < 1:
            return cls()
        if count <= dots:
            return cls(repeat=max(1, min(8, dots // count)))
        group = -(-count // dots)
        while (start % group + count + group - 1) // group > dots:
            group += 1
        return cls(group=group, skip=start % group)

    def of(self, values: Numbers) -> list[float | None]:
        """Means per column; None where no bucket is known."""
        if self.group == 1:
            return [v for v in values for _ in range(self.repeat)]
        out: list[float | None] = []
        for begin in range(-self.skip, len(values), self.group):
            known = [v for v in values[max(0, begin) : begin + self.group] if v is not None and math.isfinite(v)]
            out.append(math.fsum(known) / len(known) if known else None)
        return out

    def at(self, bucket: int) -> int:
        """The first column of a bucket."""
        return bucket * self.repeat if self.group == 1 else (bucket + self.skip) // self.group


def smooth(values: Numbers, weight: float) -> list[float | None]:
    """Exponential mean with ``weight`` of what was before, without its pull towards 0 at the beginning; gaps stay gaps."""
    if weight <= 0:
        return list(values)
    out: list[float | None] = []
    total, mass = 0.0, 0.0
    for value in values:
        if value is None or not math.isfinite(value):
            out.append(None)
            continue
        total, mass = weight * total + (1 - weight) * value, weight * mass + (1 - weight)
        out.append(total / mass)
    return out


# ---------------------------------------------------------------- drawing


def _bits(values: Numbers, scale: Scale, width: int, *, dotted: bool) -> list[list[int]]:
    """Braille bits per cell of one line; unknown values are gaps, a dotted line leaves out every other pair of columns."""
    rows = scale.dots // 4
    cells = [[0] * width for _ in range(rows)]
    before: int | None = None
    shows = getattr(scale, "shows", math.isfinite)
    for x, value in enumerate(values[: width * 2]):
        if value is None or not shows(value):
            before = None
            continue
        here = scale.dot(value)
        low, high = (here, here) if before is None else (min(before, here), max(before, here))
        if before is not None and high > low:
            low, high = (low + 1, high) if before < here else (low, high - 1)
        before = here
        if dotted and x % 4 >= 2:
            continue
        for y in range(low, high + 1):
            cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    return cells


Cells = list[list[tuple[str, str]]]
"""One (character, role) per cell."""


def blank(width: int, rows: int) -> Cells:
    """An empty area."""
    return [[(" ", "")] * width for _ in range(rows)]


def draw_line(
    cells: Cells, values: Numbers, scale: Scale, role: str, *, dotted: bool = False, ascii_only: bool = False
) -> None:
    """Lay a line over what is drawn; where two share a cell, both lines' dots stand there in the colour of the later one."""
    width = len(cells[0]) if cells else 0
    shows = getattr(scale, "shows", math.isfinite)
    if ascii_only:
        for x in range(width):
            pair = [v for v in values[2 * x : 2 * x + 2] if v is not None and shows(v)]
            if pair and not (dotted and x % 2):
                y = scale.dot(math.fsum(pair) / len(pair))
                cells[y // 4][x] = ("o" if dotted else "'**."[y % 4], role)
        return
    for y, row in enumerate(_bits(values, scale, width, dotted=dotted)):
        for x, bits in enumerate(row):
            if bits:
                under = ord(cells[y][x][0]) - 0x2800
                cells[y][x] = (chr(0x2800 + (bits | under if 0 < under < 256 else bits)), role)


def draw_points(cells: Cells, points: Iterable[tuple[int, float]], scale: Scale, role: str, sign: str = POINT) -> None:
    """Signs at (column of dots, value)."""
    width = len(cells[0]) if cells else 0
    shows = getattr(scale, "shows", math.isfinite)
    for column, value in points:
        if 0 <= column < width * 2 and shows(value):
            cells[scale.dot(value) // 4][column // 2] = (sign, role)


def draw_stack(
    cells: Cells, parts: Sequence[Numbers], top: float, roles: Sequence[str], fills: Sequence[str] = FILLS
) -> None:
    """Columns of cells filled from the bottom: each part on the one before it, by the mean of the two values of a cell."""
    rows, width = len(cells), len(cells[0]) if cells else 0
    if top <= 0:
        return
    for x in range(width):
        filled, total = 0, 0.0
        for part, fill, role in zip(parts, fills, roles, strict=False):
            pair = [v for v in part[2 * x : 2 * x + 2] if v is not None and math.isfinite(v)]
            if not pair:
                continue
            total += math.fsum(pair) / len(pair)
            upto = min(rows, round(total / top * rows))
            if filled == 0 and upto == 0 and total > 0:
                upto = 1
            for y in range(filled, upto):
                cells[rows - 1 - y][x] = (fill, role)
            filled = max(filled, upto)


def spans(cells: Sequence[tuple[str, str]]) -> Row:
    """A row of cells as spans of equal role."""
    out: list[tuple[str, str]] = []
    for char, role in cells:
        if out and (out[-1][1] == role or char == " "):
            out[-1] = (out[-1][0] + char, out[-1][1])
        else:
            out.append((char, role))
    return tuple(out)


def framed(cells: Cells, scale: ValueAxis, show: Callable[[float | None], str]) -> list[Row]:
    """The area with its axis at the left: the highest and the lowest value, and as many between them as there is room for."""
    rows = len(cells)
    labels = {0: scale.high, rows - 1: scale.low}
    parts = next((n for n in (4, 2) if rows >= 4 * n and (rows - 1) % n == 0), 2 if rows >= 5 and rows % 2 else 1)
    for i in range(1, parts):
        part = 1 - i / parts
        labels[(rows - 1) * i // parts] = (
            scale.low * (scale.high / scale.low) ** part if scale.log else scale.low + (scale.high - scale.low) * part
        )
    out: list[Row] = []
    for y, row in enumerate(cells):
        text = show(labels[y]) if y in labels else ""
        out.append(((f"{text[: LEFT - 1]:>{LEFT - 1}}", "muted"), ("│" if text else "┊", "line"), *spans(row)))
    return out

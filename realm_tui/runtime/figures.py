"""Sizes, times and ages as people read them, beside the figures of `lore.figures`. What is not known is a dash."""

from __future__ import annotations

from configs.clock import utc
from lore.figures import duration


def age(seconds: float | None) -> str:
    """A stretch of time that may be short: ``0.4 s``, else as `lore.figures.duration`."""
    return f"{max(0.0, seconds):.1f} s" if seconds is not None and seconds < 10 else duration(seconds)


def left(seconds: float | None) -> str:
    """Time that is left, like a clock: ``0:14``, ``1:02:05``."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def size(count: float | None) -> str:
    """Bytes as ``1.2 GB`` (powers of ten)."""
    if count is None:
        return "–"
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def moment(seconds: float | None) -> str:
    """A time of the save in UTC, to the minute."""
    return "–" if seconds is None else f"{utc(seconds):%Y-%m-%d %H:%M}Z"

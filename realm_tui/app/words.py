"""Numbers and times as the screen writes them. What is not known is a dash."""

from __future__ import annotations

import math
from datetime import datetime

UNKNOWN = "–"


def number(value: float | None, digits: int = 2) -> str:
    """A value with fixed decimals; unknown and non-finite ones are a dash."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{value:.{digits}f}"


def whole(value: int | None) -> str:
    """A count with thousands set apart."""
    return UNKNOWN if value is None else f"{value:,}"


def brief(value: float | None) -> str:
    """A large number in four cells: ``1.9k``, ``12k``, ``3.4M``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    for bound, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= bound * 0.9995:
            scaled = value / bound
            return f"{scaled:.1f}{unit}" if abs(scaled) < 9.95 else f"{scaled:.0f}{unit}"
    return f"{value:.0f}"


def rate(value: float | None) -> str:
    """A learning rate: ``2.0e-2``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def fraction(value: float | None) -> str:
    """A number between 0 and 1 in three cells, cut like a share: ``.83``, ``1.0``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    cut = int(value * 100 + 1e-9)
    return "1.0" if cut >= 100 else f".{max(0, cut):02d}"


def age(seconds: float | None) -> str:
    """How old something is: ``0.2 s``, ``42 s``, ``7 min``, ``3 h``, ``2 d``."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for bound, size, unit in ((90, 1, "s"), (5400, 60, "min"), (129600, 3600, "h")):
        if seconds < bound:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def span(seconds: float | None) -> str:
    """A remaining time as a clock: ``0:14``, ``12:05``, ``3:20:00``."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def clock_time(at: float | None) -> str:
    """The player's wall clock for a moment in the save: ``23:41``."""
    return UNKNOWN if at is None else datetime.fromtimestamp(at).astimezone().strftime("%H:%M")


def percent(part: float | None, total: float | None) -> str:
    """``62 %``, never above what is done."""
    if part is None or not total:
        return UNKNOWN
    return f"{int(100 * min(1.0, part / total))} %"

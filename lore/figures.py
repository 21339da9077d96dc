"""Numbers as the stories tell them."""

from __future__ import annotations


def share(correct: int, items: int) -> str:
    """A share as ``.83`` or ``1.0``, cut and never rounded up: 51 of 64 is ``.79``; a dash without items."""
    if items <= 0:
        return "–"
    percent = 100 * correct // items
    return "1.0" if percent >= 100 else f".{percent:02d}"


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands marks; a dash when unknown."""
    return "–" if value is None else f"{value:,.{digits}f}"


def count(value: int, one: str, many: str | None = None) -> str:
    """A number with its noun: ``1 exam``, ``1,204 steps``."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def duration(seconds: float | None) -> str:
    """A stretch of time in its two largest units: ``45 s``, ``12 min``, ``7 h 05 min``, ``3 d 4 h``."""
    if seconds is None:
        return "–"
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60:02d} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def levels(found: list[int]) -> str:
    """Levels as ranges: ``L1–3, L5``."""
    parts: list[str] = []
    ordered = sorted(set(found))
    while ordered:
        first = last = ordered.pop(0)
        while ordered and ordered[0] == last + 1:
            last = ordered.pop(0)
        parts.append(f"L{first}" if first == last else f"L{first}–{last}")
    return ", ".join(parts)

"""Whether anything is wrong with the hero, in one word."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Severity = Literal["low", "medium", "high", "critical"]
Health = Literal["healthy", "minor_issues", "fatigued", "struggling"]

OPEN = frozenset({"open", "investigating"})
"""States of an incident that still weighs on the hero."""


def health(severities: Iterable[str]) -> Health:
    """The word for what is open.

    Args:
        severities: one severity per open affliction (`low`, `medium`, `high` or `critical`).
    """
    found = list(severities)
    serious = sum(s in ("high", "critical") for s in found)
    if serious >= 2:
        return "struggling"
    if serious == 1:
        return "fatigued"
    return "minor_issues" if found else "healthy"

"""The ladder of a task: which settings each rung of its curriculum means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any


def rung_count(curriculum: Any) -> int:
    """Rungs of a curriculum: those of its longest attribute; a task without one has a single rung."""
    return max((len(attribute.levels) for attribute in curriculum.attributes.values()), default=1) if curriculum else 1


def settings(config: type[Any], curriculum: Any, rung: int) -> dict[str, Any]:
    """The settings of ``rung``, counted from 1; an attribute with fewer rungs stays at its last.

    Both ends of a range move: it reaches from the value of the rung before to that of this one. On the first rung it begins at the
    task's own default where that lies below.
    """
    if curriculum is None:
        return {}
    defaults = {f.name: f.default for f in fields(config) if f.default is not MISSING}
    found: dict[str, Any] = {}
    for attribute in curriculum.attributes.values():
        values = attribute.levels
        lower = getattr(attribute, "lower_field_name", None)
        if lower is None:
            found[attribute.field_name] = values[min(rung, len(values)) - 1]
            continue
        found[lower], found[attribute.upper_field_name] = _range(attribute, rung, defaults, lower)
    return found


def _range(attribute: Any, rung: int, defaults: Mapping[str, Any], lower: str) -> tuple[Any, Any]:
    values = attribute.levels
    here = min(rung, len(values)) - 1
    if isinstance(values[here], Iterable):
        return min(values[here]), max(values[here])
    if attribute.ensure_interval:
        here = min(rung, len(values) - 1)
    if here:
        return values[here - 1], values[here]
    start = defaults.get(lower)
    below = isinstance(start, int | float) and start < values[0]
    return (start if below else values[0]), values[0]

"""States of the fold as JSON can hold them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


def plain(state: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, as they are: what they hold is shared with it and not copied."""
    kind = type(state)
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = tuple(f.name for f in fields(kind))
    return {name: getattr(state, name) for name in names}


_NAMES: dict[type, tuple[str, ...]] = {}

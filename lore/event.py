"""One thing that happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, with the row that proves it."""

    type: str
    """``category.action``, e.g. ``hero.skill_level_up``."""
    at: float
    """UTC seconds."""
    source: str
    """Table and key of the row, e.g. ``exams:12``; together with `type` unique in a save."""
    run_id: int | None = None
    step: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Tells one event from every other of the save."""
        return f"{self.type}@{self.source}"

    def as_dict(self) -> dict[str, Any]:
        """The machine form, one line of ``realm events --json``."""
        return {
            "type": self.type,
            "time": self.at,
            "source": self.source,
            "run": self.run_id,
            "step": self.step,
            "data": dict(self.data),
        }

"""The part of a trainer's state that is plain JSON: everything beside tensors that an exact resume needs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from configs.errors import RealmError
from engine.curriculum.examination import Examination
from engine.curriculum.presets import Settings
from engine.curriculum.presets import from_dict as settings_from
from engine.curriculum.primitives import Seen
from engine.curriculum.remediation import DrillOrder
from engine.curriculum.state import CurriculumState, from_dict
from engine.trainer.plan_asked import PlanAsked

VERSION = 1


@dataclass
class QuestCursor:
    """Where the hero stands in a player's quest."""

    quest_id: int
    attempt_id: int
    position: int
    """Rounds done."""
    examples_done: int
    loss_before: float | None
    samples_before: list[dict[str, Any]]
    floor: float | None
    planned_at: float
    """Fixes the date in the system prompt."""


@dataclass
class Drill:
    """The forged quest under way."""

    forged_id: int
    skill: str
    first_step: int
    name: str
    order: DrillOrder | None = None
    """The primitive it drills; None: problems as the curriculum draws them."""


@dataclass
class Values:
    """All counters and cursors of the game; tensors are kept apart."""

    step: int = 0
    curricula: dict[str, CurriculumState] = field(default_factory=dict)
    effort_before: float = 0.0
    """Effort of trackers that are closed."""
    quest: QuestCursor | None = None
    drill: Drill | None = None
    applied_seq: int = 0
    """Highest number in the journal that was taken in at exactly ``step``; 0 when there was none."""
    level_up_step: int = 0
    examples: int = 0
    refused: int = 0
    """Steps refused in a row because something was not finite."""
    rate_factor: float | None = None
    """Factor of the learning rate, set by the player; None: the hero's own rate."""
    weights: dict[str, float] | None = None
    """Share of the steps by skill, set by the player; None: the strategy's."""
    settings: Settings | None = None
    """Strategy and preset in force; None: not chosen yet (a checkpoint from before there was a choice)."""
    replay: float | None = None
    """Share of forged problems beside a player's quest, set by the player; None: the rules'."""
    primitives: dict[str, tuple[Seen, ...]] = field(default_factory=dict)
    """What the gate's exams said of each primitive lately."""
    drills: list[DrillOrder] = field(default_factory=list)
    """Drills that were asked for and wait."""
    guests: dict[str, CurriculumState] = field(default_factory=dict)
    """Records of skills that are drilled but not trained."""
    last_drilled: str | None = None
    """The primitive drilled last."""
    undrillable: list[str] = field(default_factory=list)
    """Primitives whose drill was left because nothing of it could be made; the course advises them no more."""
    forged: int = 0
    """Forged quests begun."""
    pass_tokens: int | None = None
    """Most tokens of a forward pass, once memory ran out; None: as planned."""
    outside: dict[str, Examination] = field(default_factory=dict)
    """The gate's exams that are asked elsewhere, by name."""
    outside_plan: dict[str, PlanAsked] = field(default_factory=dict)
    """The same for the exam plan."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        data = {k: getattr(self, k) for k in self.__dataclass_fields__}
        data["curricula"] = {k: s.as_dict() for k, s in self.curricula.items()}
        data["quest"] = asdict(self.quest) if self.quest else None
        data["drill"] = _drill_dict(self.drill) if self.drill else None
        data["primitives"] = {k: [list(seen) for seen in v] for k, v in self.primitives.items()}
        data["drills"] = [order.as_dict() for order in self.drills]
        data["guests"] = {k: s.as_dict() for k, s in self.guests.items()}
        data["settings"] = self.settings.as_dict() if self.settings else None
        data["outside"] = {k: known.as_dict() for k, known in self.outside.items()}
        data["outside_plan"] = {k: asked.as_dict() for k, asked in self.outside_plan.items()}
        return {"version": VERSION, **data}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Values:
        """What `as_dict` gave; `RealmError` when it is not that."""
        try:
            if data["version"] != VERSION:
                raise ValueError(f"version {data['version']!r}, this program knows {VERSION}")
            known = {k: v for k, v in data.items() if k != "version"}
            known["curricula"] = {k: from_dict(s) for k, s in data["curricula"].items()}
            known["quest"] = QuestCursor(**data["quest"]) if data["quest"] else None
            known["drill"] = _drill_from(data["drill"]) if data["drill"] else None
            told = data.get("primitives", {})
            known["primitives"] = {k: tuple(Seen(*seen) for seen in v) for k, v in told.items()}
            known["drills"] = [DrillOrder.from_dict(order) for order in data.get("drills", [])]
            known["guests"] = {k: from_dict(s) for k, s in data.get("guests", {}).items()}
            known["settings"] = settings_from(data["settings"]) if data.get("settings") else None
            known["outside"] = {k: Examination.from_dict(e) for k, e in data.get("outside", {}).items()}
            known["outside_plan"] = {k: PlanAsked.from_dict(a) for k, a in data.get("outside_plan", {}).items()}
            return cls(**known)
        except (KeyError, TypeError, ValueError) as error:
            raise RealmError(
                "the counters in the checkpoint cannot be read",
                why=f"{type(error).__name__}: {error}",
                fix="go back to an older checkpoint (`realm ledger summon NAME`)",
                code="CHECKPOINT_BROKEN",
            ) from error


def _drill_dict(drill: Drill) -> dict[str, Any]:
    return {**asdict(drill), "order": drill.order.as_dict() if drill.order else None}


def _drill_from(data: dict[str, Any]) -> Drill:
    order = data.get("order")
    return Drill(**{**data, "order": DrillOrder.from_dict(order) if order else None})

"""What is true right now, in one object: the same facts for the screen, the status line and ``realm status --json``.

Live values come from the ring while an engine holds its lock, everything else from the save. What is not known is ``None``
(null in JSON, drawn as a dash), never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from configs.schema import Zone
from engine.link.state import EngineState

CONTRACT_VERSION = 1
"""Grows when a field of the machine contract changes its meaning or goes away."""
STALE_AFTER_S = 30.0
"""Age of a living engine's heartbeat from which its report is called stale."""


@dataclass(frozen=True, slots=True)
class HeroStatus:
    """Who is learning."""

    id: str
    name: str
    epithet: str
    level: int
    """Hero level: thousands of live steps."""
    steps: int
    """Live optimizer steps of the campaign; its XP."""
    colour: str
    emoji: str

    @property
    def title(self) -> str:
        """Name and epithet, e.g. ``PIP, the Hatchling``."""
        return f"{self.name}, {self.epithet}"


@dataclass(frozen=True, slots=True)
class OperationStatus:
    """One operation at the training level, pooled over the last exams of the gate."""

    correct: int
    items: int
    chance: float | None
    """Accuracy of the best answer that does not look at the operands."""


@dataclass(frozen=True, slots=True)
class SkillStatus:
    """How far a skill is, with the evidence."""

    name: str
    mix: str
    max_level: int
    mastered: int
    """Levels won; 0 is none."""
    held: int
    """Mastered levels that are not lost."""
    lost: tuple[int, ...]
    training: int | None
    """The level exams are taken at; None when every level is won."""
    level_name: str | None
    accuracy: float | None
    """Share of the newest exam at the training level, cut (never rounded up) to two places."""
    correct: int | None
    items: int | None
    interval: tuple[float, float] | None
    """Anytime-valid interval of that share."""
    exam_id: int | None
    streak: int
    """Newest exams in a row at the training level that reached the gate."""
    streak_needed: int
    operations: Mapping[str, OperationStatus]
    at_chance: tuple[str, ...]
    """Operations whose pooled share cannot be told from chance."""
    weakest: str | None
    not_yet: tuple[str, ...]
    """Operations the mix leaves out for now."""


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The player's quests that wait, by priority."""

    high: int = 0
    normal: int = 0
    low: int = 0

    @property
    def total(self) -> int:
        return self.high + self.normal + self.low


@dataclass(frozen=True, slots=True)
class QuestStatus:
    """What trains now, or trained last when no engine lives."""

    name: str
    id: int | None
    """None for a forged quest."""
    step: int | None
    steps: int | None
    eta_s: float | None
    held_out_loss: float | None


@dataclass(frozen=True, slots=True)
class ChampionStatus:
    """The form that was promoted last."""

    name: str
    step: int
    path: str
    """Folder that plain transformers loads: the export, else the checkpoint."""
    at: float


@dataclass(frozen=True, slots=True)
class Blocker:
    """Something in the way, with the way out."""

    code: str
    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class Status:
    """The machine contract. Times are UTC seconds, ages are seconds."""

    save: str
    at: float
    """When this was collected."""
    hero: HeroStatus
    campaign: str
    run: int | None
    state: EngineState
    stale: bool
    """An engine lives, but its last heartbeat is older than `STALE_AFTER_S`."""
    step: int | None
    xp: int
    loss: float | None
    loss_ema: float | None
    strain: float | None
    strain_rate: float | None
    zone: Zone | None
    floor: float | None
    effort: float | None
    gain: float | None
    """Mean loss of the campaign's first window less the loss now."""
    learning_rate: float | None
    grad_norm: float | None
    tokens_per_s: float | None
    steps_per_s: float | None
    memory_bytes: int | None
    skills: Mapping[str, SkillStatus]
    queue: QueueStatus
    quest: QuestStatus | None
    champion: ChampionStatus | None
    blockers: tuple[Blocker, ...]
    incidents: int
    """Open incidents."""
    next_exam_step: int | None
    last_checkpoint_step: int | None
    progress: str | None
    """What takes long right now, in words."""
    ages_s: Mapping[str, float | None] = field(default_factory=dict)
    """Seconds since ``heartbeat``, ``step``, ``exam``, ``checkpoint``, ``level_up``."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; unknown is null."""
        return {"contract": CONTRACT_VERSION, **asdict(self), "state": str(self.state)}

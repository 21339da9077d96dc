"""What the trainer shows of itself: one snapshot, one record per step, one battle block."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.link.state import EngineState

PROTOCOL_VERSION = 1
"""Version of ring layout and socket protocol together."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The engine's own report. A value that is not known is ``None``, never 0."""

    state: EngineState = EngineState.NONE
    heartbeat_at: float = 0.0
    """UTC seconds; at least twice a second while the trainer lives, whatever it is doing."""
    pid: int = 0
    run_id: int | None = None
    step: int | None = None
    """Last finished optimizer step of the campaign."""
    stepped_at: float | None = None
    loss: float | None = None
    loss_ema: float | None = None
    strain: float | None = None
    """None while no floor is known (a player's quest on its first attempt)."""
    strain_rate: float | None = None
    effort: float | None = None
    """Sum of strain over this campaign's live steps."""
    floor: float | None = None
    learning_rate: float | None = None
    grad_norm: float | None = None
    tokens_per_s: float | None = None
    steps_per_s: float | None = None
    held_out_loss: float | None = None
    memory_bytes: int | None = None
    """Resident memory of the trainer; device memory on a card."""
    skill: str | None = None
    training_level: int | None = None
    mastered_level: int | None = None
    quest: str | None = None
    """Name of the quest in training: a player's file, or e.g. ``BIN L3 drill``."""
    quest_id: int | None = None
    """Id of the player's quest; None while a forged one trains."""
    quest_step: int | None = None
    quest_steps: int | None = None
    next_exam_step: int | None = None
    last_checkpoint_step: int | None = None
    progress: str | None = None
    """What takes long right now, in words (``loading the tokenizer``, ``exam 24 of 64``)."""
    blocker: str | None = None
    """Why the engine is blocked or paused by itself."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One optimizer step in the ring; fixed size on disk."""

    step: int
    at: float
    loss: float
    """Mean loss per trained token; NaN when the step was refused."""
    strain: float
    """NaN while no floor is known."""
    learning_rate: float
    grad_norm: float
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BattleText:
    """The very text being trained on: decoded tokens, each with its loss."""

    step: int = 0
    at: float = 0.0
    title: str = ""
    tokens: tuple[str, ...] = ()
    losses: tuple[float | None, ...] = field(default=())
    """Loss per token in nats; None where the token is context and not trained."""

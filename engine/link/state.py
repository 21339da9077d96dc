"""The engine's states: one enum in ring, save, status and screens."""

from __future__ import annotations

from enum import StrEnum


class EngineState(StrEnum):
    """What the engine is doing."""

    NONE = "none"
    STARTING = "starting"
    LOADING = "loading"
    TRAINING = "training"
    EXAMINING = "examining"
    SAVING = "saving"
    PAUSED = "paused"
    PARKED = "parked"
    BLOCKED = "blocked"
    STOPPING = "stopping"
    STOPPED = "stopped"
    CRASHED = "crashed"


LIVING = frozenset(EngineState) - {EngineState.NONE, EngineState.STOPPED, EngineState.CRASHED}
"""States in which an engine process exists."""

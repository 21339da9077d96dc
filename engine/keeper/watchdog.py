"""Looks whether the trainer still gets anywhere. Measures with a clock that stands still while the machine sleeps."""

from __future__ import annotations

import dataclasses
from enum import Enum

from engine.link.snapshot import Snapshot
from engine.link.state import EngineState

LOOK_S = 30.0
WARN_S = 600.0
STUCK_S = 900.0
STUCK_EXAMINING_S = 1800.0
"""Exams, saving and loading may take longer than a step."""

_PATIENT = frozenset({EngineState.EXAMINING, EngineState.SAVING, EngineState.LOADING, EngineState.STARTING})
_RESTING = frozenset({EngineState.PAUSED, EngineState.PARKED, EngineState.BLOCKED})


class Verdict(Enum):
    """What a look found."""

    WELL = "well"
    SLOW = "slow"
    """No progress for long; said once."""
    STUCK = "stuck"
    """No progress for too long, but the heart beats: an incident, once."""
    DEAD = "dead"
    """Not even a heartbeat for too long: it is to be started again."""


class Watchdog:
    """One trainer's watch; a new trainer gets a new one.

    Args:
        now: monotonic seconds at which the trainer was started.
    """

    def __init__(self, now: float) -> None:
        self._beat_at = self._moved_at = now
        self._heartbeat: float | None = None
        self._last: Snapshot | None = None
        self._said = Verdict.WELL

    def look(self, snapshot: Snapshot | None, now: float) -> Verdict:
        """Judge the newest snapshot of this trainer (None: it has shown nothing yet) at monotonic ``now``."""
        heartbeat = snapshot.heartbeat_at if snapshot is not None else None
        if heartbeat != self._heartbeat:
            self._heartbeat, self._beat_at = heartbeat, now
        content = dataclasses.replace(snapshot, heartbeat_at=0.0) if snapshot is not None else None
        if content != self._last or (content is not None and content.state in _RESTING):
            self._last, self._moved_at, self._said = content, now, Verdict.WELL
        limit = STUCK_EXAMINING_S if content is None or content.state in _PATIENT else STUCK_S
        if now - self._beat_at >= limit:
            return Verdict.DEAD
        still = now - self._moved_at
        verdict = Verdict.STUCK if still >= limit else Verdict.SLOW if still >= WARN_S else Verdict.WELL
        if verdict is self._said:
            return Verdict.WELL
        self._said = verdict
        return verdict

    def silent_s(self, now: float) -> float:
        """Seconds since the heartbeat was last seen to move."""
        return now - self._beat_at

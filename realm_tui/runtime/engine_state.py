"""Whether an engine lives, and what it says of itself. A lock proves life; a row or a file alone proves nothing."""

from __future__ import annotations

from configs.errors import RealmError
from configs.paths import SaveFolder
from engine.link.ending import Crash
from engine.link.snapshot import Snapshot
from engine.link.state import LIVING, EngineState
from saves.locks import holder, is_held
from saves.rows import Run

_FALLS = frozenset({"crashed", *(str(crash) for crash in Crash)}) - {str(Crash.STOPPED)}
"""Ends of a run that nobody asked for."""


def engine_state(
    folder: SaveFolder, run: Run | None, *, ring: bool = True
) -> tuple[EngineState, Snapshot | None, RealmError | None]:
    """The state, the living engine's snapshot, and why that could not be read.

    Args:
        folder: the save's folder.
        run: the newest run of the campaign, or None.
        ring: read the engine's own report; without it a living engine is only known to be ``starting``.
    """
    trainer = is_held(folder.trainer_lock)
    if not trainer and not is_held(folder.keeper_lock):
        if run is None:
            return EngineState.NONE, None, None
        crashed = run.ended_at is None or (run.end_reason or "").partition(":")[0] in _FALLS
        return (EngineState.CRASHED if crashed else EngineState.STOPPED), None, None
    if not trainer:
        return (EngineState.STOPPING if _tidying(folder, run) else EngineState.STARTING), None, None
    if not ring:
        return EngineState.STARTING, None, None
    from engine.link.ring import RingReader

    try:
        with RingReader(folder.ring) as reader:
            snapshot = reader.snapshot()
    except RealmError as error:
        trouble = None if error.code == "NO_RING" else error
        return EngineState.STARTING, None, trouble
    if snapshot is None or snapshot.state not in LIVING:
        return (EngineState.STOPPING if _ending(folder, run) else EngineState.STARTING), None, None
    return snapshot.state, snapshot, None


def _ending(folder: SaveFolder, run: Run | None) -> bool:
    """Whether the trainer that still lives is the one whose run is over: it goes, and no other has begun."""
    if run is None or run.ended_at is None:
        return False
    found = holder(folder.trainer_lock)
    return found is not None and found.pid == run.pid


def _tidying(folder: SaveFolder, run: Run | None) -> bool:
    """Whether the keeper that lives alone is the one of the run that ended as it should: it took its lock before that."""
    if run is None or run.ended_at is None or run.end_reason in _FALLS:
        return False
    try:
        return folder.keeper_lock.stat().st_mtime <= run.ended_at
    except OSError:
        return False

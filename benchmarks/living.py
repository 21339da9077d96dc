"""A real engine on a save of its own, for benchmarks that measure the running game."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.machine import child_environment
from configs.errors import RealmError
from configs.paths import SaveFolder
from engine.link.ring import RingReader
from engine.link.snapshot import Snapshot
from engine.link.state import EngineState
from realm_tui.runtime.engine_process import ensure_engine, stop_engine

REALM = (sys.executable, "-m", "realm_tui")
WAKING_S = 120.0
"""How long an engine may take until it trains; a slow disk needs a good part of a minute."""


@contextmanager
def home() -> Iterator[Path]:
    """A realm's home with the shipped rules, for this process and those it starts; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="realm-bench-", ignore_cleanup_errors=True) as name:
        os.environ.update(child_environment(REALM_HOME=name))
        for other in ("REALM_SAVE", "REALM_CONFIG_DIR"):
            os.environ.pop(other, None)
        yield Path(name)


@contextmanager
def engine(folder: SaveFolder) -> Iterator[RingReader]:
    """An engine that trains this save, seen through its ring; stopped afterwards without saving."""
    try:
        ensure_engine(folder)
        await_snapshot(folder, training)
        with RingReader(folder.ring) as ring:
            yield ring
    finally:
        stop_engine(folder, now=True, timeout_s=60)


def training(snapshot: Snapshot) -> bool:
    """Whether a first step of this engine is done."""
    return snapshot.state is EngineState.TRAINING and snapshot.stepped_at is not None


def await_snapshot(folder: SaveFolder, wanted: Callable[[Snapshot], bool], limit_s: float = WAKING_S) -> Snapshot:
    """The first snapshot that is as wanted.

    Raises:
        SystemExit: none was in time; it says what the engine said last.
    """
    until, last = time.monotonic() + limit_s, None
    while time.monotonic() < until:
        try:
            with RingReader(folder.ring) as ring:
                last = ring.snapshot()
        except RealmError as error:
            if error.code != "NO_RING":
                raise
        if last is not None and wanted(last):
            return last
        time.sleep(0.005)
    raise SystemExit(f"the engine did not get there within {limit_s:g} s; it said last: {last}")

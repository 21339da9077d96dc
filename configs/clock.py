"""The one clock. Times in the save are UTC seconds since the epoch; tests replace ``now`` and ``monotonic``."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

_now: Callable[[], float] = time.time
_monotonic: Callable[[], float] = time.monotonic


def now() -> float:
    """Seconds since the epoch, UTC."""
    return _now()


def monotonic() -> float:
    """Seconds on a clock that never steps back; only differences mean something."""
    return _monotonic()


def utc(seconds: float) -> datetime:
    """An aware UTC datetime of ``seconds`` since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def use(now: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
    """Replace both clocks; without arguments, restore the real ones."""
    global _now, _monotonic
    _now, _monotonic = now, monotonic

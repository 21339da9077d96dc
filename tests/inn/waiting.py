"""Waits for something to become true, and says what did not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(what: str, true: Callable[[], Awaitable[bool]], most_s: float = 60.0) -> float:
    """Ask again and again; returns the seconds it took."""
    began = time.monotonic()
    while not await true():
        if time.monotonic() - began > most_s:
            raise AssertionError(f"not within {most_s:.0f} s: {what}")
        await asyncio.sleep(0.02)
    return time.monotonic() - began


def gone(pid: int) -> bool:
    """No such process runs (a zombie does not)."""
    from realm_tui.runtime.inn.there.processes import ticks

    return ticks(pid) is None

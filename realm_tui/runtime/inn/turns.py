"""Who may touch a place's server, among all processes of this realm: one starts it or swaps its form, and nobody swaps it under others.

Who starts a server or swaps its form has the `turn`, the others wait. Who asks a server that holds one form at a time many questions
has a `seat` meanwhile; whoever would let another form take that one's place waits until all seats are left (`cleared`). All of it ends
with the process that holds it.

`flock`, not `lockf`: two tasks of one process must exclude each other as well.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from configs import clock
from configs.errors import BlockedError
from configs.paths import realm_home

_POLL_S = 0.05


@asynccontextmanager
async def turn(place: str, *, within_s: float) -> AsyncIterator[None]:
    """The turn at a place's server, for the length of the block.

    Args:
        place: the place's id.
        within_s: how long another may keep it.

    Raises:
        BlockedError: another process kept it for longer (``SERVER_BUSY``).
    """
    busy = BlockedError(
        f"the server of {place} is being started or swapped by another process",
        why=f"it has been at it for {within_s:.0f} s",
        fix="wait, or end that process",
        code="SERVER_BUSY",
    )
    async with _held("turns", place, within_s, busy):
        yield


@asynccontextmanager
async def cleared(place: str, *, within_s: float) -> AsyncIterator[None]:
    """A place's server without anybody in a seat, for the length of the block: its form may be swapped.

    Args:
        place: the place's id.
        within_s: how long those in seats are waited for.

    Raises:
        BlockedError: they still sit there (``SERVER_BUSY``).
    """
    busy = BlockedError(
        f"the form at {place} is answering questions",
        why=f"it was not done within {within_s:.0f} s",
        fix="wait until they are answered (`realm job list`), or cancel them",
        code="SERVER_BUSY",
    )
    async with _held("seats", place, within_s, busy):
        yield


def seat(place: str) -> Callable[[], None] | None:
    """A seat at a place's server: until what this gives back is called, nobody swaps its form; None: somebody is swapping it now."""
    fd = _opened("seats", place)
    if not _taken(fd, fcntl.LOCK_SH):
        os.close(fd)
        return None
    return lambda: os.close(fd)


@asynccontextmanager
async def _held(what: str, place: str, within_s: float, busy: BlockedError) -> AsyncIterator[None]:
    until = clock.monotonic() + within_s
    fd = _opened(what, place)
    try:
        while not _taken(fd, fcntl.LOCK_EX):
            if clock.monotonic() > until:
                raise busy
            await asyncio.sleep(_POLL_S)
        yield
    finally:
        os.close(fd)


def _opened(what: str, place: str) -> int:
    folder = realm_home() / "inn" / what
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(folder / place, os.O_RDWR | os.O_CREAT, 0o600)


def _taken(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

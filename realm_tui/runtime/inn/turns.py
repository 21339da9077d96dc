"""One at a time among all processes of this realm: who starts a place's server or swaps its form has the turn, the others wait.

`flock`, not `lockf`: two tasks of one process must exclude each other as well.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
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
    folder = realm_home() / "inn" / "turns"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    until = clock.monotonic() + within_s
    fd = os.open(folder / place, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _taken(fd):
            if clock.monotonic() > until:
                raise BlockedError(
                    f"the server of {place} is being started or swapped by another process",
                    why=f"it has been at it for {within_s:.0f} s",
                    fix="wait, or end that process",
                    code="SERVER_BUSY",
                )
            await asyncio.sleep(_POLL_S)
        yield
    finally:
        os.close(fd)


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

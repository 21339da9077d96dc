"""Who holds a lease, in a name that tells whether the holder still lives."""

from __future__ import annotations

import os
from functools import cache
from itertools import count

from saves.locks import boot_id, start_ticks

_NUMBERS = count(1)


def new_owner() -> str:
    """A name for one claim by this process; no other claim ever has it: pid, start, boot and a number."""
    return f"{_me(os.getpid())}/{next(_NUMBERS)}"


def lives(owner: str) -> bool | None:
    """Whether the process that claimed lives on this machine; None: the name does not tell."""
    try:
        pid, ticks, boot = owner.rpartition("/")[0].split(".")
        started = int(ticks)
        number = int(pid)
    except ValueError:
        return None
    return boot == boot_id()[:8] and start_ticks(number) == started


@cache
def _me(pid: int) -> str:
    return f"{pid}.{start_ticks(pid)}.{boot_id()[:8]}"

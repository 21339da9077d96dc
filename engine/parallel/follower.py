"""A process that does not play: it wakes the same hero and does its part of whatever the first process does."""

from __future__ import annotations

import signal
import sys

from engine.link.ending import ExitCode
from engine.parallel.launch import Seat
from engine.parallel.loop import ParallelLoop
from engine.parallel.waking import Waking
from engine.parallel.world import Verb, World

FIRST_GONE = 1
"""Exit code of a process whose first one is gone; what ended that one says its own exit code and log."""


def follow(seat: Seat) -> int:
    """Obey until told to stop; the exit code.

    Raises:
        RealmError: the hero cannot be woken or trained here.
    """
    # A launcher ends all processes alike; this one waits for what the first makes of it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    world = World(seat)
    loop: ParallelLoop | None = None
    while True:
        try:
            order = world.hear()
        except RuntimeError:
            sys.stderr.write(f"process {seat.rank} ends: the first process is gone\n")
            return FIRST_GONE
        if order.verb is Verb.STOP:
            world.close()
            return int(ExitCode.STOPPED)
        if order.verb is Verb.WAKE:
            waking: Waking = order.data
            made = waking.loop(world)
            assert isinstance(made, ParallelLoop)
            loop = made
        else:
            assert loop is not None
            loop.obey(order)

"""Blocking work beside an event loop, on a thread that leaving the program never waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def on_thread(work: Callable[[], T], name: str) -> T:
    """The result of ``work`` on a daemon thread of its own; leaving the program does not wait for it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(set_it: Callable[[Any], None], value: Any) -> None:
        if not done.done():
            set_it(value)

    def run() -> None:
        outcome: tuple[Callable[[Any], None], Any]
        try:
            outcome = (done.set_result, work())
        except BaseException as error:
            outcome = (done.set_exception, error)
        try:
            loop.call_soon_threadsafe(settle, *outcome)
        except RuntimeError:  # the app has left meanwhile; nobody waits any more
            return

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done

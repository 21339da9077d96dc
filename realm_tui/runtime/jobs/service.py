"""The dispatcher as a service of the face and of `realm watch`: on a thread of its own, started again when it fails."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from configs import clock
from configs.errors import RealmError
from configs.paths import SaveFolder
from realm_tui.runtime.troubles import log_trouble, own_fault

if TYPE_CHECKING:
    import asyncio

    from realm_tui.runtime.jobs.dispatcher import Dispatcher, OnChange

FIRST_BACK_OFF_S, MOST_BACK_OFF_S = 1.0, 300.0
STEADY_S = 60.0
"""Time after which a dispatcher counts as well again."""
_END_S = 10.0


class Serving(Protocol):
    """Something that goes on until it is told to stop."""

    async def run(self) -> Any: ...
    def stop(self) -> None: ...


class JobService:
    """Works on a save's jobs, or whatever ``make`` gives, until it is closed.

    Args:
        folder: the save.
        on_change: told a job and what became of it, on the service's thread.
        on_trouble: told in words when the dispatcher failed and is started again; None: it goes to ``logs/jobs.log``.
        make: makes what serves; None: a dispatcher that can do everything that is possible from here.
        after_s: seconds of rest before it begins.
    """

    def __init__(
        self,
        folder: SaveFolder,
        *,
        on_change: OnChange | None = None,
        on_trouble: Callable[[str], None] | None = None,
        make: Callable[[], Serving] | None = None,
        after_s: float = 0.0,
    ) -> None:
        self._folder, self._on_trouble = folder, on_trouble or partial(log_trouble, folder)
        self._make = make or (lambda: dispatcher_for(folder, on_change))
        self._after_s = after_s
        self._closed = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dispatcher: Serving | None = None
        self._thread = threading.Thread(target=self._run, name="job-dispatcher", daemon=True)
        self.restarts = 0
        """How often it failed and was started again."""

    def start(self) -> JobService:
        """Begin; returns itself."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Give back what is under way and end; waits for it a few seconds."""
        self._closed.set()
        loop, dispatcher = self._loop, self._dispatcher
        if loop is not None and dispatcher is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(dispatcher.stop)
        if self._thread.is_alive():
            self._thread.join(_END_S)

    def __enter__(self) -> JobService:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        if self._closed.wait(self._after_s):
            return
        import asyncio

        wait = FIRST_BACK_OFF_S
        while not self._closed.is_set():
            begun = clock.monotonic()
            try:
                asyncio.run(self._serve())
            except RealmError as error:
                self._on_trouble(error.text())
            except (Exception, asyncio.CancelledError) as error:
                log_trouble(self._folder, "".join(traceback.format_exception(error)).rstrip())
                self._on_trouble(own_fault(error))
            if clock.monotonic() - begun > STEADY_S:
                wait = FIRST_BACK_OFF_S
            if self._closed.wait(wait):
                return
            wait = min(2 * wait, MOST_BACK_OFF_S)
            self.restarts += 1

    async def _serve(self) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._dispatcher = self._make()
        if self._closed.is_set():
            return
        await self._dispatcher.run()


def dispatcher_for(folder: SaveFolder, on_change: OnChange | None = None) -> Dispatcher:
    """A dispatcher that can do everything that is possible from here."""
    from realm_tui.runtime.jobs.desk import InnDesk
    from realm_tui.runtime.jobs.dispatcher import Dispatcher
    from realm_tui.runtime.jobs.work.courier import collect

    return Dispatcher(folder, desk=InnDesk(folder), on_change=on_change, courier=collect)

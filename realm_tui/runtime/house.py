"""What keeps the realm in order while a face or `realm watch` is there: looks at every place, clean-ups, sweeps, tasks.

One process of a save does it at a time, by a lock that dies with it; the next one takes over. Everything it knows is in the save.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from configs import clock
from configs.errors import RealmError
from configs.facilities import facility_files, load_facilities
from configs.loader import load_game
from configs.paths import SaveFolder
from realm_tui.runtime.garrison import patrol
from realm_tui.runtime.groundskeeper import sweep
from realm_tui.runtime.inn.at_work import AtWork
from realm_tui.runtime.inn.box import Box
from realm_tui.runtime.opened import opened
from realm_tui.runtime.taskmaster import settle, step
from realm_tui.runtime.troubles import log_trouble, own_fault
from saves import patrols, workers
from saves.locks import FileLock

Boxes = Callable[[], Mapping[str, Box]]
LOOK_S = 5.0
"""Between two looks at the clock."""
TASKS_S = 30.0
"""Between two looks whether a task may begin."""


def every_box() -> dict[str, Box]:
    """A box for every place that is not left alone and has a server, or stands here."""
    from realm_tui.runtime.inn.hosts import open_box

    known = load_facilities()
    return {
        name: open_box(name, facilities=known)
        for name, place in known.facilities.items()
        if place.available and (place.is_local or place.server is not None)
    }


class House:
    """Keeps one save's house; `run` it on an event loop.

    Args:
        folder: the save.
        boxes: opens the places.
        on_trouble: told in words what could not be done; it is tried again. None: it goes to ``logs/jobs.log``.
        look_s: seconds between two looks at the clock.
    """

    def __init__(
        self,
        folder: SaveFolder,
        *,
        boxes: Boxes = every_box,
        on_trouble: Callable[[str], None] | None = None,
        look_s: float = LOOK_S,
    ) -> None:
        self._folder, self._open, self._look_s = folder, boxes, look_s
        self._on_trouble = on_trouble or partial(log_trouble, folder)
        self._stopping = asyncio.Event()
        self._boxes: Mapping[str, Box] = {}
        every = load_game()
        self._rules, self._inn = every.garrison, every.inn
        self._stamp: tuple[int, ...] = ()
        self._due: dict[str, float] = {}
        self._work = AtWork(folder, on_trouble=self._on_trouble)

    def stop(self) -> None:
        """Let `run` end soon."""
        self._stopping.set()

    async def run(self) -> None:
        """Keep house until `stop`; where another process does, wait until it leaves."""
        lock = FileLock(self._folder.run / "house.lock")
        try:
            while not self._stopping.is_set():
                if lock.acquire():
                    await self._keep()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._look_s)
        finally:
            lock.release()
            await self._work.close()
            for box in self._boxes.values():
                await box.close()

    async def _keep(self) -> None:
        while not self._stopping.is_set():
            await self._at("patrol", self._rules.check_s, self._patrol)
            await self._at("clean", self._rules.maintenance_s, self._clean)
            await self._at("sweep", self._rules.grounds.every_s, self._sweep)
            await self._at("tasks", TASKS_S, self._tasks)
            await self._at("leases", self._inn.lease.renew_s, self._work.renew)
            await self._at("gate", TASKS_S, self._work.ask)
            await self._at("deploy", self._inn.crown.auto_deploy_s, self._work.deploy)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._look_s)

    async def _at(self, what: str, every_s: float, do: Callable[[], object]) -> None:
        """Do something whose time has come; what fails is said and tried again at its next time."""
        if clock.monotonic() < self._due.get(what, 0.0):
            return
        self._due[what] = clock.monotonic() + every_s
        try:
            done = do()
            if asyncio.iscoroutine(done):
                await done
        except (RealmError, OSError) as error:
            self._on_trouble(f"{what}: {error.text() if isinstance(error, RealmError) else error}")
        except Exception as error:
            log_trouble(self._folder, "".join(traceback.format_exception(error)).rstrip())
            self._on_trouble(f"{what}: {own_fault(error)}")

    async def _patrol(self) -> None:
        """Look at every place, by the rules and places as they are now."""
        every = load_game()
        self._rules, self._inn = every.garrison, every.inn
        stamp = _stamp()
        if not self._boxes or stamp != self._stamp:
            for box in self._boxes.values():
                await box.close()
            self._boxes, self._stamp = self._open(), stamp
            with opened(self._folder, write=True) as save:
                patrols.only(save.conn, self._boxes)
        await self._muster()
        await patrol(self._folder, self._boxes, self._rules)

    async def _muster(self) -> None:
        """Let every known worker draw a token; what came of it is written down."""
        with opened(self._folder) as save:
            if not any(worker.runs for worker in workers.workers(save.conn)):
                return
        from realm_tui.runtime.inn.servers.fleet import Fleet

        fleet = Fleet(self._folder)
        try:
            await fleet.muster()
        finally:
            await fleet.aclose()

    async def _clean(self) -> None:
        """Let go of forms on boxes that nobody needs any more."""
        from realm_tui.runtime.inn import sync

        for box in self._boxes.values():
            if not box.is_local and box.state.name in ("online", "degraded"):
                await sync.clean(box)

    async def _sweep(self) -> None:
        await asyncio.to_thread(partial(sweep, self._folder, self._rules.grounds))

    def _tasks(self) -> None:
        with opened(self._folder, write=True) as save:
            settle(save.conn)
            step(save.conn, load_facilities().here(), save.campaign.id)


def _stamp() -> tuple[int, ...]:
    """Changes with the player's files of places."""
    return tuple(file.stat().st_mtime_ns for file in facility_files())

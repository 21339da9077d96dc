"""The servers of a save: started, adopted, found again, looked at, stopped, on whatever machine their place stands.

A started server lives under a lease on its box and is found again by name, also by another process or after a restart of this one. An
adopted one ran before; it is asked, but neither swapped by surprise nor ever ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from dataclasses import replace
from typing import Any

from configs import clock
from configs.errors import BlockedError, RealmError, UsageError
from configs.facilities import Facilities
from configs.paths import SaveFolder
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn import supervisor
from realm_tui.runtime.inn.box import Box
from realm_tui.runtime.inn.servers import commands
from realm_tui.runtime.inn.servers.commands import Held, Launch
from realm_tui.runtime.inn.servers.contract import Kind, Server, ServerSilentError
from realm_tui.runtime.inn.servers.launching import launch
from realm_tui.runtime.inn.servers.ways import OpenBox, Ways, plain_address
from realm_tui.runtime.inn.supervisor import Running
from saves import workers
from saves.database import open_save
from saves.workers import Worker

Tell = Callable[[str], None]
LAST_LINES = 5
_POLL_FIRST_S, _POLL_MOST_S = 0.05, 1.0


class Fleet:
    """All servers that one save knows; `ways` leads to them.

    Args:
        folder: the save, which keeps what is known of them.
        facilities: the places; None: as configured.
        open_box: opens the machine of a place; None: the usual way.
    """

    def __init__(
        self, folder: SaveFolder, *, facilities: Facilities | None = None, open_box: OpenBox | None = None
    ) -> None:
        self.folder = folder
        self.ways = Ways(folder, facilities=facilities, open_box=open_box)
        self.rules = self.ways.rules

    async def aclose(self) -> None:
        """Let go of all servers and boxes; what runs there runs on."""
        await self.ways.aclose()

    def default_name(self, place: str) -> str:
        """What the worker of a place is called."""
        return f"{place}-{self.ways.place(place)[1].kind}"

    # ------------------------------------------------------------ starting, adopting, stopping

    async def start(self, place: str, held: Held | None = None, *, tell: Tell = lambda _: None) -> Worker:
        """Start a place's server, or meet the one that runs, and wait until it can chat.

        Args:
            place: a facility with a server.
            held: the form it is started with; None: it needs none (own, openai).
            tell: hears what takes long.

        Returns:
            The worker as it was written down; which form it holds is the next question.

        Raises:
            BlockedError: what it needs is not installed there (``SERVER_NOT_INSTALLED``).
            RealmError: it ended while it started (``SERVER_ENDED``), or was silent for too long.
        """
        facility, server = self.ways.place(place)
        if server.kind == "openai":
            return await self.adopt(place, server.endpoint)
        if (adopted := await self._adopted(place)) is not None:
            return adopted
        box = await self.ways.box(place)
        name = commands.supervised_name(place, server.kind, self.folder, local=box.is_local)
        running = await supervisor.find(box, name)
        known = self.known(self.default_name(place))
        orders: Launch | None = None
        if running is None:
            orders = await launch(self.folder, self.rules, box, facility, server, held)
            tell(f"starting a server of kind {server.kind} at {place}")
            uses = [digest for digest in (held.digest, held.base) if digest] if held else []
            await self.ways.let_go(self.default_name(place))
            self.ways.forget_prints(self.default_name(place))
            running = await supervisor.start(box, name, orders.argv, orders.env, uses=uses)
        worker = self._row(place, server.kind, running, known, orders)
        await self._write(worker)
        return await self._until_up(worker, tell)

    async def adopt(self, place: str, address: str = "", *, name: str = "", kind: Kind | None = None) -> Worker:
        """Take up a server that somebody else started; it must answer and, where it is strict, serve a form.

        Args:
            place: the facility it stands at.
            address: its socket there, ``http://127.0.0.1:PORT`` as seen from there, or ``https://…``; empty: as configured.
            name: what it shall be called; empty: after place and kind.
            kind: which sort of server; None: as configured.

        Raises:
            RealmError: it does not answer, or serves no form of ours (``NOT_ADOPTED``).
        """
        _, server = self.ways.place(place)
        kind = kind or server.kind
        address = address or server.endpoint
        if not address:
            raise UsageError(f"where does the server of {place} listen?", fix="name its address", code="BAD_ADDRESS")
        worker = Worker(
            id=name or f"{place}-{kind}",
            box=place,
            kind=kind,
            strict=kind != "openai",
            address=plain_address(address),
            origin="adopted",
            state="gone",
            created_at=clock.now(),
        )
        looked = await self.look(worker)
        if looked.state not in ("up", "sleeping"):
            await self.ways.let_go(worker.id)
            raise RealmError(
                f"the server at {clean(address)} cannot be taken up",
                why=looked.why or looked.state,
                fix="see that it runs and serves a form under its digest, or adopt it as `--kind openai` (not strict)",
                code="NOT_ADOPTED",
            )
        await self._write(looked)
        return looked

    async def stop(self, name: str) -> Worker:
        """End a started server and everything it started; an adopted one, or one of a place that is no more, is only forgotten.

        Raises:
            UsageError: there is no such worker (``UNKNOWN_WORKER``).
        """
        worker = self.worker(name)
        await self.ways.let_go(name)
        lost = worker.box not in self.ways.facilities.facilities
        if worker.origin == "started" and not lost:
            box = await self.ways.box(worker.box)
            await supervisor.stop(box, self.ways.supervised(worker, box))
        stopped = replace(worker, state="stopped", why="", stopped_at=clock.now(), pid=None, ticks=None, digest=None)
        if worker.origin == "adopted" or lost:
            await asyncio.to_thread(self._forget, name)
        else:
            await self._write(stopped)
        return stopped

    async def sleep(self, name: str) -> Worker:
        """Let a server give its card, or its memory, back without ending.

        Raises:
            ServerError: this kind of server cannot, or it is not there.
        """
        worker = self.worker(name)
        await (await self.ways.connect(worker)).sleep()
        return await self._looked(worker)

    async def wake(self, name: str) -> Worker:
        """Let a server take its card again; what it holds is proved anew."""
        worker = self.worker(name)
        await (await self.ways.connect(worker)).wake()
        return await self._looked(worker)

    async def logs(self, name: str, lines: int = 100) -> list[str]:
        """The last lines a started server wrote, safe to draw.

        Raises:
            BlockedError: it was adopted, so its log is elsewhere (``NOT_OURS``).
        """
        worker = self.worker(name)
        if worker.origin != "started":
            raise BlockedError(
                f"{name} was started by somebody else",
                fix="look where it was started",
                code="NOT_OURS",
            )
        box = await self.ways.box(worker.box)
        found = await supervisor.logs(box, self.ways.supervised(worker, box), lines)
        return [clean(line) for line in found]

    async def renew(self) -> list[Worker]:
        """Let every started server go on for another lease; those that run no more are written down as ended."""
        live = [each for each in self.all_known() if each.origin == "started" and each.runs]
        return await self._each(live, self._renewed)

    # ------------------------------------------------------------ looking

    async def muster(self) -> list[Worker]:
        """Every worker, looked at now, all at once; one that cannot be reached says so."""
        return await self._each(self.all_known(), self._looked)

    async def look(self, worker: Worker) -> Worker:
        """A worker as it is now; nothing is written."""
        if worker.kind == "openai" and worker.address.startswith("https://"):
            return await self._asked(worker)
        try:
            box = await self.ways.box(worker.box)
            if worker.origin == "started":
                name = self.ways.supervised(worker, box)
                running = await supervisor.find(box, name)
                if running is None:
                    return await self._over(worker, box, name)
                if (running.pid, running.ticks) != (worker.pid, worker.ticks):
                    worker = self._row(worker.box, worker.kind, running, worker, None)
        except RealmError as error:
            return replace(worker, state="unreachable", why=clean(": ".join(filter(None, (error.what, error.why)))))
        return await self._asked(worker)

    async def holds(self, worker: Worker, server: Server) -> Worker:
        """Write down which forms a server holds now, here and on its box, where none of them is removed meanwhile."""
        offered = [each.digest for each in await server.models() if each.loaded and each.digest]
        if worker.origin == "started":
            box = await self.ways.box(worker.box)
            await supervisor.use(box, self.ways.supervised(worker, box), offered)
        held = offered[0] if worker.kind in ("vllm", "sglang") and offered else None
        known = replace(
            worker,
            state="up",
            why="",
            digest=held,
            seen_at=clock.now(),
            detail={**worker.detail, "forms": offered, "prints": dict(self.ways.prints(worker))},
        )
        await self._write(known)
        return known

    async def mark(self, worker: Worker, state: str, why: str) -> Worker:
        """Write down what a worker turned out to be."""
        marked = replace(worker, state=state, why=clean(why))
        await self._write(marked)
        return marked

    # ------------------------------------------------------------ what is known

    def known(self, name: str) -> Worker | None:
        """What is known of a worker; None: nothing."""
        with closing(open_save(self.folder, write=False)) as conn:
            return workers.worker(conn, name)

    def worker(self, name: str) -> Worker:
        """The worker called ``name``; `UsageError` for a name nobody has."""
        found = self.known(name)
        if found is None:
            names = [each.id for each in self.all_known()]
            raise UsageError(
                f"no worker is called {name!r}",
                fix=f"choose one of {', '.join(names)}" if names else "start one: `realm worker start PLACE`",
                code="UNKNOWN_WORKER",
            )
        return found

    def all_known(self) -> list[Worker]:
        """Every worker as it was last seen."""
        with closing(open_save(self.folder, write=False)) as conn:
            return workers.workers(conn)

    # ------------------------------------------------------------ inside

    def _row(self, place: str, kind: str, running: Running, known: Worker | None, launch: Launch | None) -> Worker:
        same = known is not None and (known.pid, known.ticks, known.boot_id) == (
            running.pid,
            running.ticks,
            running.boot_id,
        )
        detail: dict[str, Any] = dict(known.detail) if known is not None and same else {}
        if launch is not None:
            detail = {"spoken": launch.spoken, "port": launch.address}
        return Worker(
            id=known.id if known else f"{place}-{kind}",
            box=place,
            kind=kind,
            strict=kind != "openai",
            address=str(detail.get("port") or running.socket),
            origin="started",
            state=known.state if known is not None and same and known.state == "broken" else "starting",
            why=known.why if known is not None and same and known.state == "broken" else "",
            digest=known.digest if known is not None and same else None,
            pid=running.pid,
            ticks=running.ticks,
            boot_id=running.boot_id,
            lease_s=running.lease_s,
            created_at=known.created_at if known is not None and same else clock.now(),
            seen_at=known.seen_at if known is not None and same else None,
            detail=detail,
        )

    async def _adopted(self, place: str) -> Worker | None:
        """A server of the place that was adopted and answers; None: there is none, so one of our own is needed."""
        for worker in self.all_known():
            if (
                worker.box == place
                and worker.origin == "adopted"
                and worker.strict  # one that proves nothing is never asked in the place of one that does
                and (looked := await self._looked(worker)).state == "up"
            ):
                return looked
        return None

    async def _until_up(self, worker: Worker, tell: Tell) -> Worker:
        """Wait until a server can chat; one that ends meanwhile is told with its last words."""
        box, began, wait = await self.ways.box(worker.box), clock.monotonic(), _POLL_FIRST_S
        name, looked_at, told = self.ways.supervised(worker, box), began, 0
        while True:
            health = await (await self.ways.connect(worker)).health()
            if health.state in ("up", "sleeping", "wrong_model") or worker.state == "broken":
                state = "broken" if worker.state == "broken" else health.state
                up = replace(worker, state=state, why=worker.why or clean(health.why), seen_at=clock.now())
                await self._write(up)
                return up
            now = clock.monotonic()
            if health.paused and now - began > self.rules.server.health_s:
                return replace(worker, state="loading", why=clean(health.why))
            if now - looked_at >= 1.0 or health.state == "broken":
                looked_at = now
                if await supervisor.find(box, name) is None:
                    raise await self._ended(worker, box, name)
                if health.state == "broken":
                    await self._write(replace(worker, state="broken", why=clean(health.why)))
                    raise RealmError(
                        f"{worker.id} is broken", why=health.why, fix=health.fix or "see its log", code="SERVER_BROKEN"
                    )
            if health.silent and worker.kind == "own" and now - began > 2 * self.rules.server.health_s:
                # The own worker loads beside answering; one that says nothing is frozen, or its machine is.
                await self._write(replace(worker, state="loading", why=clean(health.why)))
                raise ServerSilentError(
                    worker.id, now - began, "is it alive?", fix=f"end it and ask again: `realm worker stop {worker.id}`"
                )
            if now - began > self.rules.server.start_s:
                raise ServerSilentError(worker.id, self.rules.server.start_s, "starting")
            if (waited := int(now - began)) > told:
                told = waited
                tell(f"{worker.id} is {'silent' if health.silent else 'loading'} ({waited} s)")
            await asyncio.sleep(wait)
            wait = min(2 * wait, _POLL_MOST_S)

    async def _ended(self, worker: Worker, box: Box, name: str) -> RealmError:
        lines = [clean(line) for line in await supervisor.logs(box, name, LAST_LINES)]
        over = await self._over(worker, box, name)
        await self._write(over)
        return RealmError(
            f"{worker.id} ended while it started",
            why=" / ".join(line for line in lines if line.strip()) or over.why,
            fix=f"its log: `realm worker logs {worker.id}`",
            code="SERVER_ENDED",
        )

    async def _over(self, worker: Worker, box: Box, name: str) -> Worker:
        ended = await supervisor.how_ended(box, name)
        why = "" if ended is None or ended.why == "stopped" else supervisor.ENDS.get(ended.why, ended.why)
        if ended is not None and ended.why == "ended" and ended.code is not None:
            why = (
                f"{why} (exit code {ended.code})"
                if ended.code >= 0
                else f"{supervisor.ENDS['killed']} (signal {-ended.code})"
            )
        state = "stopped" if not why else "ended"
        return replace(worker, state=state, why=why, pid=None, ticks=None, digest=None, stopped_at=clock.now())

    async def _asked(self, worker: Worker) -> Worker:
        try:
            server = await self.ways.connect(worker)
            health = await server.health()
            offered = await server.models() if health.state == "up" else ()
        except RealmError as error:
            return replace(worker, state="unreachable", why=clean(": ".join(filter(None, (error.what, error.why)))))
        if worker.state == "broken" and health.state == "up":
            return worker  # a failed swap is known here, and to nobody else
        held = [each.digest for each in offered if each.loaded and each.digest]
        digest = held[0] if worker.kind in ("vllm", "sglang") and held else None
        answered = health.state in ("up", "sleeping", "loading") and not health.silent
        seen = clock.now() if answered else worker.seen_at
        detail = {**worker.detail, "forms": held} if health.state == "up" else worker.detail
        return replace(worker, state=health.state, why=clean(health.why), digest=digest, seen_at=seen, detail=detail)

    async def _looked(self, worker: Worker) -> Worker:
        looked = await self.look(worker)
        if looked != worker:
            await self._write(looked)
        return looked

    async def _renewed(self, worker: Worker) -> Worker:
        try:
            box = await self.ways.box(worker.box)
            name = self.ways.supervised(worker, box)
            if (await supervisor.renew(box, name))[name] is not None:
                return worker
            over = await self._over(worker, box, name)
        except RealmError as error:
            return replace(worker, state="unreachable", why=clean(": ".join(filter(None, (error.what, error.why)))))
        await self._write(over)
        return over

    async def _each(self, found: Iterable[Worker], do: Callable[[Worker], Awaitable[Worker]]) -> list[Worker]:
        return list(await asyncio.gather(*(do(each) for each in found)))

    async def _write(self, worker: Worker) -> None:
        await asyncio.to_thread(self._put, worker)

    def _put(self, worker: Worker) -> None:
        with closing(open_save(self.folder, write=True)) as conn:
            workers.put(conn, worker)

    def _forget(self, name: str) -> None:
        with closing(open_save(self.folder, write=True)) as conn:
            workers.forget(conn, name)


async def tend(fleet: Fleet) -> None:
    """Renew the leases of a fleet for as long as this task lives; a box that cannot be reached is tried again the next time."""
    while True:
        with contextlib.suppress(RealmError):
            await fleet.renew()
        await asyncio.sleep(fleet.rules.lease.renew_s)

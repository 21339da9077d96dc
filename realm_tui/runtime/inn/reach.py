"""The way from a save to a server that holds a form: the form is brought, the server started or met, the form taken up and proved."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any

from configs import clock
from configs.errors import BlockedError
from configs.facilities import Facilities, ServerKind
from configs.paths import SaveFolder
from realm_tui.runtime.inn import sync
from realm_tui.runtime.inn.box import Box
from realm_tui.runtime.inn.forms import Speaker, folder_digest
from realm_tui.runtime.inn.oracle import Brought, Ready, Tell
from realm_tui.runtime.inn.servers.commands import Held
from realm_tui.runtime.inn.servers.contract import SHOWN, FormDamagedError, Health, ServerBrokenError, ServerError
from realm_tui.runtime.inn.servers.fleet import Fleet, tend
from realm_tui.runtime.inn.servers.ways import OpenBox
from realm_tui.runtime.inn.servers.weights import RestartNeededError
from realm_tui.runtime.inn.turns import cleared, turn
from saves import campaigns, ledger, places
from saves.database import open_save
from saves.workers import Worker

SEATS_S = 60.0
"""How long a form that is answering questions may go on before another one, which is to take its place, gives up."""
LATELY_S = 15.0
"""How long a form that was brought counts as lying there; a server verifies what it loads in any case."""


class InnReach:
    """See `realm_tui.runtime.inn.oracle.Reach`.

    Args:
        folder: the save.
        facilities: the places; None: as configured.
        open_box: opens the machine of a place; None: the usual way.
    """

    def __init__(
        self, folder: SaveFolder, *, facilities: Facilities | None = None, open_box: OpenBox | None = None
    ) -> None:
        self.fleet = Fleet(folder, facilities=facilities, open_box=open_box)
        self._lying: dict[tuple[str, str], tuple[Held, float]] = {}
        """Forms that were brought to a place, and when."""
        self._met: dict[str, Worker] = {}
        self._tending: asyncio.Task[None] | None = None

    async def bring(self, place: str, who: Speaker, *, tell: Tell = lambda _: None) -> Brought:
        """See to it that a form lies at a place, whole and verified; an adapter with its base (see `Reach.bring`)."""
        began = clock.monotonic()
        _, server = self.fleet.ways.place(place)
        box = await self.fleet.ways.box(place)
        if server.kind == "openai" or (server.kind == "own" and box.is_local):
            # It has its own model, or reads the save itself and verifies what it loads.
            return Brought(0, clock.monotonic() - began, str(who.folder))
        held, sent = await self._held(place, box, who, tell)
        return Brought(sent, clock.monotonic() - began, held.directory)

    async def ready(self, place: str, who: Speaker, *, displace: bool = False, tell: Tell = lambda _: None) -> Ready:
        """A server of a place that serves a form (see `Reach.ready`).

        Raises:
            BlockedError: the server holds one form at a time and holds another (``SERVER_TAKEN``).
        """
        if (met := await self._holding(place, who)) is not None:
            return met
        async with turn(place, within_s=self.fleet.rules.server.start_s):
            _, config = self.fleet.ways.place(place)
            box = await self.fleet.ways.box(place)
            held: Held | None = None
            if config.kind != "openai" and not (config.kind == "own" and box.is_local):
                held, _ = await self._held(place, box, who, tell)
            elif config.kind == "own":
                held = Held(who.digest, str(who.folder))
            worker = await self.fleet.start(place, held, tell=tell)
            if held is not None:
                try:
                    worker = await self._taken(worker, held, displace=displace, tell=tell)
                except FormDamagedError:
                    if not await self._healed(place, box, held, config.kind):
                        raise
                    tell("a file of it was damaged there: bringing it anew")
                    held, _ = await self._held(place, box, who, tell)
                    worker = await self._taken(worker, held, displace=displace, tell=tell)
                await asyncio.to_thread(self._used, held.digest, place)
            self._tend()
            self._met[place] = worker
            return Ready(await self.fleet.ways.connect(worker), box.id, place, worker.id)

    async def aclose(self) -> None:
        """Let go of all connections; servers stay until their leases end."""
        if self._tending is not None:
            self._tending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tending
        await self.fleet.aclose()

    async def _holding(self, place: str, who: Speaker) -> Ready | None:
        """The server met here before, where it holds the form still; whether it does is asked of itself, and proved with each answer."""
        worker = self._met.get(place)
        known = await asyncio.to_thread(self.fleet.known, worker.id) if worker is not None else None
        if worker is None or known is None or known.state != "up":
            return None
        try:
            self.fleet.ways.place(place)
            server = await self.fleet.ways.connect(worker)
            held = {each.digest for each in await server.models() if each.loaded}
        except ServerError:
            self._met.pop(place, None)
            return None
        if server.strict and who.digest not in held:
            return None
        return Ready(server, (await self.fleet.ways.box(place)).id, place, worker.id)

    # ------------------------------------------------------------ taking a form up

    async def _taken(self, worker: Worker, held: Held, *, displace: bool, tell: Tell) -> Worker:
        """Let the server take the form up; one that cannot by a swap, or broke at it, is started anew with the form, once."""
        if worker.state == "broken":
            return await self._anew(worker, held, worker.why, displace=True, tell=tell)
        server = await self.fleet.ways.connect(worker)
        health: Health = await server.health()
        if health.state == "sleeping":
            tell("waking it")
            await server.wake()
        holds = {each.digest for each in await server.models() if each.loaded}
        other = held.digest not in holds and held.base not in holds
        if other:
            self._may_displace(worker, holds, displace)
        async with self._alone(worker, swaps=other and any(holds)):
            try:
                if held.base is not None and worker.kind != "own":
                    await server.take(held.base_directory, held.base, None)
                if held.digest not in holds or worker.kind != "own":
                    tell("loading the form")
                    await server.take(held.directory, held.digest, held.base)
            except RestartNeededError as error:
                why = error.why
            except ServerBrokenError as error:
                await self.fleet.mark(worker, "broken", error.why)
                return await self._anew(worker, held, error.why, displace=True, tell=tell)
            except ServerError as error:
                # A server that was started without adapters, for one that needs them.
                if error.code != "SERVER_CANNOT" or held.base is None:
                    raise
                why = error.what
            else:
                return await self.fleet.holds(worker, server)
        async with self._alone(worker, swaps=any(holds)):
            return await self._anew(worker, held, why, displace=displace, tell=tell)

    def _alone(self, worker: Worker, *, swaps: bool) -> AbstractAsyncContextManager[None]:
        """Nobody asks the server for the length of the block, where another form takes the place of the one it holds."""
        if not swaps or worker.kind == "own":
            return contextlib.nullcontext()
        return cleared(worker.box, within_s=SEATS_S)

    async def _anew(self, worker: Worker, held: Held, why: str, *, displace: bool, tell: Tell) -> Worker:
        if worker.origin == "adopted":
            raise BlockedError(
                f"{worker.id} must be started anew for form {held.digest[:SHOWN]}, and the realm did not start it",
                why=why,
                fix="start it anew yourself with that form, or stop it and let `realm worker start` do it",
                code="NOT_OURS",
            )
        self._may_displace(worker, {worker.digest} - {held.digest, held.base}, displace)
        tell(f"starting it anew: {why}")
        await self.fleet.stop(worker.id)
        fresh = await self.fleet.start(worker.box, held, tell=tell)
        server = await self.fleet.ways.connect(fresh)
        if held.base is not None and fresh.kind != "own":
            await server.take(held.base_directory, held.base, None)
        await server.take(held.directory, held.digest, held.base)
        return await self.fleet.holds(fresh, server)

    async def _healed(self, place: str, box: Box, held: Held, kind: ServerKind) -> bool:
        """Remove what is damaged of a form in a place's store; whether anything was, so that a new push mends it."""
        if kind == "own" and box.is_local:
            return False  # it reads the save itself, of which nobody else has a copy
        self._lying.pop((place, held.digest), None)
        checked = [await sync.verify(box, digest, heal=True) for digest in (held.digest, held.base) if digest]
        return not all(each.sound for each in checked)

    def _may_displace(self, worker: Worker, holds: set[str | None], displace: bool) -> None:
        others = sorted(each[:SHOWN] for each in holds if each)
        if displace or worker.kind == "own" or not others:
            return
        raise BlockedError(
            f"{worker.id} holds form {others[0]} and serves one at a time",
            fix="promote the form you mean to that place, or ask the one that works there",
            code="SERVER_TAKEN",
        )

    def _tend(self) -> None:
        if self._tending is None or self._tending.done():
            self._tending = asyncio.create_task(tend(self.fleet), name="inn-leases")

    # ------------------------------------------------------------ bringing a form

    async def _held(self, place: str, box: Box, who: Speaker, tell: Tell) -> tuple[Held, int]:
        """The form in the store there, and the bytes that were sent; one that was brought a moment ago lies there."""
        known = self._lying.get((place, who.digest))
        if known is not None and clock.monotonic() - known[1] < LATELY_S:
            return known[0], 0
        facts = await asyncio.to_thread(self._facts, who)
        sent, base, base_directory = 0, None, ""
        if who.base is not None:
            base = await asyncio.to_thread(folder_digest, who.base)
            pushed = await self._pushed(place, box, who.base, {**facts, "base": None, "step": None}, "", tell)
            sent, base_directory = pushed.sent_bytes, pushed.directory
            facts["base"] = base
        pushed = await self._pushed(place, box, who.folder, facts, who.name, tell)
        held = Held(who.digest, pushed.directory, base, base_directory)
        self._lying[place, who.digest] = held, clock.monotonic()
        return held, sent + pushed.sent_bytes

    async def _pushed(
        self, place: str, box: Box, folder: Path, facts: dict[str, Any], name: str, tell: Tell
    ) -> sync.Pushed:
        sending = False

        def progress(done: int, total: int) -> None:
            nonlocal sending
            sending = sending or done < total
            if sending:  # a form that is whole there costs one question and no words
                tell(f"bringing {name or folder.name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB")

        pushed = await box.push(folder, facts=facts, progress=progress)
        await asyncio.to_thread(self._lies, place, pushed, name or folder.name, facts.get("step"))
        return pushed

    def _facts(self, who: Speaker) -> dict[str, Any]:
        """What a worker elsewhere must know of a form beside its files."""
        with closing(open_save(self.fleet.folder, write=False)) as conn:
            row = ledger.checkpoint(conn, who.checkpoint) if who.checkpoint is not None else None
            campaign = campaigns.campaign(conn, row.campaign_id) if row else campaigns.active_campaign(conn)
            weights = None
            if row is not None:
                found = conn.execute(
                    "SELECT environment_json ->> '$.placement.weights' FROM runs WHERE id = ?", (row.run_id,)
                ).fetchone()
                weights = found[0] if found else None
        facts = {"hero": dict(campaign.hero), "began_at": campaign.began_at, "step": who.step}
        return {**facts, "weights": weights} if weights else facts

    def _lies(self, place: str, pushed: sync.Pushed, name: str, step: int | None) -> None:
        with closing(open_save(self.fleet.folder, write=True)) as conn:
            now = clock.now()
            for digest in pushed.removed:
                places.gone(conn, digest, place, now)
            places.put(
                conn,
                places.Place(
                    digest=pushed.digest,
                    box=place,
                    path=pushed.directory,
                    name=name,
                    step=step,
                    bytes=pushed.total_bytes,
                    state="whole",
                    pushed_at=now,
                    checked_at=now,
                ),
            )

    def _used(self, digest: str, place: str) -> None:
        with closing(open_save(self.fleet.folder, write=True)) as conn:
            places.used(conn, digest, place, clock.now())

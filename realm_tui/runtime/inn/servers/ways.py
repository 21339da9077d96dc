"""The ways from here to servers: the box of each place, and a client for each worker, opened once and kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from configs.errors import BlockedError, UsageError
from configs.facilities import Facilities, Facility, load_facilities
from configs.facilities import Server as ServerConfig
from configs.loader import load_game
from configs.paths import SaveFolder
from realm_tui.runtime.inn.box import Box
from realm_tui.runtime.inn.servers import commands
from realm_tui.runtime.inn.servers.contract import Server, patience
from saves.workers import Worker

OpenBox = Callable[[str], Box]


class Ways:
    """Boxes and clients of one save.

    Args:
        folder: the save.
        facilities: the places; None: as configured.
        open_box: opens the machine of a place; None: the usual way.
    """

    def __init__(
        self, folder: SaveFolder, *, facilities: Facilities | None = None, open_box: OpenBox | None = None
    ) -> None:
        self.folder = folder
        self.facilities = facilities or load_facilities()
        self.rules = load_game().inn
        self._open = open_box
        self._boxes: dict[str, Box] = {}
        self._servers: dict[str, tuple[str, Server]] = {}
        self._prints: dict[str, dict[str, str]] = {}

    def place(self, place: str) -> tuple[Facility, ServerConfig]:
        """A place and its server, as configured.

        Raises:
            UsageError: there is no such place, or it has no server (``NO_SERVER``).
            BlockedError: it is to be left alone (``FACILITY_CLOSED``).
        """
        facility = self.facilities.facility(place)
        if facility.server is None:
            raise UsageError(
                f"{place} has no server",
                fix=f"choose one of {', '.join(self.facilities.serving())}, or give it a `server` in its file",
                code="NO_SERVER",
            )
        if not facility.available:
            raise BlockedError(
                f"{place} is to be left alone", fix=f"set `{place}.available: true`", code="FACILITY_CLOSED"
            )
        return facility, facility.server

    async def box(self, place: str) -> Box:
        """The machine a place stands on.

        Raises:
            RealmError: it cannot be reached.
        """
        if place not in self._boxes:
            self._boxes[place] = self._open(place) if self._open is not None else self._usual(place)
        return self._boxes[place]

    def _usual(self, place: str) -> Box:
        from realm_tui.runtime.inn.hosts import open_box

        return open_box(place, facilities=self.facilities, rules=self.rules)

    async def connect(self, worker: Worker) -> Server:
        """A client of a worker, kept for the next time.

        Raises:
            RealmError: its box cannot be reached.
        """
        address = await self._address(worker)
        kept = self._servers.get(worker.id)
        if kept is not None and kept[0] == address:
            return kept[1]
        await self.let_go(worker.id)
        server = await self._client(worker, address)
        self._servers[worker.id] = (address, server)
        return server

    def prints(self, worker: Worker) -> dict[str, str]:
        """Fingerprints of the forms a server has held, by digest."""
        return self._prints.setdefault(worker.id, dict(worker.detail.get("prints") or {}))

    def forget_prints(self, name: str) -> None:
        """Another process bears the name now."""
        self._prints.pop(name, None)

    def supervised(self, worker: Worker, box: Box) -> str:
        """The name under which its box keeps a worker."""
        kind: Any = worker.kind
        return commands.supervised_name(worker.box, kind, self.folder, local=box.is_local)

    async def let_go(self, name: str) -> None:
        """Close the client of a worker; the server stays."""
        if (kept := self._servers.pop(name, None)) is not None:
            await kept[1].aclose()

    async def aclose(self) -> None:
        """Let go of all servers and boxes; what runs there runs on."""
        for name in list(self._servers):
            await self.let_go(name)
        for box in self._boxes.values():
            await box.close()
        self._boxes.clear()

    async def _address(self, worker: Worker) -> str:
        if worker.address.startswith("https://"):
            return worker.address
        way = str(await (await self.box(worker.box)).forward(worker.address))
        return way if way.startswith(("/", "http://")) else f"http://{way}"

    async def _client(self, worker: Worker, address: str) -> Server:
        from realm_tui.runtime.inn.servers.own import OwnServer
        from realm_tui.runtime.inn.servers.plain import PlainServer
        from realm_tui.runtime.inn.servers.sglang import SglangServer
        from realm_tui.runtime.inn.servers.vllm import VllmServer
        from realm_tui.runtime.inn.servers.wire import Wire

        facility = self.facilities.facilities.get(worker.box)
        key = _key(facility.server) if facility is not None and facility.server is not None else ""
        wire = Wire(address, label=worker.id, patience=patience(self.rules.server), key=key)
        if worker.kind == "own":
            return OwnServer(wire)
        if worker.kind == "openai":
            return PlainServer(wire)
        reader, spoken = (await self.box(worker.box)).read, str(worker.detail.get("spoken") or "")
        if worker.kind == "sglang":
            return SglangServer(wire, reader=reader, spoken=spoken)
        return VllmServer(wire, prints=self.prints(worker), reader=reader, spoken=spoken)


def _key(server: ServerConfig) -> str:
    """The key of an endpoint, out of the environment; it is kept nowhere."""
    return os.environ.get(server.key_variable, "") if server.key_variable else ""


def plain_address(address: str) -> str:
    """An address as it is kept: a socket, ``127.0.0.1:PORT``, or ``https://…``; `UsageError` for any other."""
    url = urlsplit(address)
    if url.scheme == "https":
        return address.rstrip("/").removesuffix("/v1")
    if url.scheme in ("", "unix") and url.path.startswith(("/", "~")):
        return url.path
    if url.scheme == "http" and url.hostname in ("127.0.0.1", "localhost", "::1") and url.port:
        return f"127.0.0.1:{url.port}"
    raise UsageError(
        f"{address!r} is no address of a server",
        fix="a socket's path there, http://127.0.0.1:PORT as seen from there, or https://…",
        code="BAD_ADDRESS",
    )

"""A box over SSH: one connection that is kept and comes back by itself, and whose state always has a name.

Connections are opened by `realm_tui.runtime.inn.dialling`, and none without a confirmed key of the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

import asyncssh

from configs import clock
from configs.errors import RealmError
from configs.facilities import Host
from configs.inn import InnRules
from configs.loader import load_game
from engine.link.endpoint import private_folder
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn import refusals
from realm_tui.runtime.inn.box import LinkLostError, LinkName, LinkState, Ran, lines_of
from realm_tui.runtime.inn.dialling import LOST, file_transfer, logs_to_file, opened, opening
from realm_tui.runtime.inn.pins import pins_of
from realm_tui.runtime.inn.pipe import END_S, SshPipe, command_text
from realm_tui.runtime.inn.records import remember
from realm_tui.runtime.inn.supervisor import refused
from saves.locks import start_ticks

if TYPE_CHECKING:
    from realm_tui.runtime.inn.sync import Progress, Pushed

_FULL_BYTES = 64 << 10
"""Room beside a small file below which a disk counts as full: a folder or two, and what its file system keeps back."""
_SESSIONS = 6
"""Commands at a time on one connection; OpenSSH allows ten sessions and one of them is the file transfer's."""
_LOOK_S = 15.0
"""How often a quiet line's round trip is measured."""
_STORM_S, _STORM = 600.0, 3
"""A line that was lost this often within this time is called stormy."""
T = TypeVar("T")


class SshBox:
    """Another machine, see `realm_tui.runtime.inn.box.Box`.

    Args:
        place_id: the place's id.
        host_id: the machine's id, under which its key was confirmed.
        host: how it is reached.
        base: the place's folder there; ``~/`` is the user's home.
        label: what it is called.
        rules: the rules of the Inn; None: those in force.
        python: the interpreter for the Inn's scripts there.
    """

    is_local = False

    def __init__(
        self,
        place_id: str,
        host_id: str,
        host: Host,
        base: str,
        *,
        label: str = "",
        rules: InnRules | None = None,
        python: str = "python3",
    ) -> None:
        self.id, self.host_id, self.host, self.base = place_id, host_id, host, base
        self.label, self.python = label or place_id, python
        self.rules = rules or load_game().inn
        self._state = LinkState("offline", clock.now(), why="not asked yet")
        self.conn: asyncssh.SSHClientConnection | None = None
        self._sftp: tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient] | None = None
        self._starting = asyncio.Lock()
        self._kept: SshPipe | None = None
        self._exchanging = asyncio.Lock()
        self._home: str | None = None
        self._opening = asyncio.Lock()
        self._sessions = asyncio.Semaphore(_SESSIONS)
        self._watch: asyncio.Task[None] | None = None
        self._forwards: dict[str, tuple[Path, asyncssh.SSHListener | None]] = {}
        self._closed = False

    # ------------------------------------------------------------ the line

    @property
    def state(self) -> LinkState:
        """How it stands with the line now."""
        return self._state

    @property
    def user(self) -> str:
        """The name that is logged in with."""
        return self.host.user or getpass.getuser()

    def _become(self, name: LinkName, why: str = "", fix: str = "", **facts: Any) -> None:
        old = self._state
        since = old.since if old.name == name else clock.now()
        self._state = replace(old, name=name, since=since, why=clean(why), fix=fix, **facts)
        if old.name != name and name != "connecting":
            facts = {"seen_at": self._state.last_seen, "rtt_s": self._state.rtt_s, "why": self._state.why}
            remember(self.host_id, state=name, at=clock.now(), **facts)

    def _seen(self, rtt_s: float | None = None) -> None:
        """The box answered."""
        now = clock.now()
        losses = tuple(at for at in self._state.losses if now - at < _STORM_S)
        rtt_s = self._state.rtt_s if rtt_s is None else rtt_s
        muddy = rtt_s is not None and rtt_s * 1000 > self.rules.link.muddy_ms
        stormy = len(losses) >= _STORM
        why = f"a round trip takes {(rtt_s or 0) * 1000:.0f} ms" if muddy else ""
        why = f"the line was lost {len(losses)} times in ten minutes" if stormy else why
        self._become("degraded" if muddy or stormy else "online", why, last_seen=now, rtt_s=rtt_s, losses=losses)

    async def connect(self, *, attempts: int | None = None) -> asyncssh.SSHClientConnection:
        """The connection, opened where there is none.

        Args:
            attempts: how often it is tried before giving up; None: the rule's. A box that was silent for `connect_s` is not tried again.

        Raises:
            RealmError: it cannot be reached; the state has the same name, reason and way out.
        """
        if self.conn is not None and not self.conn.is_closed():
            return self.conn
        async with self._opening:
            if self.conn is not None and not self.conn.is_closed():
                return self.conn
            if self._closed:
                raise LinkLostError(f"the line to {self.label} was let go", code="LINK_LOST")
            wait = self.rules.link.backoff_first_s
            left = self.rules.link.retries if attempts is None else attempts
            while True:
                try:
                    return await self._open()
                except refusals.HostError as error:
                    left -= 1
                    self._become(error.state, error.what if not error.why else f"{error.what}: {error.why}", error.fix)
                    if error.state in refusals.HOPELESS or error.state == "timeout" or left <= 0:
                        raise
                except RealmError as error:
                    if not isinstance(error, LinkLostError):  # the file of confirmed keys is damaged
                        self._become("unknown_key", error.what, error.fix)
                    raise
                await asyncio.sleep(wait)
                wait = min(2 * wait, self.rules.link.backoff_most_s)

    async def _open(self) -> asyncssh.SSHClientConnection:
        self._become("connecting")
        pins = pins_of(self.host_id)
        if not pins:
            raise refusals.unknown_key(self.host_id, self.host)
        logs_to_file()
        try:
            async with asyncio.timeout(self.rules.link.connect_s):
                conn = await opened(self.host, self.user, pins, self.rules)
        except (*LOST, ValueError) as error:
            raise refusals.of_connecting(
                self.host_id, self.host, self.user, pins, self.rules.link.connect_s, error
            ) from error
        self.conn = conn
        remember(self.host_id, state="online", at=clock.now(), seen_at=clock.now(), user=self.user)
        try:
            for remote in list(self._forwards):
                await self._forward(conn, remote)
        except BaseException:
            conn.abort()  # a line without its tunnels is no line
            raise
        self._seen()
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._stay())
        return conn

    async def _stay(self) -> None:
        """Notice when the line is lost, measure it while it is quiet, bring it back; until it is closed or hopeless."""
        wait = self.rules.link.backoff_first_s
        while not self._closed:
            conn = self.conn
            if conn is not None and not conn.is_closed():
                wait = self.rules.link.backoff_first_s
                with contextlib.suppress(RealmError):
                    await self._ping()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await conn.wait_closed()
                continue
            if self._state.name in ("online", "degraded"):
                self._lost("the box does not answer any more")
            await asyncio.sleep(wait)
            wait = min(2 * wait, self.rules.link.backoff_most_s)
            try:
                await self.connect(attempts=1)
            except refusals.HostError as error:
                if error.state in refusals.HOPELESS:
                    return
            except LinkLostError:
                continue
            except RealmError:
                return

    async def _ping(self) -> None:
        sftp = await self._files()
        began = clock.monotonic()
        await self._over_sftp(sftp.realpath(b"."))
        self._seen(clock.monotonic() - began)

    def _lost(self, why: str) -> None:
        losses = (*self._state.losses, clock.now())[-50:]
        self._become("offline", why, "it comes back by itself once the box answers", losses=losses)

    def cut(self, error: Exception | None) -> LinkLostError:
        """The line ended in the middle of something; says so once it is known to be gone."""
        why = clean(str(error)) if error is not None else ""
        if self.conn is None or self.conn.is_closed():
            if self._state.name in ("online", "degraded"):
                self._lost(why or "the box broke off")
            if self._watch is None or self._watch.done():
                self._watch = asyncio.create_task(self._stay())
        return LinkLostError(
            f"the line to {self.label} was lost",
            why=why or "the box broke off; what it did last is not known",
            fix="it comes back by itself once the box answers; try again then",
            code="LINK_LOST",
        )

    async def close(self) -> None:
        """See `Box.close`."""
        self._closed = True
        for path, listener in self._forwards.values():
            if listener is not None:
                listener.close()
            path.unlink(missing_ok=True)
        if self.conn is not None:
            self.conn.close()
            try:
                async with asyncio.timeout(END_S):
                    await self.conn.wait_closed()
            except (TimeoutError, *LOST):
                self.conn.abort()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        self._state = replace(self._state, name="offline", since=clock.now(), why="let go", fix="")

    # ------------------------------------------------------------ commands

    async def _process(self, argv: Sequence[str]) -> asyncssh.SSHClientProcess[bytes]:
        """Start a command; a connection that proves dead at that moment is opened anew once, since nothing was done yet."""
        for again in (True, False):
            conn = await self.connect()
            try:
                async with asyncio.timeout(self.rules.link.command_s):
                    with opening():
                        return await conn.create_process(command_text(argv), encoding=None)
            except (TimeoutError, *LOST) as error:
                conn.abort()
                if not again:
                    raise self.cut(error) from error
        raise AssertionError

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float | None = None) -> Ran:
        """See `Box.run`; without ``timeout_s`` the rule's time holds."""
        pipe = await self.talk(argv)
        try:
            async with asyncio.timeout(timeout_s or self.rules.link.command_s):
                return await pipe.through(stdin)
        finally:
            await pipe.stop()

    def ran(self, process: asyncssh.SSHClientProcess[bytes], out: bytes, err: bytes) -> Ran:
        """How a process ended. One whose end was never told has not ended well: the line was lost."""
        if process.exit_status is None:
            raise self.cut(None)
        self._seen()
        return Ran(process.returncode if process.returncode is not None else -1, out, err)

    async def talk(self, argv: Sequence[str]) -> SshPipe:
        """See `Box.talk`."""
        await self._sessions.acquire()
        try:
            return SshPipe(self, await self._process(argv), self._sessions.release)
        except BaseException:
            self._sessions.release()
            raise

    async def exchange(self, argv: Sequence[str], line: bytes, *, timeout_s: float) -> bytes | None:
        """See `Box.exchange`. Where the line is lost the question is put again once it is back."""
        async with self._exchanging:
            for again in (True, False):
                pipe, self._kept = self._kept, None
                if pipe is None:
                    pipe = await self.talk(argv)
                try:
                    async with asyncio.timeout(timeout_s):
                        await pipe.write(line)
                        answer = await pipe.line()
                except LinkLostError:
                    await pipe.stop()
                    if not again:
                        raise
                    continue
                except BaseException:
                    await pipe.stop()
                    raise
                if answer:
                    self._kept = pipe
                    self._seen()
                    return answer
                await pipe.stop()
                return None
        raise AssertionError

    async def stream(self, argv: Sequence[str]) -> AsyncIterator[str]:
        """See `Box.stream`."""
        async for line in lines_of(await self.talk(argv)):
            yield line

    # ------------------------------------------------------------ files

    async def _files(self) -> asyncssh.SFTPClient:
        conn = await self.connect()
        async with self._starting:
            if self._sftp is None or self._sftp[0] is not conn:
                self._sftp = conn, await self._over_sftp(file_transfer(conn))
            return self._sftp[1]

    async def _over_sftp(self, doing: Awaitable[T]) -> T:
        """What a transfer gives; its failures as the errors of the interface."""
        try:
            async with asyncio.timeout(self.rules.link.command_s):
                found = await doing
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
            raise self.cut(error) from error
        except asyncssh.SFTPNoSuchFile as error:
            raise FileNotFoundError(str(error)) from error
        except asyncssh.SFTPError as error:
            raise RealmError(
                f"{self.label} refuses to read or write a file",
                why=clean(str(error)),
                fix="look at permissions and disk there",
                code="BOX_FAILED",
            ) from error
        except (TimeoutError, *LOST) as error:
            raise self.cut(error) from error
        return found

    async def home(self) -> str:
        """The user's home folder there."""
        if self._home is None:
            sftp = await self._files()
            self._home = str(await self._over_sftp(sftp.realpath(".")))
        return self._home

    async def inn(self) -> str:
        """See `Box.inn`."""
        return f"{(await self._there(self.base)).rstrip('/')}/inn"

    async def _there(self, path: str) -> str:
        if path == "~" or path.startswith("~/"):
            return f"{await self.home()}{path[1:]}"
        return path if path.startswith("/") else f"{await self.home()}/{path}"

    async def read(self, path: str) -> bytes:
        """See `Box.read`."""
        sftp, there = await self._files(), await self._there(path)

        async def reading() -> bytes:
            async with sftp.open(there, "rb") as file:
                found: Any = await file.read()
                return bytes(found)

        return await self._over_sftp(reading())

    async def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """See `Box.write`."""
        sftp, there = await self._files(), await self._there(path)
        folder = PurePosixPath(there).parent
        beside = str(folder / f".{PurePosixPath(there).name}.{secrets.token_hex(4)}")

        async def writing() -> None:
            await sftp.makedirs(str(folder), asyncssh.SFTPAttrs(permissions=0o700), exist_ok=True)
            async with sftp.open(beside, "wb", asyncssh.SFTPAttrs(permissions=mode)) as file:
                await file.write(data)
            await sftp.chmod(beside, mode)
            await sftp.posix_rename(beside, there)

        try:
            await self._over_sftp(writing())
        except LinkLostError:
            raise
        except RealmError as error:
            # SFTP has no word for a full disk, so what failed is asked about.
            free = await self.free_bytes(str(folder))
            with contextlib.suppress(RealmError, FileNotFoundError):
                await self._over_sftp(sftp.remove(beside))
            if free < len(data) + _FULL_BYTES:
                told = {"code": "DISK_FULL_THERE", "free": free, "need": len(data) + _FULL_BYTES}
                raise refused(self, told) from error
            raise

    async def exists(self, path: str) -> bool:
        """See `Box.exists`."""
        sftp = await self._files()
        return bool(await self._over_sftp(sftp.exists(await self._there(path))))

    async def free_bytes(self, path: str) -> int:
        """Bytes the user may still write where ``path`` lies or would lie."""
        sftp, found = await self._files(), PurePosixPath(await self._there(path))
        while not await self._over_sftp(sftp.exists(str(found))) and found != found.parent:
            found = found.parent
        status = await self._over_sftp(sftp.statvfs(str(found)))
        return int(status.bavail * status.frsize)

    async def remove_tree(self, path: str) -> None:
        """Remove a folder; nothing happens where there is none."""
        ran = await self.run(["rm", "-rf", "--", await self._there(path)], timeout_s=600)
        if ran.code:
            raise RealmError(
                f"{self.label} could not remove {path}", why=clean(ran.reason), fix="look there", code="BOX_FAILED"
            )

    async def push(
        self,
        folder: Path,
        store: str | None = None,
        *,
        facts: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> Pushed:
        """See `Box.push`."""
        from realm_tui.runtime.inn.sync import push

        return await push(self, folder, store, facts=facts, progress=progress)

    # ------------------------------------------------------------ forwarding

    async def forward(self, remote: str) -> Path | str:
        """See `Box.forward`."""
        conn = await self.connect()
        if remote not in self._forwards:
            name = f"inn-{os.getpid()}-{secrets.token_hex(4)}.sock"
            folder = private_folder(len(name))
            _sweep(folder)
            self._forwards[remote] = (folder / name, None)
            try:
                await self._forward(conn, remote)
            except BaseException:
                del self._forwards[remote]  # a path behind which nothing listens is given to nobody
                raise
        return self._forwards[remote][0]

    async def _forward(self, conn: asyncssh.SSHClientConnection, remote: str) -> None:
        path, old = self._forwards[remote]
        if old is not None:
            old.close()
        path.unlink(missing_ok=True)
        try:
            if remote.startswith(("/", "~")):
                listener = await conn.forward_local_path(
                    str(path), await self._there(remote) if remote[0] == "~" else remote
                )
            else:
                address, _, port = remote.rpartition(":")
                listener = await conn.forward_local_path_to_port(str(path), address or "127.0.0.1", int(port))
        except LOST as error:
            raise self.cut(error) from error
        path.chmod(0o600)
        self._forwards[remote] = (path, listener)


def _sweep(folder: Path) -> None:
    """Remove sockets of processes that ended without doing so."""
    for path in folder.glob("inn-*-*.sock"):
        pid = path.name.split("-")[1]
        if pid.isdigit() and start_ticks(int(pid)) is None:
            path.unlink(missing_ok=True)

"""A box over SSH: one connection that is kept and comes back by itself, and whose state always has a name.

This module is the only one that opens SSH connections, and it opens none without a confirmed key of the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
import logging.handlers
import re
import secrets
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

import asyncssh

from configs import clock
from configs.errors import RealmError
from configs.facilities import Host
from configs.inn import InnRules
from configs.loader import load_game
from configs.paths import realm_home
from engine.link.endpoint import private_folder
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn import refusals
from realm_tui.runtime.inn.box import LinkLostError, LinkName, LinkState, Ran, lines_of
from realm_tui.runtime.inn.pins import Pin, parse, pins_of
from realm_tui.runtime.inn.records import remember

if TYPE_CHECKING:
    from realm_tui.runtime.inn.sync import Progress, Pushed

_SESSIONS = 6
"""Commands at a time on one connection; OpenSSH allows ten sessions and one of them is the file transfer's."""
_END_S = 2.0
"""How long a command there may take to end politely."""
_LOOK_S = 15.0
"""How often a quiet line's round trip is measured."""
_STORM_S, _STORM = 600.0, 3
"""A line that was lost this often within this time is called stormy."""
_LOST = (OSError, asyncssh.Error)
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)
_NAMED = ("sh", "-c", 'echo "realm $$" >&2; exec "$@"', "sh")
"""Runs a command after saying its process id, so that it can be ended there: servers do not pass signals on for every user."""
_PID = re.compile(rb"^realm (\d+)\n", re.MULTILINE)
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
        self._conn: asyncssh.SSHClientConnection | None = None
        self._sftp: tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient] | None = None
        self._starting = asyncio.Lock()
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
        if self._conn is not None and not self._conn.is_closed():
            return self._conn
        async with self._opening:
            if self._conn is not None and not self._conn.is_closed():
                return self._conn
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
                conn = await _connected(self.host, self.user, pins, self.rules)
        except (*_LOST, ValueError) as error:
            raise refusals.of_connecting(
                self.host_id, self.host, self.user, pins, self.rules.link.connect_s, error
            ) from error
        self._conn = conn
        remember(self.host_id, state="online", at=clock.now(), seen_at=clock.now(), user=self.user)
        for remote in self._forwards:
            await self._forward(conn, remote)
        self._seen()
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._stay())
        return conn

    async def _stay(self) -> None:
        """Notice when the line is lost, measure it while it is quiet, bring it back; until it is closed or hopeless."""
        wait = self.rules.link.backoff_first_s
        while not self._closed:
            conn = self._conn
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

    def _cut(self, error: Exception | None) -> LinkLostError:
        """The line ended in the middle of something; says so once it is known to be gone."""
        why = clean(str(error)) if error is not None else ""
        if self._conn is None or self._conn.is_closed():
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
        if self._conn is not None:
            self._conn.close()
            try:
                async with asyncio.timeout(_END_S):
                    await self._conn.wait_closed()
            except (TimeoutError, *_LOST):
                self._conn.abort()
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        self._state = replace(self._state, name="offline", since=clock.now(), why="let go", fix="")

    # ------------------------------------------------------------ commands

    async def _process(self, argv: Sequence[str]) -> asyncssh.SSHClientProcess[bytes]:
        """Start a command; a connection that proves dead at that moment is opened anew once, since nothing was done yet."""
        for again in (True, False):
            conn = await self.connect()
            try:
                async with asyncio.timeout(self.rules.link.command_s):
                    command = f"exec {shlex.join(_NAMED)} {shlex.join(argv)}"
                    with _opening():
                        return await conn.create_process(command, encoding=None)
            except (TimeoutError, *_LOST) as error:
                conn.abort()
                if not again:
                    raise self._cut(error) from error
        raise AssertionError

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float | None = None) -> Ran:
        """See `Box.run`; without ``timeout_s`` the rule's time holds."""
        pipe = await self.talk(argv)
        try:
            async with asyncio.timeout(timeout_s or self.rules.link.command_s):
                return await pipe.through(stdin)
        finally:
            await pipe.stop()

    def _ran(self, process: asyncssh.SSHClientProcess[bytes], out: bytes, err: bytes) -> Ran:
        """How a process ended. One whose end was never told has not ended well: the line was lost."""
        if process.exit_status is None:
            raise self._cut(None)
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

    async def stream(self, argv: Sequence[str]) -> AsyncIterator[str]:
        """See `Box.stream`."""
        async for line in lines_of(await self.talk(argv)):
            yield line

    # ------------------------------------------------------------ files

    async def _files(self) -> asyncssh.SFTPClient:
        conn = await self.connect()
        async with self._starting:
            if self._sftp is None or self._sftp[0] is not conn:
                self._sftp = conn, await self._over_sftp(_sftp(conn))
            return self._sftp[1]

    async def _over_sftp(self, doing: Awaitable[T]) -> T:
        """What a transfer gives; its failures as the errors of the interface."""
        try:
            async with asyncio.timeout(self.rules.link.command_s):
                found = await doing
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
            raise self._cut(error) from error
        except asyncssh.SFTPNoSuchFile as error:
            raise FileNotFoundError(str(error)) from error
        except asyncssh.SFTPError as error:
            raise RealmError(
                f"{self.label} refuses to read or write a file",
                why=clean(str(error)),
                fix="look at permissions and disk there",
                code="BOX_FAILED",
            ) from error
        except (TimeoutError, *_LOST) as error:
            raise self._cut(error) from error
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

        await self._over_sftp(writing())

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
            name = f"inn-{secrets.token_hex(6)}.sock"
            self._forwards[remote] = (private_folder(len(name)) / name, None)
            await self._forward(conn, remote)
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
        except _LOST as error:
            raise self._cut(error) from error
        path.chmod(0o600)
        self._forwards[remote] = (path, listener)


class SshPipe:
    """A command over there, see `realm_tui.runtime.inn.box.Pipe`."""

    def __init__(self, box: SshBox, process: asyncssh.SSHClientProcess[bytes], release: Callable[[], None]) -> None:
        self._box, self._process, self._release = box, process, release
        self._err = b""
        self._pid: int | None = None
        self._errors = asyncio.create_task(self._kept())

    async def _kept(self) -> bytes:
        with contextlib.suppress(*_LOST):
            while chunk := await self._process.stderr.read(1 << 16):
                self._err = (self._err + chunk)[-(64 << 10) :]
                if self._pid is None and (found := _PID.search(self._err)):
                    self._pid = int(found[1])
                    self._err = self._err[: found.start()] + self._err[found.end() :]
        return self._err

    async def through(self, stdin: bytes) -> Ran:
        """Give it all its input and wait for its end."""
        feeding = asyncio.create_task(self._feed(stdin))
        try:
            return await self.wait()
        finally:
            feeding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await feeding

    async def _feed(self, stdin: bytes) -> None:
        with contextlib.suppress(LinkLostError):  # what ends without reading all of it is no failure
            if stdin:
                await self.write(stdin)
            await self.end()

    async def write(self, data: bytes) -> None:
        """See `Pipe.write`."""
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except _LOST as error:
            raise self._box._cut(error) from error

    async def end(self) -> None:
        """See `Pipe.end`."""
        with contextlib.suppress(*_LOST):
            self._process.stdin.write_eof()

    async def line(self) -> bytes:
        """See `Pipe.line`."""
        try:
            line = bytes(await self._process.stdout.readline())
        except _LOST as error:
            raise self._box._cut(error) from error
        if not line:
            await self._process.wait_closed()
            self._box._ran(self._process, b"", b"")
        return line

    async def wait(self) -> Ran:
        """See `Pipe.wait`."""
        try:
            out = bytes(await self._process.stdout.read())
            await self._process.wait_closed()
        except _LOST as error:
            raise self._box._cut(error) from error
        return self._box._ran(self._process, out, await self._errors)

    async def stop(self) -> None:
        """See `Pipe.stop`."""
        release, self._release = self._release, _nothing
        try:
            if self._process.exit_status is None and release is not _nothing:
                await self._end()
            self._process.close()
            self._errors.cancel()
        finally:
            release()

    async def _end(self) -> None:
        """End it there; where the line is gone with it, its end is the box's business."""
        conn = self._box._conn
        if self._pid is None or conn is None or conn.is_closed():
            return
        for name in ("TERM", "KILL"):
            group = f"kill -{name} -- -{self._pid} 2>/dev/null || kill -{name} {self._pid}"
            with contextlib.suppress(TimeoutError, *_LOST):
                async with asyncio.timeout(_END_S):
                    with _opening():
                        await conn.run(group, check=False)
                    await self._process.wait_closed()
                    return


def _nothing() -> None:
    """The session was given back already."""


@contextlib.contextmanager
def _opening() -> Iterator[None]:
    """A session whose line is lost while it is being opened makes asyncssh stumble over itself; that is a lost line, too."""
    try:
        yield
    except AttributeError as error:
        if error.name != "session_started":
            raise
        raise ConnectionResetError("the line was lost while a session was being opened") from error


async def _sftp(conn: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
    with _opening():
        return await conn.start_sftp_client()


async def _connected(host: Host, user: str, pins: Sequence[Pin], rules: InnRules) -> asyncssh.SSHClientConnection:
    """A connection to the machine that holds one of the confirmed keys."""
    if not pins:
        raise ValueError("no connection without a confirmed key")
    keys = [asyncssh.import_public_key(pin.line) for pin in pins]
    options: dict[str, Any] = _reached(host)
    if host.keys:
        options["client_keys"] = [str(Path(key).expanduser()) for key in host.keys]
    if not host.ssh_config or host.user:
        options["username"] = user
    return await asyncssh.connect(
        host.address,
        **options,
        known_hosts=(keys, [], []),
        preferred_auth=("publickey",),
        encryption_algs=_CIPHERS,
        compression_algs=["none"],
        keepalive_interval=rules.link.keepalive_s,
        keepalive_count_max=rules.link.keepalive_count,
        login_timeout=rules.link.connect_s,
        agent_forwarding=False,
    )


async def offered_key(host_id: str, host: Host, rules: InnRules) -> Pin:
    """The key a machine shows to whoever asks; nothing is logged in to. It becomes trusted only by `pins.confirm`.

    Raises:
        RealmError: the machine cannot be reached.
    """
    logs_to_file()
    options = _reached(host)
    options.pop("agent_path", None)
    try:
        async with asyncio.timeout(rules.link.connect_s):
            key = await asyncssh.get_server_host_key(host.address, **options)
    except (*_LOST, ValueError) as error:
        user = host.user or getpass.getuser()
        raise refusals.of_connecting(host_id, host, user, (), rules.link.connect_s, error) from error
    if key is None:
        raise refusals.cut(host_id, ConnectionError("it showed no key"))
    return parse(key.export_public_key("openssh").decode("ascii"))


def known_to_ssh(host: Host, pin: Pin) -> bool:
    """Whether the player's own ``~/.ssh/known_hosts`` has this very key for the machine."""
    try:
        known = asyncssh.read_known_hosts(str(Path("~/.ssh/known_hosts").expanduser()))
        trusted = asyncssh.match_known_hosts(known, host.address, "", host.port)[0]
    except (OSError, ValueError, asyncssh.Error):
        return False
    return any(key.export_public_key("openssh").split()[1].decode() == pin.key for key in trusted)


def _reached(host: Host) -> dict[str, Any]:
    """How a machine is reached: the player's own SSH configuration and agent only where the host says so."""
    found: dict[str, Any] = {}
    if not host.ssh_config:
        found["config"] = None
    if not host.ssh_config or host.port != 22:
        found["port"] = host.port
    if not host.agent:
        found["agent_path"] = None
    return found


def logs_to_file() -> None:
    """What asyncssh and asyncio complain of goes to ``logs/inn.log`` under the realm's home, never over the screen."""
    folder = realm_home() / "logs"
    path = str(folder / "inn.log")
    for name in ("asyncssh", "asyncio"):
        logger = logging.getLogger(name)
        handlers = [h for h in logger.handlers if isinstance(h, logging.handlers.RotatingFileHandler)]
        if any(h.baseFilename == path for h in handlers):
            continue
        for old in handlers:
            logger.removeHandler(old)
            old.close()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=1 << 20, backupCount=1, delay=True, encoding="utf-8"
        )
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
        logger.propagate = False

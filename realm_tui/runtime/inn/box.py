"""A box: a machine on which the Inn keeps servers and forms. This one, or another over SSH (`realm_tui.runtime.inn.ssh`).

Everything the Inn does anywhere goes through this one interface, so a server on another machine is no different from one here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from configs import clock
from configs.errors import RealmError
from configs.inn import InnRules
from configs.loader import load_game

if TYPE_CHECKING:
    from realm_tui.runtime.inn.sync import Progress, Pushed

LinkName = Literal[
    "connecting",
    "online",
    "degraded",
    "offline",
    "unknown_key",
    "changed_key",
    "refused_key",
    "refused_user",
    "no_route",
    "timeout",
]
_LINE_BYTES = 8 << 20
"""Longest line a program may answer with."""
_END_S = 2.0
"""How long a command may take to end politely."""
_MOST_ERROR_BYTES = 64 << 10


class LinkLostError(RealmError):
    """The line to a box ended in the middle of something; what it did there is not known."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """How it stands with a box."""

    name: LinkName
    since: float
    """Seconds since the epoch."""
    last_seen: float | None = None
    """When the box last answered; None: never in this process."""
    rtt_s: float | None = None
    why: str = ""
    fix: str = ""
    losses: tuple[float, ...] = ()
    """When the line was lost lately."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    """Its exit status; minus the signal that ended it."""
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """Its output as text."""
        return self.out.decode("utf-8", "replace")

    @property
    def reason(self) -> str:
        """The last line it complained with."""
        lines = [line for line in (self.err or self.out).decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"it ended with {self.code} and said nothing"


class Pipe(Protocol):
    """A command that is being talked to."""

    async def write(self, data: bytes) -> None:
        """Send to its stdin, waiting where it does not keep up. Raises: LinkLostError."""

    async def end(self) -> None:
        """Close its stdin."""

    async def line(self) -> bytes:
        """The next line of its output with its end; empty at the end. Raises: LinkLostError."""

    async def wait(self) -> Ran:
        """Its end, with the rest of its output. Raises: LinkLostError."""

    async def stop(self) -> None:
        """End it where it has not ended."""


class Box(Protocol):
    """A machine of the Inn. Paths are those there; ``~/`` is the user's home there."""

    @property
    def id(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def is_local(self) -> bool: ...
    @property
    def python(self) -> str:
        """The interpreter for the Inn's own scripts there."""

    @property
    def rules(self) -> InnRules: ...
    @property
    def state(self) -> LinkState: ...

    async def inn(self) -> str:
        """The absolute folder of everything of the Inn there; may have to be made (`realm_tui.runtime.inn.setup`)."""

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float | None = None) -> Ran:
        """Run a command to its end; after ``timeout_s`` it is ended there too and ``TimeoutError`` raised.

        Raises:
            LinkLostError: the line ended first.
            RealmError: the box cannot be reached; `state` says the same.
        """

    async def talk(self, argv: Sequence[str]) -> Pipe:
        """Start a command and talk to it."""

    async def exchange(self, argv: Sequence[str], line: bytes, *, timeout_s: float) -> bytes | None:
        """Put a question (a line) to a command that is kept running there, and hear its answer (a line).

        The question must be one that may be put twice. None: no command is kept here, or it ended; ask another way.
        """

    def stream(self, argv: Sequence[str]) -> AsyncIterator[str]:
        """The lines of a command as they come; it is ended when nobody reads on."""

    async def read(self, path: str) -> bytes:
        """A file. Raises: FileNotFoundError."""

    async def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """Replace a file whole, making its folders."""

    async def exists(self, path: str) -> bool: ...
    async def free_bytes(self, path: str) -> int: ...
    async def remove_tree(self, path: str) -> None: ...

    async def push(
        self,
        folder: Path,
        store: str | None = None,
        *,
        facts: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> Pushed:
        """Bring a form there, see `realm_tui.runtime.inn.sync.push`."""

    async def forward(self, remote: str) -> Path | str:
        """A unix socket on this machine that leads to a socket there, or to a port there (``127.0.0.1:8000``).

        It stays the same over a reconnect. On this machine it is ``remote`` itself.
        """

    async def close(self) -> None:
        """Let go of the line; what runs there runs on."""


@dataclass
class LocalBox:
    """This machine.

    Args:
        id: the place's id.
        base: its folder; everything of the Inn lies in ``inn/`` below it.
        label: what it is called.
    """

    id: str
    base: Path
    label: str = "this machine"
    python: str = sys.executable
    is_local: bool = True
    rules: InnRules = field(default_factory=lambda: load_game().inn)
    _since: float = field(default_factory=clock.now)

    @property
    def state(self) -> LinkState:
        """Always online."""
        return LinkState("online", self._since, clock.now(), 0.0)

    async def inn(self) -> str:
        """See `Box.inn`."""
        return str(self.base.expanduser().absolute() / "inn")

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float | None = 60.0) -> Ran:
        """See `Box.run`."""
        process = await _spawn(argv)
        try:
            async with asyncio.timeout(timeout_s):
                out, err = await process.communicate(stdin)
        finally:
            await _ended(process)
        return Ran(process.returncode or 0, out, err)

    async def talk(self, argv: Sequence[str]) -> Pipe:
        """See `Box.talk`."""
        return _LocalPipe(await _spawn(argv))

    async def exchange(self, argv: Sequence[str], line: bytes, *, timeout_s: float) -> bytes | None:
        """Nothing is kept running: a process of its own costs little here."""
        del argv, line, timeout_s
        return None

    async def stream(self, argv: Sequence[str]) -> AsyncIterator[str]:
        """See `Box.stream`."""
        async for line in lines_of(await self.talk(argv)):
            yield line

    async def read(self, path: str) -> bytes:
        """See `Box.read`."""
        return await asyncio.to_thread(Path(path).expanduser().read_bytes)

    async def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """See `Box.write`."""
        await asyncio.to_thread(_write, Path(path).expanduser(), data, mode)

    async def exists(self, path: str) -> bool:
        """See `Box.exists`."""
        return await asyncio.to_thread(Path(path).expanduser().exists)

    async def free_bytes(self, path: str) -> int:
        """Bytes the user may still write where ``path`` lies or would lie."""
        found = Path(path).expanduser().absolute()
        while not found.exists():
            found = found.parent
        status = await asyncio.to_thread(os.statvfs, found)
        return status.f_bavail * status.f_frsize

    async def remove_tree(self, path: str) -> None:
        """Remove a folder; nothing happens where there is none."""
        await asyncio.to_thread(shutil.rmtree, Path(path).expanduser(), ignore_errors=True)

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

    async def forward(self, remote: str) -> Path | str:
        """The very socket, or the very address."""
        return Path(remote) if remote.startswith(("/", "~")) else remote

    async def close(self) -> None:
        """Nothing to let go of."""


async def lines_of(pipe: Pipe) -> AsyncIterator[str]:
    """The lines of a command as text; it is ended when nobody reads on.

    Raises:
        LinkLostError: the line ended before the command did.
    """
    try:
        await pipe.end()
        while line := await pipe.line():
            yield line.decode("utf-8", "replace").rstrip("\r\n")
    finally:
        await pipe.stop()


def _write(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(fd, "wb") as file:  # noqa: PTH123
        file.write(data)
        os.fchmod(fd, mode)
    beside.replace(path)


async def _spawn(argv: Sequence[str]) -> asyncio.subprocess.Process:
    """Start a command; one that is not there ends with 127, as it does over SSH."""
    pipe = asyncio.subprocess.PIPE
    for command in (argv, ("sh", "-c", 'echo "$1: not found" >&2; exit 127', "sh", argv[0])):
        with contextlib.suppress(FileNotFoundError, PermissionError, NotADirectoryError):
            return await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, limit=_LINE_BYTES
            )
    raise AssertionError


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End a process and its group where it has not ended."""
    if process.returncode is None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await process.wait()
                return


class _LocalPipe:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        self._in, self._out = process.stdin, process.stdout
        self._errors = asyncio.create_task(_kept(process.stderr.read))

    async def write(self, data: bytes) -> None:
        """See `Pipe.write`."""
        try:
            self._in.write(data)
            await self._in.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise LinkLostError(
                "the program here ended while it was talked to", why=str(error), code="LINK_LOST"
            ) from error

    async def end(self) -> None:
        """See `Pipe.end`."""
        with contextlib.suppress(OSError):
            self._in.close()

    async def line(self) -> bytes:
        """See `Pipe.line`."""
        return await self._out.readline()

    async def wait(self) -> Ran:
        """See `Pipe.wait`."""
        out = await self._out.read()
        return Ran(await self._process.wait(), out, await self._errors)

    async def stop(self) -> None:
        """See `Pipe.stop`."""
        await _ended(self._process)
        with contextlib.suppress(OSError):
            self._in.close()
        await self._errors


async def _kept(read: Callable[[int], Any]) -> bytes:
    """Everything a stream says, of which the end is kept."""
    kept = b""
    while chunk := await read(1 << 16):
        kept = (kept + chunk)[-_MOST_ERROR_BYTES:]
    return kept

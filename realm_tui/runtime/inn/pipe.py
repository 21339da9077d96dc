"""A command on a box over SSH that is being talked to, and ended there when it is wanted no more."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Protocol

import asyncssh

from realm_tui.runtime.inn.box import LinkLostError, Ran
from realm_tui.runtime.inn.dialling import LOST, opening

END_S = 2.0
"""How long a command there may take to end politely."""
_NAMED = ("sh", "-c", 'echo "realm $$" >&2; exec "$@"', "sh")
"""Runs a command after saying its process id, so that it can be ended there: servers do not pass signals on for every user."""
_PID = re.compile(rb"^realm (\d+)\n", re.MULTILINE)


class Line(Protocol):
    """The line a command runs over."""

    conn: asyncssh.SSHClientConnection | None

    def cut(self, error: Exception | None) -> LinkLostError:
        """The error of a line that ended in the middle of something."""

    def ran(self, process: asyncssh.SSHClientProcess[bytes], out: bytes, err: bytes) -> Ran:
        """How a process ended. Raises: LinkLostError: its end was never told."""


def command_text(argv: Sequence[str]) -> str:
    """A command as it is sent: one that says its process id first."""
    return f"exec {shlex.join(_NAMED)} {shlex.join(argv)}"


class SshPipe:
    """A command over there, see `realm_tui.runtime.inn.box.Pipe`."""

    def __init__(self, box: Line, process: asyncssh.SSHClientProcess[bytes], release: Callable[[], None]) -> None:
        self._box, self._process, self._release = box, process, release
        self._err = b""
        self._pid: int | None = None
        self._errors = asyncio.create_task(self._kept())

    async def _kept(self) -> bytes:
        with contextlib.suppress(*LOST):
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
        except LOST as error:
            raise self._box.cut(error) from error

    async def end(self) -> None:
        """See `Pipe.end`."""
        with contextlib.suppress(*LOST):
            self._process.stdin.write_eof()

    async def line(self) -> bytes:
        """See `Pipe.line`."""
        try:
            line = bytes(await self._process.stdout.readline())
        except LOST as error:
            raise self._box.cut(error) from error
        if not line:
            await self._process.wait_closed()
            self._box.ran(self._process, b"", b"")
        return line

    async def wait(self) -> Ran:
        """See `Pipe.wait`."""
        try:
            out = bytes(await self._process.stdout.read())
            await self._process.wait_closed()
        except LOST as error:
            raise self._box.cut(error) from error
        return self._box.ran(self._process, out, await self._errors)

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
        conn = self._box.conn
        if self._pid is None or conn is None or conn.is_closed():
            return
        for name in ("TERM", "KILL"):
            group = f"kill -{name} -- -{self._pid} 2>/dev/null || kill -{name} {self._pid}"
            with contextlib.suppress(TimeoutError, *LOST):
                async with asyncio.timeout(END_S):
                    with opening():
                        await conn.run(group, check=False)
                    await self._process.wait_closed()
                    return


def _nothing() -> None:
    """The session was given back already."""

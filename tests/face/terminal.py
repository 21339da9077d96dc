"""A pseudo-terminal with a program in it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 90.0
"""Longest wait for anything; only a broken program takes it."""


class Terminal:
    """A program under a pseudo-terminal; what it draws is kept."""

    def __init__(
        self, command: list[str], *, size: tuple[int, int] = (120, 40), env: dict[str, str] | None = None
    ) -> None:
        self.master, slave = pty.openpty()
        self.resize(*size)
        self.output = bytearray()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=_own_terminal,
            start_new_session=True,
            env={
                # The terminal's own size counts, whatever size the program that runs the tests was told.
                **{name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")},
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                "OMP_NUM_THREADS": "1",
                **(env or {}),
            },
        )
        os.close(slave)

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def pump(self, wait_s: float = 0.05) -> bytes:
        """Take what the program has written; waits a little when there is nothing."""
        if not select.select([self.master], [], [], wait_s)[0]:
            return b""
        try:
            new = os.read(self.master, 65536)
        except OSError:
            return b""
        self.output += new
        return new

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Read on until something is true; fails after `LIMIT_S`."""
        end = time.monotonic() + LIMIT_S
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f"never came: {what}\n{self.text[-2000:]}")
            self.pump()

    def until_shown(self, *wanted: str) -> None:
        """Read on until all of that stands in what was drawn."""
        self.until(lambda: all(one in self.text for one in wanted), ", ".join(wanted))

    @property
    def text(self) -> str:
        """Everything drawn so far, without escape sequences."""
        return re.sub(
            r"\x1b(?:\[[0-9;?>$]*[A-Za-z]|[PX^_\]].*?(?:\x1b\\|\x07))", "", self.output.decode("utf-8", "replace")
        )

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def wait(self) -> int:
        """The program's exit code, while its terminal is still read."""
        self.until(lambda: self.process.poll() is not None, "the program's end")
        return int(self.process.returncode)

    def hang_up(self) -> int:
        """Close the terminal as a window does; the program's exit code."""
        os.close(self.master)
        self.master = -1
        return self.process.wait(LIMIT_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        if self.master >= 0:
            os.close(self.master)


def _own_terminal() -> None:
    """Make the slave the controlling terminal, so that closing the master sends SIGHUP."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def app_command(beats: Path, *flags: str) -> list[str]:
    """The command line of `tests.face.pty_app`."""
    return [sys.executable, "-m", "tests.face.pty_app", str(beats), *flags]

"""One trainer process: started with a private channel, spoken to, and its end understood."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Any

from configs import clock
from configs.errors import RealmError
from configs.paths import SaveFolder
from engine.keeper import logs
from engine.link.ending import Ending, classify
from engine.link.protocol import MAX_LINE_BYTES, Command, decode, encode

LAST_WORDS_S = 2.0
"""How long a dead trainer's channel is read on, in case a process it forked still holds it."""

TrainerCommand = Callable[[int], Sequence[str]]
"""The command line of a trainer that talks over the given file descriptor."""


class TrainerProcess:
    """A running trainer.

    Args:
        process: the child.
        reader: what it says.
        writer: what it is told.
        log_start: size of its log when it was started.
    """

    def __init__(
        self,
        folder: SaveFolder,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        log_start: int,
    ) -> None:
        self.pid = process.pid
        self.started_at = clock.monotonic()
        self._folder, self._process, self._reader, self._writer = folder, process, reader, writer
        self._log_start = log_start

    @classmethod
    async def start(cls, folder: SaveFolder, command: TrainerCommand) -> TrainerProcess:
        """Start a trainer; its outputs go to ``logs/trainer.log``.

        Raises:
            OSError: the program cannot be started.
        """
        log = folder.logs / "trainer.log"
        ours, theirs = socket.socketpair()
        try:
            with theirs, log.open("ab") as output:
                log_start = logs.size(log)
                process = subprocess.Popen(
                    list(command(theirs.fileno())),
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=folder.root,
                )
        except OSError:
            ours.close()
            raise
        reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_LINE_BYTES)
        return cls(folder, process, reader, writer, log_start)

    def tell(self, command: Command) -> None:
        """Hand over a command; one that no longer reaches a dying trainer is answered by the next."""
        if not self._writer.is_closing():
            self._writer.write(encode(command.message()))

    def end(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens to a process that has ended."""
        self._process.send_signal(number)

    async def lived(self, heard: Callable[[dict[str, Any]], None], odd: Callable[[str], None]) -> Ending:
        """Pass on everything the trainer says until it ends, and say how it ended.

        Args:
            heard: takes each message.
            odd: takes a line about what made no sense.
        """
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[int] = loop.create_future()

        def wait() -> None:
            code = self._process.wait()
            loop.call_soon_threadsafe(lambda: None if ended.done() else ended.set_result(code))

        threading.Thread(target=wait, name="trainer-wait", daemon=True).start()
        hearing = asyncio.create_task(self._hear(heard, odd))
        code = await ended
        await asyncio.wait([hearing], timeout=LAST_WORDS_S)
        hearing.cancel()
        self._writer.transport.abort()
        return classify(code, logs.tail(self._folder.logs / "trainer.log", self._log_start))

    async def _hear(self, heard: Callable[[dict[str, Any]], None], odd: Callable[[str], None]) -> None:
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            except asyncio.LimitOverrunError:
                odd("the trainer sent an endless line; its channel is not read any more")
                return
            try:
                heard(decode(line))
            except (RealmError, ValueError, KeyError) as error:
                odd(f"the trainer said something that makes no sense: {error}")

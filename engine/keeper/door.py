"""The keeper's unix socket: who may come in, and what may be said. A client can neither block nor flood the keeper."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder
from engine.keeper.desk import Listener, refusal
from engine.link.endpoint import read_pointer, remove_pointer, socket_path, write_pointer
from engine.link.protocol import MAX_LINE_BYTES, Command, Verb, command_from, decode, encode, error_message
from engine.link.snapshot import PROTOCOL_VERSION
from saves.migrations import SCHEMA_VERSION

MAX_CLIENTS = 64
HELLO_S = 10.0
"""A client that has not said hello by then is sent away."""
MAX_UNREAD_BYTES = 4 << 20
"""A client that lets more than this pile up is sent away."""
LOOK_S = 5.0
"""How often the keeper proves that its own socket can still be found."""

ANY_VERSION_VERBS = frozenset({Verb.CHECKPOINT, Verb.PAUSE, Verb.RESUME, Verb.STOP})
"""What a face of another version may ask, so that it can save, stop and start anew."""


class Door:
    """Listens for clients and lets commands in.

    Args:
        folder: the save.
        take: called with every valid command and the client's ear; raises `RealmError` to refuse it.
        facts: what hello tells beside versions: ``state``, ``trainer_pid``, ``note``.
        log: one line for the keeper's log.
    """

    def __init__(
        self,
        folder: SaveFolder,
        take: Callable[[Command, Listener], None],
        facts: Callable[[], dict[str, Any]],
        log: Callable[[str], None],
    ) -> None:
        self._folder, self._take, self._facts, self._log = folder, take, facts, log
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._bound: tuple[int, int] | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._guard: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen, announce the socket in the save, and keep it findable."""
        await self._bind()
        self._guard = asyncio.create_task(self._keep_findable())

    async def close(self) -> None:
        """Take socket and pointer away, then let every client hear what was said to it, for at most two seconds."""
        if self._guard is not None:
            self._guard.cancel()
        if self._server is not None:
            self._server.close()
        if self._path is not None:
            remove_pointer(self._folder, self._path)
        for writer in list(self._clients):
            writer.close()
        waiting = [asyncio.create_task(writer.wait_closed()) for writer in self._clients]
        if waiting:
            await asyncio.wait(waiting, timeout=2.0)
        for writer in list(self._clients):
            writer.transport.abort()
        for task in (*waiting, *self._tasks):
            task.cancel()
        await asyncio.gather(*waiting, *self._tasks, return_exceptions=True)

    async def _bind(self) -> None:
        path = socket_path(self._folder)
        beside = path.with_name(f"{os.getpid()}.new")
        beside.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(beside))
            beside.chmod(0o600)
            listener.listen(MAX_CLIENTS)
            listener.setblocking(False)
            status = beside.stat()
            # A rename replaces whatever an earlier keeper left, and at no moment is there a socket that nobody hears.
            beside.replace(path)
        except OSError as error:
            listener.close()
            beside.unlink(missing_ok=True)
            raise RealmError(
                f"cannot listen at {path}", why=str(error), fix="set TMPDIR to a local folder", code="SOCKET_FAILED"
            ) from error
        old, self._server = (
            self._server,
            await asyncio.start_unix_server(self._welcome, sock=listener, limit=MAX_LINE_BYTES),
        )
        if old is not None:
            old.close()
        self._path, self._bound = path, (status.st_dev, status.st_ino)
        write_pointer(self._folder, path)

    async def _keep_findable(self) -> None:
        """Bind again when a cleaner of temporary files took the socket or the pointer away."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                if not self._findable():
                    self._log("the socket was taken away; listening again")
                    await self._bind()
            except (RealmError, OSError) as error:
                self._log(f"cannot listen again: {error}")

    def _findable(self) -> bool:
        path = read_pointer(self._folder)
        if path is None or path != self._path:
            return False
        status = path.stat()
        return (status.st_dev, status.st_ino) == self._bound

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._clients.add(writer)

        def tell(message: dict[str, Any]) -> None:
            if writer.is_closing():
                return
            try:
                writer.write(encode(message))
            except RealmError as error:
                writer.write(encode({"type": "error", "error": error_message(error)}))
            if writer.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
                self._log("a client does not read; sent away")
                writer.transport.abort()

        try:
            if len(self._clients) > MAX_CLIENTS:
                raise BlockedError(f"{MAX_CLIENTS} clients are connected already", fix="close some", code="ENGINE_BUSY")
            await self._converse(reader, tell)
        except RealmError as error:
            tell({"type": "error", "error": error_message(error)})
        except (ConnectionError, TimeoutError):
            pass  # the client is gone, or never said a word: nothing is owed to it
        finally:
            self._clients.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, tell: Listener) -> None:
        greeted = reads_only = other_version = False
        name = "somebody"
        while True:
            line = await (_line(reader) if greeted else asyncio.wait_for(_line(reader), HELLO_S))
            if line is None:
                return
            message: dict[str, Any] = {}
            try:
                message = decode(line)
                if message["type"] == "hello":
                    greeted, reads_only = True, message.get("read_only") is True
                    name = "".join(filter(str.isprintable, str(message.get("client"))))[:40]
                    answer = self._hello(message)
                    other_version = not answer["ok"]
                    tell(answer)
                elif message["type"] != "command":
                    raise RealmError(
                        f"unknown message {message['type']!r}", fix="send hello or command", code="BAD_MESSAGE"
                    )
                elif not greeted:
                    raise RealmError("a client says hello first", fix="send hello", code="HELLO_FIRST")
                else:
                    command = command_from(message)
                    if reads_only:
                        raise BlockedError(
                            "this face only reads", fix="use the face that opened first", code="READ_ONLY"
                        )
                    if other_version and command.verb not in ANY_VERSION_VERBS:
                        raise _other_version(message)
                    self._take(command, tell)
                    self._log(f"{name} asks for {command.verb}")
            except RealmError as error:
                ident = message.get("id")
                if message.get("type") == "command" and isinstance(ident, str):
                    tell(refusal(ident, error))
                else:
                    tell({"type": "error", "error": error_message(error)})

    def _hello(self, message: dict[str, Any]) -> dict[str, Any]:
        same = (message.get("protocol"), message.get("schema")) == (PROTOCOL_VERSION, SCHEMA_VERSION)
        answer: dict[str, Any] = {
            "type": "hello",
            "ok": same,
            "protocol": PROTOCOL_VERSION,
            "schema": SCHEMA_VERSION,
            "save": self._folder.name,
            "keeper_pid": os.getpid(),
            **self._facts(),
        }
        if not same:
            answer["error"] = error_message(_other_version(message))
        return answer


async def _line(reader: asyncio.StreamReader) -> bytes | None:
    """The next line; None at the end. A line without an end in sight ends the conversation."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError as error:
        raise RealmError(
            f"a line is longer than {MAX_LINE_BYTES} bytes", fix="send less text", code="MESSAGE_TOO_LONG"
        ) from error


def _other_version(message: dict[str, Any]) -> BlockedError:
    return BlockedError(
        "the running engine is of another version than this face",
        why=f"the engine has protocol {PROTOCOL_VERSION} and schema {SCHEMA_VERSION}, "
        f"the face {message.get('protocol', '?')} and {message.get('schema', '?')}",
        fix="let it save and stop (`realm stop`), then start it again with this version",
        code="ENGINE_VERSION",
    )

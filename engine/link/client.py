"""The face's end of the command socket: finds the engine, says hello, sends commands, waits for their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder
from engine.link.endpoint import read_pointer
from engine.link.protocol import MAX_LINE_BYTES, Command, decode, encode, error_from
from engine.link.snapshot import PROTOCOL_VERSION
from engine.link.state import EngineState
from saves.locks import is_held
from saves.migrations import SCHEMA_VERSION

CONNECT_S = 5.0
"""How long an engine may take to say hello; it takes milliseconds."""

OnProgress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Hello:
    """Who answers at the other end."""

    save: str
    keeper_pid: int
    trainer_pid: int | None
    """None while the trainer is being started."""
    state: EngineState
    note: str | None
    """Why it is not training yet, in words."""
    protocol: int
    schema: int

    @property
    def same_version(self) -> bool:
        """Whether engine and face understand each other; if not, only saving, pausing and stopping work."""
        return (self.protocol, self.schema) == (PROTOCOL_VERSION, SCHEMA_VERSION)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a command."""

    ok: bool
    step: int | None
    """The optimizer step at which it took effect."""
    result: dict[str, Any]
    error: RealmError | None = None

    def value(self) -> dict[str, Any]:
        """The result; raises the error of a command that failed."""
        if self.error is not None:
            raise self.error
        return self.result


def engine_alive(folder: SaveFolder) -> bool:
    """Whether an engine (its keeper, or a trainer that still saves) has this save."""
    return is_held(folder.keeper_lock) or is_held(folder.trainer_lock)


class EngineClient:
    """A connection to a save's engine; made with `connect`.

    Attributes:
        hello: what the engine said when it was connected.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, read_only: bool) -> None:
        self.hello: Hello
        self._reader, self._writer, self._read_only = reader, writer, read_only
        self._waiting: dict[str, tuple[asyncio.Future[Reply], OnProgress | None]] = {}
        self._greetings: list[asyncio.Future[Hello]] = []
        self._gone: RealmError | None = None
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def connect(cls, folder: SaveFolder, *, name: str = "face", read_only: bool = False) -> EngineClient:
        """Attach to the engine of a save.

        Args:
            folder: the save.
            name: who is calling, for the engine's log.
            read_only: commands are refused, here and by the engine.

        Raises:
            BlockedError: no engine runs (``NO_ENGINE``).
            RealmError: it is starting or ending (``ENGINE_BUSY``), or it does not answer (``ENGINE_SILENT``).
        """
        path = read_pointer(folder)
        try:
            if path is None:
                raise ConnectionRefusedError("it announces no socket")
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_LINE_BYTES)
        except TimeoutError as error:
            raise _silent() from error
        except OSError as error:
            if is_held(folder.keeper_lock):
                raise RealmError(
                    f"the engine of {folder.name!r} is just starting or ending",
                    why=str(error),
                    fix="try again in a moment",
                    code="ENGINE_BUSY",
                ) from error
            raise BlockedError(
                f"no engine runs for the save {folder.name!r}", fix="start it: `realm play`", code="NO_ENGINE"
            ) from error
        client = cls(reader, writer, read_only=read_only)
        try:
            client.hello = await client.greet(name)
        except BaseException:
            await client.close()
            raise
        return client

    @property
    def connected(self) -> bool:
        """Whether the engine still listens."""
        return self._gone is None

    async def greet(self, name: str = "face") -> Hello:
        """Say hello (again) and hear the engine's present state."""
        greeting: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._greetings.append(greeting)
        self._write(
            {
                "type": "hello",
                "protocol": PROTOCOL_VERSION,
                "schema": SCHEMA_VERSION,
                "client": name,
                "read_only": self._read_only,
            }
        )
        try:
            async with asyncio.timeout(CONNECT_S):
                return await greeting
        except TimeoutError as error:
            raise _silent() from error

    async def send(self, command: Command, on_progress: OnProgress | None = None) -> Reply:
        """Send a command and wait until it took effect.

        Args:
            command: sent once; sending one with the same id again only asks for its answer.
            on_progress: called with every piece of progress.

        Raises:
            RealmError: the connection ended before the answer (``ENGINE_GONE``).
            BlockedError: this client only reads (``READ_ONLY``).
        """
        if self._read_only:
            raise BlockedError(
                "this face only reads: another one is open", fix="use that one, or close it", code="READ_ONLY"
            )
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[command.id] = (answer, on_progress)
        try:
            self._write(command.message())
            return await answer
        finally:
            self._waiting.pop(command.id, None)

    async def close(self) -> None:
        """Leave; the engine goes on."""
        self._listening.cancel()
        self._writer.close()
        await asyncio.gather(self._listening, self._writer.wait_closed(), return_exceptions=True)
        self._end(_gone())

    def _write(self, message: dict[str, Any]) -> None:
        if self._gone is not None:
            raise self._gone
        self._writer.write(encode(message))

    async def _listen(self) -> None:
        try:
            while True:
                self._hear(decode(await self._reader.readuntil(b"\n")))
        except RealmError as error:
            self._end(error)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            self._end(_gone())

    def _hear(self, message: dict[str, Any]) -> None:
        kind, ident = message["type"], str(message.get("id"))
        answer, on_progress = self._waiting.get(ident, (None, None))
        if kind == "hello":
            hello = _hello(message)
            for greeting in self._greetings:
                if not greeting.done():
                    greeting.set_result(hello)
            self._greetings.clear()
        elif kind == "progress" and on_progress is not None:
            on_progress(str(message.get("text", "")))
        elif kind == "done" and answer is not None and not answer.done():
            error = error_from(message.get("error")) if not message.get("ok") else None
            answer.set_result(Reply(error is None, message.get("step"), message.get("result") or {}, error))
        elif kind == "error":
            raise error_from(message.get("error"))

    def _end(self, error: RealmError) -> None:
        """Nothing more will be heard: everyone who waits is told why."""
        if self._gone is None:
            self._gone = error
        waiting: list[asyncio.Future[Any]] = [*self._greetings, *(answer for answer, _ in self._waiting.values())]
        for future in waiting:
            if not future.done():
                future.set_exception(self._gone)

    async def __aenter__(self) -> EngineClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def say_hello(folder: SaveFolder, *, name: str = "cli") -> Hello:
    """Who answers for a save, without asyncio; raises like `EngineClient.connect`."""

    async def run() -> Hello:
        async with await EngineClient.connect(folder, name=name) as client:
            return client.hello

    return asyncio.run(run())


def send_command(
    folder: SaveFolder,
    command: Command,
    *,
    timeout_s: float | None = None,
    on_progress: OnProgress | None = None,
    name: str = "cli",
) -> Reply:
    """Send one command and wait for its answer, without asyncio.

    Args:
        folder: the save.
        command: what to do.
        timeout_s: how long to wait; None: until it is answered.
        on_progress: called with every piece of progress.
        name: who is calling.

    Raises:
        RealmError: as `EngineClient.connect` and `EngineClient.send`; ``TIMED_OUT`` when no answer came in time.
    """

    async def run() -> Reply:
        async with await EngineClient.connect(folder, name=name) as client:
            try:
                async with asyncio.timeout(timeout_s):
                    return await client.send(command, on_progress)
            except TimeoutError as error:
                raise RealmError(
                    f"the engine has not answered `{command.verb}` within {timeout_s:g} s",
                    why="it accepted the command and still carries it out when it gets there",
                    fix="look at `realm status`",
                    code="TIMED_OUT",
                ) from error

    return asyncio.run(run())


def _hello(message: dict[str, Any]) -> Hello:
    try:
        return Hello(
            save=str(message["save"]),
            keeper_pid=int(message["keeper_pid"]),
            trainer_pid=message.get("trainer_pid"),
            state=EngineState(message["state"]),
            note=message.get("note"),
            protocol=int(message["protocol"]),
            schema=int(message["schema"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RealmError("the engine's hello does not make sense", why=repr(error), code="BAD_MESSAGE") from error


def _silent() -> RealmError:
    return RealmError(
        "the engine does not answer",
        why=f"its keeper said nothing for {CONNECT_S:g} s",
        fix="look at `realm log`; if it hangs, end its process and start again: nothing but the newest steps is lost",
        code="ENGINE_SILENT",
    )


def _gone() -> RealmError:
    return RealmError("the connection to the engine ended", fix="look at `realm status`", code="ENGINE_GONE")

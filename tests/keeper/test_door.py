"""The command socket as a stranger sees it: everything wrong gets an answer, and nobody can block anybody."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder
from engine.keeper import door as door_module
from engine.keeper.desk import Listener
from engine.keeper.door import Door
from engine.link.client import EngineClient
from engine.link.endpoint import read_pointer, socket_path
from engine.link.protocol import MAX_LINE_BYTES, Command, Verb
from engine.link.snapshot import PROTOCOL_VERSION
from engine.link.state import EngineState
from saves.locks import FileLock
from saves.migrations import SCHEMA_VERSION

WAIT_S = 30.0
HELLO = {"type": "hello", "protocol": PROTOCOL_VERSION, "schema": SCHEMA_VERSION, "client": "test"}


class House:
    """A door, and what came in through it."""

    def __init__(self, folder: SaveFolder) -> None:
        self.folder = folder
        self.taken: list[Command] = []
        self.log: list[str] = []
        self.answers = True
        self.door = Door(
            folder, self._take, lambda: {"state": "paused", "trainer_pid": 5, "note": "tea"}, self.log.append
        )

    def _take(self, command: Command, listener: Listener) -> None:
        if command.verb is Verb.PARK:
            raise BlockedError("no room", fix="wait", code="ENGINE_BUSY")
        self.taken.append(command)
        listener({"type": "accepted", "id": command.id})
        if self.answers:
            listener({"type": "done", "id": command.id, "ok": True, "step": 3, "result": command.args})


class Stranger:
    """A client that writes what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def enter(cls, house: House) -> Stranger:
        path = read_pointer(house.folder)
        assert path is not None
        return cls(*await asyncio.open_unix_connection(str(path), limit=2 * MAX_LINE_BYTES))

    async def say(self, *messages: dict[str, Any] | bytes) -> None:
        for message in messages:
            self.writer.write(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")
        await self.writer.drain()

    async def hear(self) -> dict[str, Any] | None:
        async with asyncio.timeout(WAIT_S):
            line = await self.reader.readline()
        found: dict[str, Any] | None = json.loads(line) if line else None
        return found

    async def hears_error(self) -> str:
        message = await self.hear()
        assert message is not None
        error = message["error"]
        assert error["what"]
        return str(error["code"])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[SaveFolder]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="rk-") as short:
        patch = pytest.MonkeyPatch()
        patch.setattr(tempfile, "tempdir", short)
        folder = SaveFolder(tmp_path / "hearth")
        folder.make()
        yield folder
        patch.undo()


@pytest.fixture
async def house(folder: SaveFolder) -> AsyncIterator[House]:
    house = House(folder)
    await house.door.open()
    yield house
    await house.door.close()


async def test_hello_tells_who_answers(house: House) -> None:
    stranger = await Stranger.enter(house)
    await stranger.say(HELLO)
    assert await stranger.hear() == {
        "type": "hello",
        "ok": True,
        "protocol": PROTOCOL_VERSION,
        "schema": SCHEMA_VERSION,
        "save": "hearth",
        "keeper_pid": os.getpid(),
        "state": "paused",
        "trainer_pid": 5,
        "note": "tea",
    }


async def test_a_command_before_hello_is_refused(house: House) -> None:
    stranger = await Stranger.enter(house)
    await stranger.say(Command(Verb.PAUSE).message())
    assert await stranger.hears_error() == "HELLO_FIRST"
    assert house.taken == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"\n", "BAD_MESSAGE"),
        (b"hello\n", "BAD_MESSAGE"),
        (b"\xff\xfe\x00\n", "BAD_MESSAGE"),
        (b"[]\n", "BAD_MESSAGE"),
        (b'"hello"\n', "BAD_MESSAGE"),
        (b'{"type": 7}\n', "BAD_MESSAGE"),
        (b'{"type": "dance"}\n', "BAD_MESSAGE"),
        (b'{"type": "command", "verb": "pause"}\n', "BAD_MESSAGE"),
        (b'{"type": "command", "verb": "pause", "id": "1"}\n', "BAD_MESSAGE"),
        (b'{"type": "command", "verb": "pause", "id": 12345678}\n', "BAD_MESSAGE"),
        (b'{"type": "command", "verb": "pause", "id": "12345678", "args": []}\n', "BAD_MESSAGE"),
        (b'{"type": "command", "verb": "fly", "id": "12345678"}\n', "UNKNOWN_VERB"),
        (b'{"type": "command", "verb": ["pause"], "id": "12345678"}\n', "UNKNOWN_VERB"),
        (b'{"type": "command", "verb": "park", "id": "12345678"}\n', "ENGINE_BUSY"),
        pytest.param(b"[" * 100_000 + b"\n", "BAD_MESSAGE", id="nested"),
        pytest.param(b"9" * 100_000 + b"\n", "BAD_MESSAGE", id="endless number"),
    ],
)
async def test_a_bad_line_gets_an_answer_and_the_next_line_counts(house: House, line: bytes, code: str) -> None:
    stranger = await Stranger.enter(house)
    command = Command(Verb.PAUSE)
    await stranger.say(HELLO, line, command.message())
    await stranger.hear()
    assert await stranger.hears_error() == code
    assert await stranger.hear() == {"type": "accepted", "id": command.id}
    assert house.taken == [command]


async def test_a_refused_command_is_answered_by_its_id(house: House) -> None:
    stranger = await Stranger.enter(house)
    await stranger.say(HELLO, {"type": "command", "verb": "fly", "id": "12345678"})
    await stranger.hear()
    answer = await stranger.hear()
    assert answer is not None
    assert (answer["type"], answer["id"], answer["ok"], answer["step"]) == ("done", "12345678", False, None)
    assert "pause" in answer["error"]["fix"]


async def test_a_line_that_is_too_long_ends_the_conversation_and_nobody_elses(house: House) -> None:
    stranger, other = await Stranger.enter(house), await Stranger.enter(house)
    writing = asyncio.create_task(stranger.say(HELLO, b"x" * (MAX_LINE_BYTES + 100)))
    await stranger.hear()
    assert await stranger.hears_error() == "MESSAGE_TOO_LONG"
    await asyncio.gather(writing, return_exceptions=True)
    await other.say(HELLO)
    assert (await other.hear() or {})["ok"]


async def test_a_long_line_within_the_limit_is_taken(house: House) -> None:
    stranger = await Stranger.enter(house)
    command = Command(Verb.ASK, {"prompt": "x" * 900_000})
    await stranger.say(HELLO, command.message())
    await stranger.hear()
    await stranger.hear()
    assert house.taken == [command]
    assert (await stranger.hear() or {})["result"] == command.args


async def test_the_log_names_who_asked_for_what_on_one_line(house: House) -> None:
    stranger = await Stranger.enter(house)
    await stranger.say({**HELLO, "client": "a\nface\x1b[31m" * 20}, Command(Verb.PAUSE).message())
    for _ in range(3):
        await stranger.hear()
    (line,) = house.log
    assert line.startswith("aface[31maface")
    assert line.endswith("asks for pause")
    assert line.isprintable()


async def test_half_a_line_and_a_goodbye_change_nothing(house: House) -> None:
    stranger, other = await Stranger.enter(house), await Stranger.enter(house)
    await stranger.say(HELLO, b'{"type": "command", "verb": "stop"')
    stranger.writer.close()
    await other.say(HELLO)
    assert (await other.hear() or {})["ok"]
    assert house.taken == []


async def test_who_says_nothing_is_sent_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "HELLO_S", 0.01)
    stranger = await Stranger.enter(house)
    assert await stranger.hear() is None


async def test_who_does_not_read_is_sent_away_and_the_others_are_served(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "MAX_UNREAD_BYTES", 100_000)
    stranger, other = await Stranger.enter(house), await Stranger.enter(house)
    await stranger.say(HELLO)
    asking = [Command(Verb.ASK, {"prompt": "x" * 100_000}).message() for _ in range(40)]
    flood = asyncio.create_task(stranger.say(*asking))
    await other.say(HELLO)
    assert (await other.hear() or {})["ok"]
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(flood, return_exceptions=True)
        while not any("does not read" in line for line in house.log):
            await asyncio.sleep(0.01)
    await other.say(Command(Verb.PAUSE).message())
    assert (await other.hear() or {})["type"] == "accepted"


async def test_there_is_room_for_so_many_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "MAX_CLIENTS", 2)
    guests = [await Stranger.enter(house) for _ in range(2)]
    for guest in guests:
        await guest.say(HELLO)
        await guest.hear()
    late = await Stranger.enter(house)
    assert await late.hears_error() == "ENGINE_BUSY"
    assert await late.hear() is None


async def test_a_face_of_another_version_may_save_and_stop_but_nothing_else(house: House) -> None:
    stranger = await Stranger.enter(house)
    await stranger.say({**HELLO, "schema": SCHEMA_VERSION + 1})
    hello = await stranger.hear()
    assert hello is not None
    assert (hello["ok"], hello["error"]["code"]) == (False, "ENGINE_VERSION")
    assert "realm stop" in hello["error"]["fix"]
    await stranger.say(Command(Verb.PROMOTE).message())
    assert await stranger.hears_error() == "ENGINE_VERSION"
    for verb in (Verb.CHECKPOINT, Verb.STOP):
        await stranger.say(Command(verb).message())
        assert (await stranger.hear() or {})["type"] == "accepted"
        await stranger.hear()
    assert [command.verb for command in house.taken] == [Verb.CHECKPOINT, Verb.STOP]


async def test_a_face_that_only_reads_is_refused_every_command(house: House) -> None:
    stranger = await Stranger.enter(house)
    await stranger.say({**HELLO, "read_only": True}, *(Command(verb).message() for verb in Verb))
    assert (await stranger.hear() or {})["ok"]
    assert {await stranger.hears_error() for _ in Verb} == {"READ_ONLY"}
    async with await EngineClient.connect(house.folder, read_only=True) as client:
        assert client.hello.state is EngineState.PAUSED
        with pytest.raises(BlockedError) as refused:
            await client.send(Command(Verb.STOP))
    assert refused.value.code == "READ_ONLY"
    assert house.taken == []


# ---------------------------------------------------------------- the socket itself


async def test_whatever_an_earlier_keeper_left_is_replaced(folder: SaveFolder) -> None:
    path = socket_path(folder)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    house = House(folder)
    await house.door.open()
    async with await EngineClient.connect(folder) as client:
        assert client.hello.save == "hearth"
    await house.door.close()
    assert not path.exists()
    assert read_pointer(folder) is None


@pytest.mark.parametrize("lost", ["socket", "pointer", "replaced"])
async def test_a_socket_that_was_taken_away_comes_back_and_clients_inside_stay(
    folder: SaveFolder, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "LOOK_S", 0.01)
    house = House(folder)
    await house.door.open()
    path = read_pointer(folder)
    assert path is not None
    async with await EngineClient.connect(folder) as inside:
        if lost == "pointer":
            folder.socket_pointer.unlink()
        else:
            path.unlink()
        if lost == "replaced":
            with socket.socket(socket.AF_UNIX) as foreign:
                foreign.bind(str(path))
        async with asyncio.timeout(WAIT_S):
            while not any("listening again" in line for line in house.log):
                await asyncio.sleep(0.01)
            while read_pointer(folder) is None:
                await asyncio.sleep(0.01)
            async with await EngineClient.connect(folder) as newcomer:
                assert newcomer.hello.keeper_pid == os.getpid()
            assert (await inside.send(Command(Verb.PAUSE))).step == 3
    await house.door.close()


# ---------------------------------------------------------------- the face's end


async def test_a_face_asks_several_things_at_once_and_hears_each_answer(house: House) -> None:
    async with await EngineClient.connect(house.folder) as client:
        replies = await asyncio.gather(*(client.send(Command(Verb.ASK, {"n": n})) for n in range(20)))
        assert [reply.result for reply in replies] == [{"n": n} for n in range(20)]
        assert (await client.greet()).note == "tea"


async def test_whoever_waits_for_an_engine_that_goes_is_told(house: House) -> None:
    house.answers = False
    async with await EngineClient.connect(house.folder) as client:
        waiting = asyncio.create_task(client.send(Command(Verb.EXAM)))
        async with asyncio.timeout(WAIT_S):
            while not house.taken:
                await asyncio.sleep(0.001)
        await house.door.close()
        with pytest.raises(RealmError) as told:
            await waiting
        assert told.value.code == "ENGINE_GONE"
        assert not client.connected
        with pytest.raises(RealmError) as late:
            await client.send(Command(Verb.PAUSE))
        assert late.value.code == "ENGINE_GONE"


async def test_no_engine_a_starting_one_and_a_silent_one_are_told_apart(
    folder: SaveFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def code() -> str:
        with pytest.raises(RealmError) as refused:
            await EngineClient.connect(folder)
        assert refused.value.fix
        return refused.value.code

    assert await code() == "NO_ENGINE"
    lock = FileLock(folder.keeper_lock)
    assert lock.acquire()
    assert await code() == "ENGINE_BUSY"
    lock.release()
    monkeypatch.setattr("engine.link.client.CONNECT_S", 0.05)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(socket_path(folder)))
        silent.listen()
        folder.socket_pointer.write_text(str(socket_path(folder)))
        assert await code() == "ENGINE_SILENT"


async def test_an_engine_that_talks_nonsense_is_an_error_not_a_crash(folder: SaveFolder) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"this is not JSON\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(babble, path=str(socket_path(folder)))
    folder.socket_pointer.write_text(str(socket_path(folder)))
    with pytest.raises(RealmError) as refused:
        await EngineClient.connect(folder)
    assert refused.value.code in ("BAD_MESSAGE", "ENGINE_GONE")
    server.close()

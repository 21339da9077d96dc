"""The trainer's end of the channel: commands come in order, answers go out, and nothing ever blocks a step."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from configs.errors import BlockedError
from engine.link.control import ControlChannel
from engine.link.protocol import MAX_LINE_BYTES, Command, Verb, encode
from engine.link.state import EngineState


class Ends:
    """A channel and the keeper's socket."""

    def __init__(self) -> None:
        self.keeper, trainer = socket.socketpair()
        self.keeper.settimeout(30)
        self.lines = self.keeper.makefile("rb")
        self.channel = ControlChannel(trainer.detach())

    def tell(self, *commands: Command) -> None:
        self.keeper.sendall(b"".join(encode(command.message()) for command in commands))

    def hear(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.lines.readline())
        return message

    def take(self, count: int) -> list[Command]:
        taken: list[Command] = []
        while len(taken) < count:
            self.channel.wait(30)
            assert not self.channel.lost
            taken += self.channel.drain()
        return taken

    def vanish(self) -> None:
        self.lines.close()
        self.keeper.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.channel.close(0)
    ends.vanish()


def test_commands_come_in_the_order_they_were_sent(ends: Ends) -> None:
    commands = [Command(verb, {"n": n}) for n, verb in enumerate(Verb)]
    ends.tell(*commands)
    assert ends.take(len(commands)) == commands
    assert ends.channel.drain() == []


def test_progress_answers_failures_and_states_reach_the_keeper(ends: Ends) -> None:
    ends.channel.report(EngineState.SAVING)
    ends.channel.progress("id-one-1", "saving")
    ends.channel.done("id-one-1", 7, {"name": "form"})
    ends.channel.done("id-two-2", None)
    ends.channel.failed("id-three", 8, BlockedError("full", why="w", fix="f", code="DISK_FULL"))
    assert [ends.hear() for _ in range(5)] == [
        {"type": "report", "state": "saving"},
        {"type": "progress", "id": "id-one-1", "text": "saving"},
        {"type": "done", "id": "id-one-1", "ok": True, "step": 7, "result": {"name": "form"}},
        {"type": "done", "id": "id-two-2", "ok": True, "step": None, "result": {}},
        {
            "type": "done",
            "id": "id-three",
            "ok": False,
            "step": 8,
            "error": {"code": "DISK_FULL", "what": "full", "why": "w", "fix": "f", "exit_code": 3},
        },
    ]


def test_the_same_id_is_handed_over_once_and_answered_again(ends: Ends) -> None:
    command = Command(Verb.PAUSE)
    ends.tell(command, command)
    assert ends.take(1) == [command]
    ends.channel.done(command.id, 3)
    first = ends.hear()
    ends.tell(command)
    assert ends.hear() == first
    assert ends.channel.drain() == []


def test_a_line_that_is_no_command_is_refused_or_ignored_and_the_next_one_counts(ends: Ends) -> None:
    good = Command(Verb.RESUME)
    ends.keeper.sendall(b"\xff\xfe\n[1]\n{}\n" + encode({"type": "command", "id": "12345678", "verb": "fly"}))
    ends.tell(good)
    assert ends.take(1) == [good]
    refused = ends.hear()
    assert (refused["id"], refused["ok"], refused["error"]["code"]) == ("12345678", False, "UNKNOWN_VERB")


def test_a_paused_trainer_wakes_for_a_command(ends: Ends) -> None:
    woken: list[list[Command]] = []

    def pause() -> None:
        ends.channel.wait(30)
        woken.append(ends.channel.drain())

    sleeper = threading.Thread(target=pause)
    sleeper.start()
    command = Command(Verb.RESUME)
    ends.tell(command)
    sleeper.join(30)
    assert woken == [[command]]


def test_a_keeper_that_vanishes_is_noticed_even_while_paused(ends: Ends) -> None:
    ends.vanish()
    ends.channel.wait(30)
    assert ends.channel.lost
    ends.channel.progress("12345678", "to nobody")
    ends.channel.done("12345678", 1)


def test_commands_that_came_before_the_end_are_still_handed_over(ends: Ends) -> None:
    command = Command(Verb.CHECKPOINT)
    ends.tell(command)
    ends.vanish()
    while not ends.channel.lost:
        ends.channel.wait(30)
    assert ends.channel.drain() == [command]


def test_an_endless_line_counts_as_a_lost_keeper(ends: Ends) -> None:
    threading.Thread(target=lambda: ends.keeper.sendall(b"x" * (MAX_LINE_BYTES + 2)), daemon=True).start()
    ends.channel.wait(30)
    assert ends.channel.lost


def test_a_keeper_that_does_not_read_never_holds_up_a_step_and_loses_no_answer(ends: Ends) -> None:
    text = "x" * 10_000
    for number in range(2000):
        ends.channel.progress("12345678", f"{number} {text}")
    ends.channel.done("12345678", 5)
    heard: list[dict[str, Any]] = []
    while not heard or heard[-1]["type"] != "done":
        heard.append(ends.hear())
    assert 1 < len(heard) < 2000
    assert heard[0]["text"].startswith("0 ")


def test_an_answer_that_is_too_long_becomes_one_that_says_so(ends: Ends) -> None:
    ends.channel.progress("12345678", "x" * (MAX_LINE_BYTES + 1))
    ends.channel.done("12345678", 5, {"text": "x" * (MAX_LINE_BYTES + 1)})
    assert ends.hear()["type"] == "progress"
    answer = ends.hear()
    assert (answer["ok"], answer["step"], answer["error"]["code"]) == (False, 5, "MESSAGE_TOO_LONG")


def test_the_last_answer_is_sent_before_the_trainer_leaves(ends: Ends) -> None:
    ends.channel.done("12345678", 9, {"text": "x" * 500_000})
    heard: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: heard.append(ends.hear()))
    reader.start()
    ends.channel.close(30)
    reader.join(30)
    assert heard[0]["step"] == 9
    assert ends.lines.readline() == b""
    assert not ends.channel.lost


def test_a_trainer_without_a_keeper_gets_no_commands_and_loses_nobody() -> None:
    channel = ControlChannel(None)
    channel.report(EngineState.TRAINING)
    channel.done("12345678", 1)
    channel.wait(0)
    assert channel.drain() == []
    assert not channel.lost
    channel.close()

"""Commands and their answers: each id is carried out once, and everyone who asked hears the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from configs.errors import BlockedError, RealmError
from engine.link.protocol import Command, error_message

Listener = Callable[[dict[str, Any]], None]
"""Takes one message for one client; never waits and never raises."""

REMEMBERED = 512
"""Answers kept for a command that is sent again."""
MAX_WAITING = 256
"""Commands that may wait for the trainer at once."""
MAX_TRIES = 2
"""Trainers a command is given to; one that ends two of them is not given to a third."""


@dataclass
class _Waiting:
    command: Command
    listeners: list[Listener] = field(default_factory=list)
    tries: int = 0
    held: dict[str, Any] | None = None


class Desk:
    """Takes commands in, hands them to a trainer, and gives the answers out. Knows no sockets."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._answers: dict[str, dict[str, Any]] = {}

    def take(self, command: Command, listener: Listener | None = None) -> bool:
        """Accept ``command``; True when it is new and now waits for the trainer, False when its id was seen before.

        Raises:
            BlockedError: too many commands wait already (``ENGINE_BUSY``).
        """
        waiting = self._waiting.get(command.id)
        answer = self._answers.get(command.id)
        if waiting is None and answer is None and len(self._waiting) >= MAX_WAITING:
            raise BlockedError(
                f"{MAX_WAITING} commands wait for the engine already", fix="wait for their answers", code="ENGINE_BUSY"
            )
        if listener is not None:
            listener({"type": "accepted", "id": command.id})
        if answer is not None:
            if listener is not None:
                listener(answer)
            return False
        new = waiting is None
        if waiting is None:
            waiting = self._waiting[command.id] = _Waiting(command)
        if listener is not None:
            waiting.listeners.append(listener)
        return new

    def unanswered(self) -> list[Command]:
        """The commands a trainer still has to answer, in the order they came."""
        return [waiting.command for waiting in self._waiting.values() if waiting.held is None]

    def waiting(self, ident: str) -> Command | None:
        """The command of this id, while it waits for its answer."""
        found = self._waiting.get(ident)
        return found.command if found is not None else None

    def given(self, ident: str) -> None:
        """The command was handed to a trainer."""
        if ident in self._waiting:
            self._waiting[ident].tries += 1

    def progress(self, message: dict[str, Any]) -> None:
        """Pass a trainer's word on a command to those who wait for it."""
        waiting = self._waiting.get(str(message.get("id")))
        for listener in waiting.listeners if waiting is not None else ():
            listener(message)

    def answer(self, message: dict[str, Any]) -> None:
        """Give out the answer to a command, and remember it."""
        ident = str(message.get("id"))
        waiting = self._waiting.pop(ident, None)
        if waiting is None:
            return
        self._answers[ident] = message
        while len(self._answers) > REMEMBERED:
            self._answers.pop(next(iter(self._answers)))
        for listener in waiting.listeners:
            listener(message)

    def hold(self, message: dict[str, Any]) -> None:
        """Keep an answer back until `close`: a stop is true only when the trainer has ended."""
        waiting = self._waiting.get(str(message.get("id")))
        if waiting is not None:
            waiting.held = message

    def release(self) -> None:
        """What was held back did not come true after all."""
        for waiting in self._waiting.values():
            waiting.held = None

    def trainer_ended(self) -> None:
        """Give up on commands that were given to several trainers, none of which lived to answer."""
        for waiting in list(self._waiting.values()):
            if waiting.tries >= MAX_TRIES and waiting.held is None:
                self.answer(
                    refusal(
                        waiting.command.id,
                        RealmError(
                            f"the engine ended {waiting.tries} times while it worked on `{waiting.command.verb}`",
                            fix="read `realm log`",
                            code="ENGINE_CRASHED",
                        ),
                    )
                )

    def close(self, error: RealmError) -> None:
        """The engine ends: give out what was held back, and refuse the rest with ``error``."""
        for ident, waiting in list(self._waiting.items()):
            self.answer(waiting.held or refusal(ident, error))


def refusal(ident: str, error: RealmError) -> dict[str, Any]:
    """The answer to a command that was not carried out."""
    return {"type": "done", "id": ident, "ok": False, "step": None, "error": error_message(error)}

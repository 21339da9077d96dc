"""The trainer's end of the channel to its keeper: commands come in, answers go out, and neither ever holds up a step.

Two daemon threads move lines over one inherited socket. The training loop drains commands at step boundaries. A keeper that
does not read can never block the trainer: what it is told waits in memory, and mere progress is dropped first.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from typing import Any

from configs.errors import RealmError
from engine.link.protocol import MAX_LINE_BYTES, Command, command_from, decode, encode, error_message
from engine.link.state import EngineState

_PATIENT_MESSAGES = 256
"""Messages waiting for the keeper from which progress is dropped; answers never are."""
_REMEMBERED = 512
"""Command ids whose answers are remembered, so that a command sent twice is applied once."""


class ControlChannel:
    """Commands from the keeper, in order.

    Args:
        fd: the inherited socket's descriptor, which the channel takes over; None for a trainer without a keeper, which
            gets no commands and can lose nobody.
    """

    def __init__(self, fd: int | None) -> None:
        self._socket = socket.socket(fileno=fd) if fd is not None else None
        self._changed = threading.Condition()
        self._commands: deque[Command] = deque()
        self._outgoing: deque[dict[str, Any]] = deque()
        self._answers: dict[str, dict[str, Any] | None] = {}
        self._lost = False
        self._nudged = False
        self._closed = False
        self._writing = False
        if self._socket is not None:
            self._socket.setblocking(True)
            threading.Thread(target=self._read, name="control-read", daemon=True).start()
            threading.Thread(target=self._write, name="control-write", daemon=True).start()

    @property
    def lost(self) -> bool:
        """True once the keeper is gone; the trainer then saves and stops."""
        return self._lost

    def drain(self) -> list[Command]:
        """Every command that arrived since the last call, oldest first; never waits."""
        with self._changed:
            commands = list(self._commands)
            self._commands.clear()
        return commands

    def wait(self, timeout: float) -> None:
        """Wait until a command is there, the keeper is lost, somebody nudged, or ``timeout`` seconds have passed."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._commands) or self._lost or self._nudged, timeout)
            self._nudged = False

    def nudge(self) -> None:
        """End the `wait` that is going on, or the next one: something else than a command wants the loop's attention."""
        with self._changed:
            self._nudged = True
            self._changed.notify_all()

    def report(self, state: EngineState) -> None:
        """Tell the keeper the engine's state, which it gives to everyone who says hello."""
        self._send({"type": "report", "state": str(state)})

    def progress(self, ident: str, text: str) -> None:
        """Say how far a command is, or hand over the next piece of an answer."""
        self._send({"type": "progress", "id": ident, "text": text})

    def done(self, ident: str, step: int | None, result: dict[str, Any] | None = None) -> None:
        """Answer a command that took effect at ``step``."""
        self._answer(ident, {"type": "done", "id": ident, "ok": True, "step": step, "result": result or {}})

    def failed(self, ident: str, step: int | None, error: RealmError) -> None:
        """Answer a command that could not be carried out."""
        self._answer(ident, {"type": "done", "id": ident, "ok": False, "step": step, "error": error_message(error)})

    def close(self, timeout: float = 2.0) -> None:
        """Send what still waits (for at most ``timeout`` seconds) and let go of the keeper."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._lost or not (self._outgoing or self._writing), timeout)
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # the other end is gone already
            finally:
                self._socket.close()

    def _answer(self, ident: str, message: dict[str, Any]) -> None:
        with self._changed:
            self._remember(ident, message)
        self._send(message)

    def _remember(self, ident: str, answer: dict[str, Any] | None) -> None:
        self._answers[ident] = answer
        while len(self._answers) > _REMEMBERED:
            self._answers.pop(next(iter(self._answers)))

    def _send(self, message: dict[str, Any]) -> None:
        with self._changed:
            if self._socket is None or self._lost:
                return
            if message["type"] == "progress" and len(self._outgoing) >= _PATIENT_MESSAGES:
                return
            self._outgoing.append(message)
            self._changed.notify_all()

    def _read(self) -> None:
        assert self._socket is not None
        try:
            with self._socket.makefile("rb") as lines:
                while line := lines.readline(MAX_LINE_BYTES + 1):
                    if len(line) > MAX_LINE_BYTES:
                        break  # no keeper of ours sends that; what follows cannot be told apart any more
                    self._take(line)
        except OSError:
            pass  # a broken channel is a lost keeper, said below
        finally:
            with self._changed:
                self._lost = not self._closed
                self._changed.notify_all()

    def _take(self, line: bytes) -> None:
        message: dict[str, Any] = {}
        try:
            message = decode(line)
            command = command_from(message)
        except RealmError as error:
            ident = message.get("id")
            if isinstance(ident, str):
                self.failed(ident, None, error)
            return
        with self._changed:
            if command.id not in self._answers:
                self._remember(command.id, None)
                self._commands.append(command)
                self._changed.notify_all()
                return
            answer = self._answers[command.id]
        if answer is not None:
            self._send(answer)

    def _write(self) -> None:
        assert self._socket is not None
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._outgoing) or self._lost or self._closed)
                if self._lost or not self._outgoing:
                    return
                message = self._outgoing.popleft()
                self._writing = True
            try:
                self._socket.sendall(_line(message))
            except OSError:
                with self._changed:
                    self._lost, self._writing = True, False
                    self._changed.notify_all()
                return


def _line(message: dict[str, Any]) -> bytes:
    """The wire form; an answer that is too long becomes one that says so."""
    try:
        return encode(message)
    except RealmError as error:
        if message["type"] != "done":
            return encode({"type": "progress", "id": message["id"], "text": "…"})
        return encode(
            {"type": "done", "id": message["id"], "ok": False, "step": message["step"], "error": error_message(error)}
        )

"""The command protocol: JSON lines over the keeper's unix socket.

A client says hello first and is told who answers. A command is accepted at once and answered again when it took effect::

    -> {"type": "hello", "protocol": 1, "schema": 1, "client": "cli"}
    <- {"type": "hello", "ok": true, "protocol": 1, "schema": 1, "save": "main", "keeper_pid": 7, "trainer_pid": 8, "state": "training"}
    -> {"type": "command", "id": "6f…", "verb": "pause", "args": {}}
    <- {"type": "accepted", "id": "6f…"}
    <- {"type": "progress", "id": "6f…", "text": "saving"}            (optional, any number)
    <- {"type": "done", "id": "6f…", "ok": true, "step": 1204, "result": {}}
    <- {"type": "done", "id": "6f…", "ok": false, "step": 1204, "error": {"code": "…", "what": "…", "why": "…", "fix": "…", "exit_code": 1}}
    <- {"type": "error", "error": {…}}                                 (about a line that is no command)

A client that says ``"read_only": true`` with its hello is refused every command.
A command id is a UUID chosen by the client; sending it twice applies it once and answers with the first result.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from configs.errors import BlockedError, RealmError, UsageError

MAX_LINE_BYTES = 1 << 20


class Verb(StrEnum):
    """Everything an engine can be told."""

    PAUSE = "pause"
    RESUME = "resume"
    PARK = "park"
    CHECKPOINT = "checkpoint"
    PROMOTE = "promote"
    SKIP = "skip"
    STOP = "stop"
    SET = "set"
    ASK = "ask"
    EXAM = "exam"
    FORGET = "forget"
    SPAR = "spar"
    DRILL = "drill"
    COURSE = "course"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Command:
    """One command on its way."""

    verb: Verb
    args: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def message(self) -> dict[str, Any]:
        """The wire form."""
        return {"type": "command", "id": self.id, "verb": str(self.verb), "args": self.args}


def encode(message: dict[str, Any]) -> bytes:
    """One JSON line; `RealmError` when it would exceed the limit of a line."""
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
    # Half a pair of surrogates has no UTF-8; written with a backslash it is the same character in JSON.
    line = text.encode("utf-8", "backslashreplace") + b"\n"
    if len(line) > MAX_LINE_BYTES:
        raise RealmError("a message is too long for the command socket", fix="send less text", code="MESSAGE_TOO_LONG")
    return line


def decode(line: bytes) -> dict[str, Any]:
    """The message in a line; `RealmError` for anything that is not one."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RealmError("a line on the command socket is not JSON", why=str(error), code="BAD_MESSAGE") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise RealmError("a line on the command socket is no message", code="BAD_MESSAGE")
    return message


def command_from(message: dict[str, Any]) -> Command:
    """The command in a message; `RealmError` names what is wrong with it."""
    try:
        verb = Verb(message.get("verb", ""))
    except ValueError as error:
        raise RealmError(
            f"unknown command {message.get('verb')!r}", fix=f"use one of {', '.join(Verb)}", code="UNKNOWN_VERB"
        ) from error
    args, ident = message.get("args", {}), message.get("id")
    if not isinstance(args, dict) or not isinstance(ident, str) or not 8 <= len(ident) <= 64:
        raise RealmError("a command needs `id` (a UUID) and `args` (an object)", code="BAD_MESSAGE")
    odd = next((value for value in _values([ident, args]) if not _keepable(value)), None)
    if odd is not None:
        raise UsageError(
            f"{str(odd)[:40]!r} cannot be an argument of {verb}",
            why="it is no number of 64 bits, or no text in UTF-8",
            fix="give finite numbers and plain text",
            code="BAD_ARGUMENT",
        )
    return Command(verb, args, ident)


def _values(of: Any) -> Iterator[Any]:
    """Every single value in a JSON value, keys among them."""
    waiting = [of]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value
        else:
            yield value


def _keepable(value: Any) -> bool:
    """Whether an engine can compute with a single value and write it into its save."""
    if isinstance(value, str):
        return not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def error_message(error: RealmError) -> dict[str, Any]:
    """The wire form of an error; it keeps the kind of error by the exit code it stands for."""
    return {**error.as_dict(), "exit_code": error.exit_code}


def error_from(message: Any) -> RealmError:
    """The error in an ``error`` field."""
    found = message if isinstance(message, dict) else {}
    kinds = {kind.exit_code: kind for kind in (RealmError, UsageError, BlockedError)}
    return kinds.get(found.get("exit_code", 1), RealmError)(
        str(found.get("what", "the engine refused without a reason")),
        why=str(found.get("why", "")),
        fix=str(found.get("fix", "")),
        code=str(found.get("code", "FAILED")),
    )

"""The door: one command per call, its request as JSON on stdin, its answer as one JSON line on stdout; ``serve`` answers many."""

from __future__ import annotations

import json
import os
import sys

from . import supervisor
from .place import RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SERVERS = {
    "start": supervisor.start,
    "find": supervisor.find,
    "renew": supervisor.renew,
    "stop": supervisor.stop,
    "list": supervisor.listed,
    "logs": supervisor.logs,
    "uses": supervisor.uses,
    "forget": supervisor.forget,
}


def main() -> int:
    """Carry out the command named by the first argument; 3: refused, with an ``error`` in the answer."""
    os.umask(0o077)
    command = sys.argv[1]
    if command == "serve":
        return _serve()
    if command == "push":
        answer = _tried(command, _push)
    else:
        answer = _tried(command, lambda: _answer(command, json.loads(sys.stdin.buffer.read() or b"{}")))
    if answer is not None:
        _say(answer)
    return 3 if answer is not None and "error" in answer else 0


def _serve() -> int:
    """Answer a line for each line until nobody asks any more."""
    for line in iter(sys.stdin.buffer.readline, b""):
        if not line.endswith(b"\n"):
            break
        _say(_asked(json.loads(line)))
    return 0


def _asked(asked: dict[str, Any]) -> dict[str, Any]:
    command, request = asked["command"], asked["request"]
    return _tried(command, lambda: _answer(command, request)) or {}


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _tried(command: str, do: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """What a command answers, or why it could not."""
    try:
        return do()
    except RefusedError as error:
        return {"error": error.facts}
    except OSError as error:
        code = "DISK_FULL_THERE" if error.errno in (28, 122) else "BOX_FAILED"
        return {"error": {"code": code, "what": f"{command}: {error}"}}
    except (ValueError, KeyError, TypeError) as error:
        return {"error": {"code": "BOX_FAILED", "what": f"{command}: {type(error).__name__}: {error}"}}


def _push() -> None:
    from .arrival import push

    push(sys.stdin.buffer, sys.stdout.buffer)


def _answer(command: str, request: dict[str, Any]) -> dict[str, Any]:
    if command in _SERVERS:
        return _SERVERS[command](request)
    if command == "probe":
        from .probe import probe

        return probe(request)
    from . import store

    found = {
        "forms": store.forms,
        "whole": store.whole,
        "verify": store.verify,
        "clean": store.clean,
        "drop": store.drop,
    }
    return found[command](request)

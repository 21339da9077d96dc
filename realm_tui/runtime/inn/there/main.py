"""The door: one command per call, its request as JSON on stdin, its answer as one JSON line on stdout."""

from __future__ import annotations

import json
import os
import sys

from . import supervisor
from .place import RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    try:
        answer = _answer(command)
    except RefusedError as error:
        answer = {"error": error.facts}
    except OSError as error:
        code = "DISK_FULL_THERE" if error.errno in (28, 122) else "BOX_FAILED"
        answer = {"error": {"code": code, "what": f"{command}: {error}"}}
    except (ValueError, KeyError, TypeError) as error:
        answer = {"error": {"code": "BOX_FAILED", "what": f"{command}: {type(error).__name__}: {error}"}}
    if answer is not None:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 3 if answer is not None and "error" in answer else 0


def _answer(command: str) -> dict[str, Any] | None:
    if command == "push":
        from .arrival import push

        push(sys.stdin.buffer, sys.stdout.buffer)
        return None
    request = json.loads(sys.stdin.buffer.read() or b"{}")
    if command in _SERVERS:
        return _SERVERS[command](request)
    if command == "probe":
        from .probe import probe

        return probe(request)
    from . import store

    return {"forms": store.forms, "verify": store.verify, "clean": store.clean, "drop": store.drop}[command](request)

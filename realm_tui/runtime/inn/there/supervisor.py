"""Keeps a server running without anybody logged in, and ends it when nobody asks for it any more.

A server is a name with a folder ``run/<name>``: ``state.json`` (who it is), ``lease`` (touched by whoever wants it to go on),
``uses`` (forms it needs in the store). The lease is measured on this machine from the moment its stamp changes, so neither a wrong clock
nor a changed one ends a server.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time

from . import processes
from .place import NAME, Place, RefusedError, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST_READ = 4 << 20


def start(request: dict[str, Any]) -> dict[str, Any]:
    """Start a server, or answer with the one of that name that runs already."""
    from .watch import become_supervisor

    place = Place(request["root"], request["name"])
    place.make()
    with place.locked():
        found = place.running()
        if found is not None:
            return {"running": found, "adopted": True}
        before = place.state()
        processes.end(place.folder, _group_of(before), float(request["grace_s"]))
        replace(place.path("lease"), str(float(request["lease_s"])))
        replace(place.path("uses"), "".join(f"{digest}\n" for digest in request.get("uses", ())))
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            become_supervisor(place, request, reader, writer)
        os.close(writer)
        os.waitpid(pid, 0)
        with os.fdopen(reader, "rb") as file:
            answer = json.loads(file.read() or b"null")
    if answer is None:
        raise RefusedError("START_FAILED", f"{place.name} could not be started", why="its supervisor ended at once")
    if "error" in answer:
        raise RefusedError("START_FAILED", f"{place.name} could not be started", why=answer["error"])
    return {"running": answer, "adopted": False}


def find(request: dict[str, Any]) -> dict[str, Any]:
    """The server of a name if it runs, and how it ended if it does not."""
    place = Place(request["root"], request["name"])
    running = place.running()
    return {"running": running, "ended": None if running else _ended(place)}


def renew(request: dict[str, Any]) -> dict[str, Any]:
    """Let servers go on for another lease; None for each that does not run."""
    answer: dict[str, Any] = {}
    for name in request["names"]:
        place = Place(request["root"], name)
        found = place.running()
        if found is not None:
            lease_s = request.get("lease_s") or found["lease_s"]
            replace(place.path("lease"), str(float(lease_s)))
        answer[name] = found
    return {"running": answer}


def stop(request: dict[str, Any]) -> dict[str, Any]:
    """End a server and everything it started."""
    place = Place(request["root"], request["name"])
    if not os.path.isdir(place.folder):
        return {"stopped": False}
    grace_s = float(request["grace_s"])
    with place.locked():
        found = place.state()
        was = place.running() is not None
        if found is not None and processes.lives(found["supervisor"], found["boot_id"]):
            os.kill(found["supervisor"]["pid"], signal.SIGTERM)
            until = time.monotonic() + grace_s + 7
            while processes.lives(found["supervisor"], found["boot_id"]) and time.monotonic() < until:
                time.sleep(0.02)
        left = processes.end(place.folder, _group_of(found), grace_s)
        found = place.state()
        if found is not None and found.get("ended") is None:
            place.write({**found, "ended": {"why": "stopped", "code": None, "at": time.time()}})
    return {"stopped": was or left > 0}


def listed(request: dict[str, Any]) -> dict[str, Any]:
    """Every server of this box, of any realm: name to its state, running or ended."""
    folder = os.path.join(request["root"], "run")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    answer = {}
    for name in names:
        if NAME.fullmatch(name):
            place = Place(request["root"], name)
            answer[name] = {"running": place.running(), "ended": _ended(place)}
    return {"servers": answer}


def logs(request: dict[str, Any]) -> dict[str, Any]:
    """The last lines of a server's log."""
    place = Place(request["root"], request["name"])
    kept: list[str] = []
    for path in (place.log, f"{place.log}.1"):
        lines = _tail(path)
        kept = lines + kept
        if len(kept) >= request["lines"]:
            break
    return {"lines": kept[-request["lines"] :] if request["lines"] else []}


def uses(request: dict[str, Any]) -> dict[str, Any]:
    """Write down which forms of the store a server needs; they stay while it runs."""
    place = Place(request["root"], request["name"])
    place.make()
    replace(place.path("uses"), "".join(f"{digest}\n" for digest in request["digests"]))
    return {"uses": list(request["digests"])}


def forget(request: dict[str, Any]) -> dict[str, Any]:
    """Remove the folder and the log of a server that does not run."""
    place = Place(request["root"], request["name"])
    if place.running() is not None:
        raise RefusedError("SERVER_RUNS", f"{place.name} runs")
    import shutil

    shutil.rmtree(place.folder, ignore_errors=True)
    for path in (place.log, f"{place.log}.1"):
        with contextlib.suppress(OSError):
            os.unlink(path)
    return {"forgotten": True}


def in_use(root: str) -> set[str]:
    """Forms that a running server of any realm needs."""
    found: set[str] = set()
    folder = os.path.join(root, "run")
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if NAME.fullmatch(name) and Place(root, name).running() is not None:
            with contextlib.suppress(OSError), open(os.path.join(folder, name, "uses"), encoding="utf-8") as file:
                found.update(file.read().split())
    return found


def _ended(place: Place) -> dict[str, Any] | None:
    """How the last server of a name ended; worked out where its supervisor could not write it down."""
    found = place.state()
    if found is None:
        return None
    if found.get("ended") is not None:
        return dict(found["ended"])
    if found["boot_id"] != processes.boot_id():
        return {"why": "rebooted", "code": None, "at": None}
    return None if place.running() else {"why": "killed", "code": None, "at": None}


def _group_of(state: dict[str, Any] | None) -> int | None:
    """The process group that may still hold members of a server that was written down in this boot."""
    if state is None or state["boot_id"] != processes.boot_id():
        return None
    pid = int(state["child"]["pid"])
    return pid if processes.ticks(pid) in (None, state["child"]["ticks"]) else None


def _tail(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _MOST_READ))
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []

"""The supervisor itself: a process that left the login behind, holds a server, and ends it when nobody asks for it any more."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time

from . import processes
from .place import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from typing import Any

_LOG_KEPT = 1 << 20


def become_supervisor(place: Place, request: dict[str, Any], reader: int, writer: int) -> None:
    """In the forked process: leave the login behind, start the server, stay with it, end. Never returns."""
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.chdir(place.folder)
        null = os.open(os.devnull, os.O_RDONLY)
        log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        kept = os.dup(writer) if writer < 3 else writer
        for fd in range(3, 256):
            if fd != kept:
                with contextlib.suppress(OSError):
                    os.close(fd)
        _supervise(place, request, kept)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(writer, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        sys.stderr.write(f"supervisor: {type(error).__name__}: {error}\n")
    finally:
        os._exit(0)


def _supervise(place: Place, request: dict[str, Any], writer: int) -> None:
    import subprocess

    asked: list[int] = []
    wake_out, wake_in = os.pipe()
    for fd in (wake_out, wake_in):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    socket = place.socket()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(socket)
    argv = [part.replace("{socket}", socket).replace("{run}", place.folder) for part in request["argv"]]
    child = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        cwd=request.get("cwd") or place.folder,
        env={**os.environ, **request.get("env", {}), processes.MARK: place.folder},
        start_new_session=True,
        preexec_fn=_dying_with(os.getpid()),
    )
    state = {
        "version": 1,
        "name": place.name,
        "child": processes.identity(child.pid),
        "supervisor": processes.identity(os.getpid()),
        "boot_id": processes.boot_id(),
        "since": time.time(),
        "socket": socket,
        "log": place.log,
        "lease_s": float(request["lease_s"]),
        "command": argv[0],
        "ended": None,
    }
    place.write(state)
    os.write(writer, json.dumps(state).encode())
    os.close(writer)
    why = _watch(place, child, asked, wake_out, int(request["log_bytes"]))
    processes.end(place.folder, child.pid, float(request["grace_s"]))
    code = child.wait()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(socket)
    if os.path.isdir(place.folder):
        place.write({**state, "ended": {"why": why, "code": code, "at": time.time()}})


def _watch(place: Place, child: subprocess.Popen[bytes], asked: list[int], wake: int, log_bytes: int) -> str:
    """Stay until the server ended, somebody wants its end, or its lease ran out; returns which."""
    lease = place.path("lease")
    seen, lease_s = _lease(lease)
    until = time.monotonic() + lease_s
    while True:
        left = until - time.monotonic()
        ready, _, _ = select.select([wake], [], [], max(0.0, min(1.0, left)))
        if ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 512)
        if child.poll() is not None:
            return "ended"
        if asked:
            return "stopped"
        now, lease_s = _lease(lease)
        if now is None:
            return "removed"
        if now != seen:
            seen, until = now, time.monotonic() + lease_s
        elif time.monotonic() >= until:
            return "lease"
        _bounded(place.log, log_bytes)


def _lease(path: str) -> tuple[tuple[int, int] | None, float]:
    """The stamp of a lease file, which changes with each renewal, and its seconds."""
    try:
        with open(path, encoding="ascii") as file:
            status = os.fstat(file.fileno())
            return (status.st_ino, status.st_mtime_ns), float(file.read())
    except FileNotFoundError:
        return None, 0.0
    except ValueError:
        return (0, 0), 600.0


def _bounded(path: str, most: int) -> None:
    """Keep the end of a log that grew too large beside it and begin anew; its writers append, so nothing is torn."""
    try:
        if os.path.getsize(path) <= most:
            return
        with open(path, "rb") as file:
            file.seek(-min(_LOG_KEPT, most), 2)
            end = file.read()
        with open(f"{path}.1", "wb") as kept:
            kept.write(end)
        os.truncate(path, 0)
    except OSError:
        return


def _dying_with(parent: int) -> Callable[[], None] | None:
    """What a server does before it begins, so that it ends when its supervisor is killed (Linux; elsewhere the next start sweeps)."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    set_parent_death_signal = 1

    def begin() -> None:
        libc.prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return begin

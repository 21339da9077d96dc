"""Keeps a server running without anybody logged in, and ends it when nobody asks for it any more.

A server is a name with a folder ``run/<name>``: ``state.json`` (who it is), ``lease`` (touched by whoever wants it to go on),
``uses`` (forms it needs in the store). The lease is measured on this machine from the moment its stamp changes, so neither a wrong clock
nor a changed one ends a server.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import select
import signal
import stat
import sys
import time

from . import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from typing import Any

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_MOST_SOCKET_BYTES = 103
"""The shortest limit of a socket's path on the supported systems."""
_LOCK_WAIT_S = 15.0
_LOG_KEPT = 1 << 20
_MOST_READ = 4 << 20


class RefusedError(Exception):
    """A request that cannot be granted; becomes an error over there."""

    def __init__(self, code: str, what: str, **more: Any) -> None:
        super().__init__(what)
        self.facts = {"code": code, "what": what, **more}


class Place:
    """The folder of one server below the Inn's folder of this box."""

    def __init__(self, root: str, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise RefusedError("BAD_NAME", f"{name!r} is no name for a server")
        self.root, self.name = os.path.abspath(root), name
        self.folder = os.path.join(self.root, "run", name)
        self.log = os.path.join(self.root, "logs", f"{name}.log")

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def make(self) -> None:
        """The folders, private to the user."""
        for folder in (os.path.join(self.root, "run"), self.folder, os.path.dirname(self.log)):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        os.chmod(os.path.join(self.root, "run"), 0o700)
        os.chmod(self.folder, 0o700)

    def socket(self) -> str:
        """Where the server's unix socket lies: here, or in a short private folder where this path is too long for one."""
        path = self.path("s")
        if len(os.fsencode(path)) <= _MOST_SOCKET_BYTES:
            return path
        import hashlib
        import tempfile

        for parent in (tempfile.gettempdir(), "/tmp"):
            folder = os.path.join(parent, f"realm-{os.geteuid()}")
            path = os.path.join(folder, hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16])
            if len(os.fsencode(path)) <= _MOST_SOCKET_BYTES:
                break
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        status = os.lstat(folder)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise RefusedError("SOCKET_FOLDER", f"{folder} belongs to somebody else")
        os.chmod(folder, 0o700)
        return path

    def state(self) -> dict[str, Any] | None:
        """What was written down last; None: nothing readable."""
        try:
            with open(self.path("state.json"), encoding="utf-8") as file:
                found = json.load(file)
            return found if isinstance(found, dict) else None
        except (OSError, ValueError):
            return None

    def write(self, state: dict[str, Any]) -> None:
        """Replace the state whole."""
        replace(self.path("state.json"), json.dumps(state))

    def running(self) -> dict[str, Any] | None:
        """The state, if its server and its supervisor are those very processes and live."""
        found = self.state()
        if found is None or found.get("ended") is not None:
            return None
        alive = processes.lives(found["child"], found["boot_id"]) and processes.lives(
            found["supervisor"], found["boot_id"]
        )
        return found if alive else None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One start or stop of this server at a time."""
        fd = os.open(self.path("lock"), os.O_RDWR | os.O_CREAT, 0o600)
        until = time.monotonic() + _LOCK_WAIT_S
        try:
            while True:
                try:
                    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if time.monotonic() > until:
                        raise RefusedError(
                            "SERVER_BUSY", f"{self.name} is being started or stopped by somebody else"
                        ) from None
                    time.sleep(0.05)
            yield
        finally:
            os.close(fd)


def replace(path: str, text: str) -> None:
    """Write a file whole or not at all."""
    beside = f"{path}.{os.getpid()}"
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(beside, path)


# ---------------------------------------------------------------- requests


def start(request: dict[str, Any]) -> dict[str, Any]:
    """Start a server, or answer with the one of that name that runs already."""
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
            _become_supervisor(place, request, reader, writer)
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
        if _NAME.fullmatch(name):
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
        if _NAME.fullmatch(name) and Place(root, name).running() is not None:
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


# ---------------------------------------------------------------- the supervisor itself


def _become_supervisor(place: Place, request: dict[str, Any], reader: int, writer: int) -> None:
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

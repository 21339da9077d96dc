"""Locks that die with their process: `fcntl.lockf` on files in the save's ``run/`` folder.

POSIX record locks are not inherited by a forked child, so the lock of a killed trainer is free at once even while a worker it
forked lives on. Their trap: closing *any* descriptor of the file in the owning process drops the lock. So only this module
opens lock files, and it never opens one that this process holds.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from configs.errors import RealmError

_HELD: dict[str, tuple[int, int]] = {}
"""Path to (pid, descriptor) of the locks this process holds; entries of a parent are worthless after a fork."""

_FLOCK = {"linux": ("hhqqi4x", 0), "darwin": ("qqihh", 3)}
"""Layout of ``struct flock`` and the place of ``l_type`` in it."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock. A pid alone is recycled; with start ticks and boot id it is one process."""

    pid: int
    start_ticks: int | None
    """Start of the process in clock ticks since boot (Linux), else in seconds since the epoch."""
    boot_id: str


def boot_id() -> str:
    """An id that changes with every boot."""
    path = Path("/proc/sys/kernel/random/boot_id")
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        import psutil

        return str(int(psutil.boot_time()))


def start_ticks(pid: int) -> int | None:
    """When the process started (see `Holder`); None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(stat.rpartition(")")[2].split()[19])
    except OSError:
        import psutil

        return int(psutil.Process(pid).create_time()) if psutil.pid_exists(pid) else None


def _own(path: Path) -> int | None:
    """The descriptor under which this very process holds the lock."""
    entry = _HELD.get(os.path.realpath(path))
    return entry[1] if entry is not None and entry[0] == os.getpid() else None


class FileLock:
    """An exclusive lock on a file, held by this process until released or dead.

    Args:
        path: the lock file; made when missing, never removed (removing it would split the lock in two).
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def held(self) -> bool:
        """Whether this process holds the lock."""
        return _own(self.path) is not None

    def acquire(self) -> bool:
        """Take the lock without waiting; False when anybody holds it, this process included."""
        if self.held:
            return False
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise RealmError(
                f"cannot lock {self.path}",
                why=str(error.strerror),
                fix="keep the save on a local disk (REALM_HOME moves everything)",
                code="LOCK_UNSUPPORTED",
            ) from error
        pid = os.getpid()
        text = json.dumps({"pid": pid, "start_ticks": start_ticks(pid), "boot_id": boot_id()}).encode()
        os.ftruncate(fd, 0)
        os.pwrite(fd, text, 0)
        _HELD[os.path.realpath(self.path)] = (pid, fd)
        return True

    def release(self) -> None:
        """Let go; nothing happens when this process does not hold it."""
        fd = _own(self.path)
        if fd is None:
            return
        del _HELD[os.path.realpath(self.path)]
        os.ftruncate(fd, 0)
        os.close(fd)


def is_held(path: Path) -> bool:
    """Whether any living process, this one included, holds the lock.

    The question is asked with ``F_GETLK``, which never takes the lock, so that a look cannot make an owner's attempt fail.
    """
    if _own(path) is not None:
        return True
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        layout, place = _FLOCK["darwin" if sys.platform == "darwin" else "linux"]
        blank = [0, 0, 0, 0, 0]
        blank[place] = fcntl.F_WRLCK
        answer = struct.unpack(layout, fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack(layout, *blank)))
        return bool(answer[place] != fcntl.F_UNLCK)
    finally:
        os.close(fd)


def holder(path: Path) -> Holder | None:
    """Who holds the lock; None when nobody does, or the owner has not signed yet."""
    fd = _own(path)
    if fd is not None:
        raw = os.pread(fd, 4096, 0)
    elif is_held(path):
        raw = path.read_bytes()
    else:
        return None
    try:
        data = json.loads(raw)
        return Holder(int(data["pid"]), data["start_ticks"], str(data["boot_id"]))
    except (ValueError, KeyError, TypeError):
        return None

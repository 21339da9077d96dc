"""The folder of one server: who it is, how long it may go on, what it needs, and the lock under which it is started and stopped."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
import time

from . import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_MOST_SOCKET_BYTES = 103
"""The shortest limit of a socket's path on the supported systems."""
_LOCK_WAIT_S = 15.0


class RefusedError(Exception):
    """A request that cannot be granted; becomes an error over there."""

    def __init__(self, code: str, what: str, **more: Any) -> None:
        super().__init__(what)
        self.facts = {"code": code, "what": what, **more}


class Place:
    """The folder of one server below the Inn's folder of this box."""

    def __init__(self, root: str, name: str) -> None:
        if not NAME.fullmatch(name):
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

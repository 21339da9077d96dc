"""The engine's log files: appended to by whoever runs, started anew when they grow beyond their size."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

TAIL_BYTES = 16384


def rotate(path: Path, limit_bytes: float) -> None:
    """Move a log that is beyond ``limit_bytes`` to ``<name>.1`` and empty it.

    The file itself stays, so that a process that appends to it goes on writing at its new end. Where there is no room for the
    old lines they are given up, and a log that cannot be touched at all stays as it is: neither may end a keeper.
    """
    if size(path) <= limit_bytes:
        return
    old = path.with_name(f"{path.name}.1")
    try:
        shutil.copyfile(path, old)
    except OSError:
        with suppress(OSError):
            old.unlink(missing_ok=True)
    with suppress(OSError):
        os.truncate(path, 0)


def size(path: Path) -> int:
    """Bytes in the log now; 0 when there is none to look at."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def tail(path: Path, since: int = 0) -> str:
    """The last lines written after byte ``since`` (from the beginning when the log was started anew meanwhile)."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(since if since <= end else 0, end - TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""

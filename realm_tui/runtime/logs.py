"""Reads the logs of the engine's processes from their end, and follows them over a change of file."""

from __future__ import annotations

from pathlib import Path

from configs.errors import UsageError
from configs.paths import SaveFolder
from realm_tui.runtime.foreign import clean

LOGS = ("keeper", "trainer", "once", "jobs")
_BLOCK = 65_536
_MOST_BYTES = 8 << 20
"""Most bytes read back from the end of a log."""


def named_logs(folder: SaveFolder, which: str) -> list[Path]:
    """The log files meant by ``keeper``, ``trainer``, ``once``, ``jobs`` or ``all`` (those that exist)."""
    if which not in (*LOGS, "all"):
        raise UsageError(f"no log is called {which!r}", fix=f"choose {', '.join(LOGS)} or all", code="UNKNOWN_LOG")
    names = LOGS if which == "all" else (which,)
    paths = [folder.logs / f"{name}.log" for name in names]
    return [p for p in paths if p.is_file() or which != "all"]


class LogTail:
    """The end of one log file; lines come without control characters."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.stem
        self._at = 0
        self._inode: int | None = None
        self._rest = b""

    def last(self, count: int) -> list[str]:
        """The newest ``count`` whole lines; `more` goes on after them."""
        try:
            with self.path.open("rb") as file:
                self._at = file.seek(0, 2)
                self._inode = self.path.stat().st_ino
                start, found = self._at, b""
                while start > 0 and found.count(b"\n") <= count and len(found) < _MOST_BYTES:
                    step = min(_BLOCK, start)
                    start -= step
                    file.seek(start)
                    found = file.read(step) + found
        except FileNotFoundError:
            return []
        lines = found.split(b"\n")
        self._rest = lines.pop()
        return [_text(part) for part in lines[-count:]]

    def more(self) -> list[str]:
        """Whole lines written since the last look; a log that began anew is read from its start."""
        try:
            status = self.path.stat()
            if status.st_ino != self._inode or status.st_size < self._at:
                self._at, self._inode, self._rest = 0, status.st_ino, b""
            with self.path.open("rb") as file:
                file.seek(self._at)
                found = file.read(_MOST_BYTES)
        except FileNotFoundError:
            return []
        self._at += len(found)
        lines = (self._rest + found).split(b"\n")
        self._rest = lines.pop()
        return [_text(part) for part in lines]


def _text(line: bytes) -> str:
    return clean(line.decode("utf-8", "replace").rstrip("\r"))

"""What went wrong while jobs were done or house was kept, in words and in the save's log."""

from __future__ import annotations

from contextlib import suppress

from configs import clock
from configs.paths import SaveFolder


def log_trouble(folder: SaveFolder, text: str) -> None:
    """Write a line, with the time, into ``logs/jobs.log`` of a save."""
    with suppress(OSError):  # a disk that cannot be written is told by the save's other writers
        folder.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder.logs / "jobs.log").open("a", encoding="utf-8") as file:
            file.write(f"{clock.utc(clock.now()).isoformat()} {text}\n")


def own_fault(error: BaseException) -> str:
    """What is said of an error that is nobody's but the program's."""
    return f"the program met a fault of its own: {type(error).__name__}: {error}"

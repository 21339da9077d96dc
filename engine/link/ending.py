"""How a trainer ends: the exit codes it uses, and what its keeper makes of them.

The trainer says by its exit code what stopped it. A death it could not announce is read from the signal and from the last
lines of its log.
"""

from __future__ import annotations

import errno
import re
import signal
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from configs.errors import WAY_OUT, BlockedError, RealmError, UsageError


class ExitCode(IntEnum):
    """The trainer's exit codes. Anything else is a death it did not announce."""

    STOPPED = 0
    OOM = 10
    NAN = 11
    CUDA = 12
    DISK = 13
    DATA = 14
    CONFIG = 15
    REFUSED = 16


class Crash(StrEnum):
    """Why a trainer ended; ``stopped`` is the only polite end."""

    STOPPED = "stopped"
    OOM = "oom"
    NAN = "nan"
    CUDA = "cuda"
    DISK = "disk"
    DATA = "data"
    CONFIG = "config"
    REFUSED = "refused"
    """Something it needs is missing or broken, and stays so until the player mends it."""
    KILLED = "killed"
    UNKNOWN = "unknown"


_BY_CODE = {int(code): Crash(code.name.lower()) for code in ExitCode}

_BY_LOG: tuple[tuple[Crash, re.Pattern[str]], ...] = (
    (Crash.OOM, re.compile(r"out of memory|cannot allocate memory|MemoryError|DefaultCPUAllocator", re.IGNORECASE)),
    (
        Crash.CUDA,
        re.compile(r"CUDA (?:driver )?error|cuDNN error|CUBLAS_STATUS|NCCL error|device-side assert", re.IGNORECASE),
    ),
    (
        Crash.DISK,
        re.compile(
            r"No space left on device|Disk quota exceeded|database or disk is full|disk I/O error|readonly database|"
            r"Read-only file system|Input/output error",
            re.IGNORECASE,
        ),
    ),
    (Crash.NAN, re.compile(r"non-finite|(?:loss|gradient)\S* (?:is|became) nan", re.IGNORECASE)),
)

LAST_WORDS = 200
"""Most characters told of the last line of a trainer that failed for a reason of its own."""

_TOLD = (Crash.UNKNOWN, Crash.CONFIG, Crash.REFUSED)
"""Ends whose reason is in the last line of the trainer's log."""
_PASSES = frozenset({"SAVE_BUSY"})
"""Codes of errors that may be gone at the next start."""

_DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO})

_WORDS: dict[Crash, tuple[str, str]] = {
    Crash.STOPPED: ("it stopped when it was told to", ""),
    Crash.OOM: ("it ran out of memory", "close other programs, or use a smaller batch (`realm config explain`)"),
    Crash.NAN: (
        "loss or gradient stayed not finite",
        "go back to an older checkpoint (`realm ledger summon NAME`), or lower the rate (`realm set --rate`)",
    ),
    Crash.CUDA: (
        "the graphics card or its driver failed",
        "look at `nvidia-smi`; `engine.device: cpu` trains without it",
    ),
    Crash.DISK: ("the disk is full or cannot be written", "free some disk space"),
    Crash.DATA: ("a quest could not be read", "check it with `realm quest check`, or skip it"),
    Crash.CONFIG: ("the configuration cannot work", "mend it: `realm config check`"),
    Crash.REFUSED: ("it cannot begin", "read `realm log`, mend what it names"),
    Crash.KILLED: ("the system or somebody killed it", "look at the system's log; memory may have run out"),
    Crash.UNKNOWN: ("it ended in a way that is not known", "read `realm log`, and report it if it comes again"),
}


@dataclass(frozen=True, slots=True)
class Ending:
    """One end of a trainer, understood."""

    crash: Crash
    exit_code: int | None
    signal: str | None
    """Name of the signal it died of (``SIGKILL``); None when it exited by itself."""
    reason: str
    """In words, e.g. ``it ran out of memory (exit code 10)``."""
    fix: str

    @property
    def polite(self) -> bool:
        """Whether the trainer ended because it was told to."""
        return self.crash is Crash.STOPPED

    @property
    def restartable(self) -> bool:
        """Whether starting it again can help; a configuration that cannot work, and what is missing or broken, stay so."""
        return self.crash not in (Crash.STOPPED, Crash.CONFIG, Crash.REFUSED)


def classify(return_code: int, log_tail: str = "") -> Ending:
    """What an ending means.

    Args:
        return_code: as `subprocess` gives it; negative for the number of a signal.
        log_tail: the last lines this trainer wrote, consulted when the code says nothing.
    """
    crash = _BY_CODE.get(return_code)
    name = _signal_name(-return_code) if return_code < 0 else None
    if crash is None:
        crash = next((found for found, pattern in _BY_LOG if pattern.search(log_tail)), None)
    if crash is None:
        crash = Crash.KILLED if name in ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT") else Crash.UNKNOWN
    reason, fix = _WORDS[crash]
    if crash in _TOLD and name is None and (last := log_tail.strip().rpartition("\n")[2].strip()):
        said, *ways = last.split(f" {WAY_OUT}")
        cut = said if len(said) <= LAST_WORDS else said[: LAST_WORDS - 1] + "…"
        reason = f"{'it failed' if crash is Crash.UNKNOWN else reason}: {cut}"
        fix = (ways[-1].strip().rstrip(".")[:LAST_WORDS] if ways else "") or fix
    how = f"signal {name}" if name else f"exit code {return_code}"
    return Ending(crash, None if name else return_code, name, f"{reason} ({how})", fix)


def last_line(error: RealmError) -> str:
    """What a trainer that ends of ``error`` writes into its log, from which `classify` tells reason and way out."""
    return " ".join(error.text().split())


def exit_code_of(error: BaseException, *, awake: bool = True) -> int:
    """The exit code with which a trainer announces ``error``; 1 for what has no class of its own.

    Of a `RealmError` the first word of its code decides (``DISK_FULL``), and what only the player can clear is ``config``.
    Knows torch's errors by name, so that nothing here has to import it.

    Args:
        error: what ended it.
        awake: it was training; what keeps it from waking keeps the next one from it, too.
    """
    if isinstance(error, RealmError):
        named = next((code for code in ExitCode if code and error.code.split("_")[0] == code.name), None)
        if named is None and isinstance(error, UsageError | BlockedError):
            named = ExitCode.CONFIG
        if named is None and not awake and error.code not in _PASSES:
            named = ExitCode.REFUSED
        return int(named) if named is not None else 1
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return int(ExitCode.OOM)
    if isinstance(error, OSError) and error.errno in _DISK_ERRNOS:
        return int(ExitCode.DISK)
    found = next((crash for crash, pattern in _BY_LOG if pattern.search(f"{type(error).__name__}: {error}")), None)
    return int(ExitCode[found.name]) if found is not None else 1


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

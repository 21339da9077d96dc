"""How a trainer's end is understood, and how a trainer announces it."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys

import pytest

from configs.errors import BlockedError, RealmError, UsageError
from engine.link.ending import Crash, ExitCode, classify, exit_code_of, last_line


@pytest.mark.parametrize("code", list(ExitCode))
def test_an_announced_end_is_believed_whatever_the_log_says(code: ExitCode) -> None:
    ending = classify(int(code), "CUDA error: out of memory; No space left on device")
    assert ending.crash == Crash(code.name.lower())
    assert str(int(code)) in ending.reason
    assert bool(ending.fix) is (code is not ExitCode.STOPPED)


def test_only_what_can_get_better_is_started_again() -> None:
    endings = {crash: classify(int(ExitCode[crash.name])) for crash in Crash if crash.name in ExitCode.__members__}
    assert {crash for crash, ending in endings.items() if not ending.restartable} == {
        Crash.STOPPED,
        Crash.CONFIG,
        Crash.REFUSED,
    }
    assert classify(-signal.SIGKILL).restartable
    assert [crash for crash, ending in endings.items() if ending.polite] == [Crash.STOPPED]


@pytest.mark.parametrize(
    ("log", "crash"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", Crash.OOM),
        ("RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory", Crash.OOM),
        ("MemoryError", Crash.OOM),
        ("RuntimeError: CUDA error: an illegal memory access was encountered", Crash.CUDA),
        ("RuntimeError: CUDA driver error: unknown error", Crash.CUDA),
        ("OSError: [Errno 28] No space left on device", Crash.DISK),
        ("sqlite3.OperationalError: database or disk is full", Crash.DISK),
        ("sqlite3.OperationalError: attempt to write a readonly database", Crash.DISK),
        ("sqlite3.OperationalError: disk I/O error", Crash.DISK),
        ("FloatingPointError: loss became NaN at step 7", Crash.NAN),
        ("KeyError: 'x'", Crash.UNKNOWN),
        ("", Crash.UNKNOWN),
    ],
)
def test_an_end_that_was_not_announced_is_read_from_the_log(log: str, crash: Crash) -> None:
    assert classify(1, log).crash is crash


def test_an_end_of_no_known_kind_is_told_in_its_own_last_words() -> None:
    traceback = "Traceback (most recent call last):\n  File ...\nKeyError: 'the well is dry'\n"
    assert classify(1, traceback).reason == "it failed: KeyError: 'the well is dry' (exit code 1)"
    assert classify(1, "x" * 1000).reason.count("x") <= 200
    assert "not known" in classify(1, " \n").reason
    assert "dry" not in classify(-signal.SIGSEGV, traceback).reason


def test_what_keeps_a_trainer_from_waking_is_announced_with_its_words_and_not_tried_again() -> None:
    error = RealmError(
        "no checkpoint of this campaign\nis whole",
        why="a file is gone",
        fix="import an export",
        code="CHECKPOINT_CORRUPT",
    )
    code = exit_code_of(error, awake=False)
    ending = classify(code, f"something earlier\n{last_line(error)}\n")
    assert ending.crash is Crash.REFUSED and not ending.restartable
    assert ending.reason == ("it cannot begin: no checkpoint of this campaign is whole. a file is gone. (exit code 16)")
    assert ending.fix == "import an export"
    assert classify(exit_code_of(error), last_line(error)).restartable, "what ends it in training may not come again"
    busy = RealmError("somebody writes", fix="try again", code="SAVE_BUSY")
    assert classify(exit_code_of(busy, awake=False), last_line(busy)).restartable


def test_a_configuration_that_cannot_work_says_what_is_wrong_with_it() -> None:
    error = UsageError("no skill is called 'bim'", fix="choose one of bin, sy", code="UNKNOWN_SKILL")
    ending = classify(exit_code_of(error, awake=False), last_line(error))
    assert ending.crash is Crash.CONFIG and "no skill is called 'bim'" in ending.reason
    assert ending.fix == "choose one of bin, sy"


@pytest.mark.parametrize(
    ("number", "crash"),
    [(signal.SIGKILL, Crash.KILLED), (signal.SIGTERM, Crash.KILLED), (signal.SIGSEGV, Crash.UNKNOWN)],
)
def test_a_signal_is_named(number: signal.Signals, crash: Crash) -> None:
    ending = classify(-number)
    assert (ending.crash, ending.signal, ending.exit_code) == (crash, number.name, None)
    assert number.name in ending.reason


def test_a_real_process_that_dies_of_memory_is_understood() -> None:
    done = subprocess.run([sys.executable, "-c", "raise MemoryError"], capture_output=True, text=True)
    assert classify(done.returncode, done.stderr).crash is Crash.OOM


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OutOfMemoryError("CUDA"), ExitCode.OOM),
        (MemoryError(), ExitCode.OOM),
        (OSError(errno.ENOSPC, "No space left on device"), ExitCode.DISK),
        (OSError(errno.ENOENT, "no such file"), 1),
        (RuntimeError("CUDA error: device-side assert triggered"), ExitCode.CUDA),
        (RealmError("x", code="DISK_FULL"), ExitCode.DISK),
        (RealmError("x", code="CONFIG_INVALID"), ExitCode.CONFIG),
        (RealmError("x", code="DATA_GONE"), ExitCode.DATA),
        (RealmError("x", code="STOPPED_SHORT"), 1),
        (RealmError("x", code="DISKETTE"), 1),
        (BlockedError("x", code="MODEL_MISSING"), ExitCode.CONFIG),
        (UsageError("x", code="UNKNOWN_HERO"), ExitCode.CONFIG),
        (ValueError("x"), 1),
    ],
)
def test_a_trainer_announces_what_went_wrong(error: BaseException, code: int) -> None:
    assert exit_code_of(error) == int(code)

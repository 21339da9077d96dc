"""One engine per save: a lock is one process's, and dies with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from saves.locks import FileLock, boot_id, holder, is_held, start_ticks

_OTHER = """
import os, sys, time
from pathlib import Path
from saves.locks import FileLock, is_held
path = Path(sys.argv[1])
lock = FileLock(path)
print(lock.acquire(), flush=True)
if "fork" in sys.argv:
    child = os.fork()
    if child == 0:
        print("child", os.getpid(), is_held(path), lock.held, flush=True)
        time.sleep(60)
        os._exit(0)
if "look" in sys.argv:
    print(is_held(path), holder_pid := __import__("saves.locks", fromlist=["holder"]).holder(path).pid, flush=True)
sys.stdin.read()
"""


class Other:
    """Another process that tries to take the lock and stays."""

    def __init__(self, path: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _OTHER, str(path), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.got = self.line() == "True"

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def end(self, sign: int = signal.SIGKILL) -> None:
        if self.process.poll() is None:
            self.process.send_signal(sign)
        self.process.wait(60)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            pipe.close()


@pytest.fixture
def other(tmp_path: Path) -> object:
    started: list[Other] = []

    def start(*words: str) -> Other:
        started.append(Other(tmp_path / "engine.lock", *words))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.end()


Start = Callable[..., Other]


def test_trap_30_a_second_holder_is_refused_until_the_first_lets_go(tmp_path: Path, other: Start) -> None:
    lock = FileLock(tmp_path / "engine.lock")
    assert not is_held(lock.path)
    assert lock.acquire() and lock.held
    assert not other().got
    assert not lock.acquire(), "the same process cannot take it twice either"
    lock.release()
    assert not is_held(lock.path) and holder(lock.path) is None
    assert other().got


def test_looking_never_drops_the_owners_lock(tmp_path: Path, other: Start) -> None:
    path = tmp_path / "engine.lock"
    lock = FileLock(path)
    assert lock.acquire()
    same = tmp_path / "alias"
    same.symlink_to(path)
    for way in (path, same):
        found = holder(way)
        assert is_held(way) and found is not None
        assert (found.pid, found.start_ticks, found.boot_id) == (os.getpid(), start_ticks(os.getpid()), boot_id())
    assert not other().got
    lock.release()

    owner = other("look")
    assert owner.got and owner.line() == f"True {owner.process.pid}"
    assert is_held(path) and not lock.acquire()


def test_after_kill_minus_nine_the_lock_is_free_at_once(tmp_path: Path, other: Start) -> None:
    path = tmp_path / "engine.lock"
    owner = other()
    assert owner.got
    found = holder(path)
    assert found is not None and found.pid == owner.process.pid
    owner.end(signal.SIGKILL)
    assert not is_held(path) and holder(path) is None
    assert FileLock(path).acquire()
    FileLock(path).release()


def test_a_forked_child_that_lives_on_does_not_keep_the_lock(tmp_path: Path, other: Start) -> None:
    path = tmp_path / "engine.lock"
    owner = other("fork")
    word, child, held, own = owner.line().split()
    try:
        assert (word, held, own) == ("child", "True", "False"), "the child sees its parent's lock, not one of its own"
        assert is_held(path)
        os.kill(owner.process.pid, signal.SIGKILL)
        owner.process.wait(60)
        os.kill(int(child), 0)
        assert not is_held(path)
        assert FileLock(path).acquire()
        FileLock(path).release()
    finally:
        os.kill(int(child), signal.SIGKILL)


def test_a_lock_nobody_ever_took_is_free(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "none.lock") and holder(tmp_path / "none.lock") is None
    assert not (tmp_path / "none.lock").exists()

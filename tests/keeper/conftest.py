"""A real save, a real keeper process, and a trainer that lives by a script."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from configs.errors import RealmError
from configs.loader import load_hero
from configs.paths import SaveFolder
from engine.link.client import say_hello
from engine.link.protocol import Command
from saves.database import create_save, open_save
from saves.incidents import open_incidents
from saves.locks import is_held
from saves.rows import Incident

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0


def until(what: Callable[[], Any]) -> Any:
    """Wait until ``what`` is true, and return it."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return found


class Keep:
    """One save with its keepers, seen from outside."""

    def __init__(self, folder: SaveFolder, script: Path) -> None:
        self.folder, self.script = folder, script
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *lives: dict[str, Any], rules: dict[str, Any] | None = None, **patience: float) -> None:
        """Start a keeper and wait until it answers or has ended."""
        self.script.write_text(json.dumps(lives))
        process = self.launch(rules, **patience)
        until(lambda: process.poll() is not None or self.pointer_answers())

    def launch(self, rules: dict[str, Any] | None = None, **patience: float) -> subprocess.Popen[str]:
        """Start a keeper without waiting."""
        process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("keep.py")),
                str(self.folder.root),
                str(self.script),
                json.dumps(rules or {}),
                json.dumps(patience),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    @property
    def keeper(self) -> subprocess.Popen[str]:
        return self.processes[-1]

    def ended(self) -> int:
        """The keeper's exit code, once it ended."""
        return self.keeper.wait(DEADLINE_S)

    def said(self) -> str:
        """What the keeper wrote to its log, once it ended."""
        self.ended()
        assert self.keeper.stderr is not None
        return self.keeper.stderr.read()

    def pointer_answers(self) -> bool:
        try:
            return say_hello(self.folder).keeper_pid == self.keeper.pid
        except RealmError as error:
            assert error.code in ("NO_ENGINE", "ENGINE_BUSY")
            return False

    def trace(self, key: str) -> list[dict[str, Any]]:
        """What the trainers noted that has ``key``."""
        path = self.folder.root / "trace.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [entry for entry in map(json.loads, lines) if key in entry]

    def lives(self) -> int:
        return len(self.trace("born"))

    def serving(self, life: int = 1) -> dict[str, Any]:
        """The ``life``-th trainer, once it is ready for commands."""
        return until(lambda: len(self.trace("serving")) >= life) and self.trace("serving")[life - 1]

    def reached(self, command: Command) -> None:
        """Wait until a trainer got the command."""
        until(lambda: command.id in [entry["id"] for entry in self.trace("verb")])

    def incidents(self) -> list[Incident]:
        with closing(open_save(self.folder, write=False)) as conn:
            return open_incidents(conn)

    def free(self) -> bool:
        return not is_held(self.folder.keeper_lock) and not is_held(self.folder.trainer_lock)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[SaveFolder]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="rk-") as short:
        patch = pytest.MonkeyPatch()
        patch.setenv("TMPDIR", short)
        patch.setattr(tempfile, "tempdir", None)
        folder = SaveFolder(tmp_path / "saves" / "hearth")
        create_save(folder, load_hero("pip"), seed=7)
        yield folder
        patch.undo()
        tempfile.tempdir = None


@pytest.fixture
def keep(folder: SaveFolder, tmp_path: Path) -> Iterator[Keep]:
    keep = Keep(folder, tmp_path / "script.json")
    yield keep
    for process in keep.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
    for entry in keep.trace("born"):
        try:
            os.kill(entry["pid"], signal.SIGKILL)
        except ProcessLookupError:
            continue

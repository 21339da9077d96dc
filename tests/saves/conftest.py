"""A real save in a temporary realm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from configs import clock
from configs.loader import load_hero
from configs.paths import SaveFolder
from saves.connection import SaveConnection
from saves.database import create_save, open_save


class Clock:
    """Time that only moves when a test says so."""

    def __init__(self) -> None:
        self.at = 1_764_000_000.0

    def __call__(self) -> float:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def time() -> Iterator[Clock]:
    stopped = Clock()
    clock.use(stopped, stopped)
    yield stopped
    clock.use()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SaveFolder:
    """The folder of a new save with PIP in it."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path / "realm"))
    monkeypatch.delenv("REALM_SAVE", raising=False)
    made = SaveFolder.named("main")
    create_save(made, load_hero("pip"), seed=7)
    return made


@pytest.fixture
def save(folder: SaveFolder) -> Iterator[SaveConnection]:
    conn = open_save(folder, write=True)
    yield conn
    conn.close()

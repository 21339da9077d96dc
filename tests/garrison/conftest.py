"""A save of its own for each test of those who keep house."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from configs import clock
from configs.loader import load_hero
from configs.paths import SaveFolder
from saves.database import create_save


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SaveFolder]:
    """A newborn's save; the clock may be another one until the test is over."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    for name in ("REALM_CONFIG_DIR", "REALM_SAVE", "REALM_FACILITY"):
        monkeypatch.delenv(name, raising=False)
    found = SaveFolder.named("main")
    create_save(found, load_hero("pip"), seed=1)
    yield found
    clock.use()

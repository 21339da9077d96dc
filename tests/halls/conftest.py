"""A save with an eventful campaign, and the moment at which it is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from configs import clock
from configs.loader import load_hero
from configs.paths import SaveFolder
from realm_tui.runtime.opened import OpenedSave, opened
from saves.database import create_save, open_save
from tests.cli.story import NOW, write_story


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SaveFolder]:
    """The save of `tests.cli.story` in a realm of its own."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path / "realm"))
    for name in ("REALM_SAVE", "REALM_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    found = SaveFolder.named(None)
    found.root.parent.mkdir(parents=True)
    create_save(found, load_hero("pip"), seed=1)
    with closing(open_save(found, write=True)) as conn:
        write_story(conn, found)
    clock.use(lambda: NOW)
    yield found
    clock.use()


@pytest.fixture
def save(folder: SaveFolder) -> Iterator[OpenedSave]:
    """The same, opened for reading."""
    with opened(folder) as found:
        yield found

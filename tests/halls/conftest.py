"""Two saves, each made once and copied for every test: an eventful campaign, and a busy town."""

from __future__ import annotations

import shutil
import time
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
from tests.halls.town import build


@pytest.fixture(scope="session")
def story_made(tmp_path_factory: pytest.TempPathFactory) -> SaveFolder:
    """The save of `tests.cli.story`."""
    found = SaveFolder(tmp_path_factory.mktemp("story") / "saves" / "main")
    found.root.parent.mkdir(parents=True)
    create_save(found, load_hero("pip"), seed=1)
    with closing(open_save(found, write=True)) as conn:
        write_story(conn, found)
    clock.use()
    return found


@pytest.fixture(scope="session")
def town_made(tmp_path_factory: pytest.TempPathFactory) -> SaveFolder:
    """The save of `tests.halls.town`."""
    found = SaveFolder(tmp_path_factory.mktemp("town") / "saves" / "main")
    build(found)
    clock.use()
    return found


@pytest.fixture
def realm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SaveFolder]:
    """Where the main save of a realm of its own will lie; one time zone, no colour settings, and the clock at `NOW`."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path / "realm"))
    monkeypatch.setenv("TZ", "UTC")
    for name in ("REALM_SAVE", "REALM_CONFIG_DIR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    clock.use(lambda: NOW)
    found = SaveFolder.named(None)
    found.root.parent.mkdir(parents=True)
    yield found
    clock.use()
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def folder(realm: SaveFolder, story_made: SaveFolder) -> SaveFolder:
    """An eventful campaign of the test's own."""
    shutil.copytree(story_made.root, realm.root)
    return realm


@pytest.fixture
def town(realm: SaveFolder, town_made: SaveFolder) -> SaveFolder:
    """A busy save of the test's own."""
    shutil.copytree(town_made.root, realm.root)
    return realm


@pytest.fixture
def save(folder: SaveFolder) -> Iterator[OpenedSave]:
    """The eventful campaign, opened for reading."""
    with opened(folder) as found:
        yield found

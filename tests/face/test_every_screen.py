"""Every screen and every key of its own on a save in which nothing has happened yet."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from configs.loader import load_hero
from configs.paths import SaveFolder
from realm_tui.app.screens.registry import SCREENS
from realm_tui.app.source import SaveSource
from saves.database import create_save
from tests.face import samples
from tests.face.tour import walk


@pytest.fixture
def newborn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SaveFolder]:
    """A save without a step."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    folder = SaveFolder.named("main")
    folder.root.parent.mkdir(parents=True)
    create_save(folder, load_hero("pip"), seed=1)
    yield folder


@pytest.mark.parametrize("size", [(80, 24), pytest.param((120, 40), marks=pytest.mark.full)], ids=["80x24", "120x40"])
async def test_every_screen_opens_on_a_new_save_and_every_key_is_harmless_there(
    newborn: SaveFolder, size: tuple[int, int]
) -> None:
    link = samples.FakeLink()
    link.folder = newborn
    with ThreadPoolExecutor(max_workers=1) as reader:
        source = SaveSource(newborn)
        app = samples.app(source=source, link=link, reader=reader)
        async with app.run_test(size=size) as pilot:
            shown = await walk(app, pilot)
        reader.submit(source.close).result()
    assert set(shown) == {s.id for s in SCREENS} - {"battle"}
    assert all(text.strip() for text in shown.values())

"""The command line on real saves in a temporary realm, with a clock that stands still."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from configs import clock
from configs.loader import load_hero
from configs.paths import SaveFolder
from realm_tui.cli.main import app
from saves.database import create_save, open_save
from tests.cli.story import NOW, write_story

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty realm."""
    realm_home = tmp_path / "realm"
    monkeypatch.setenv("REALM_HOME", str(realm_home))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("REALM_SAVE", "REALM_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    return realm_home


@pytest.fixture(autouse=True)
def stopped_clock() -> Iterator[None]:
    clock.use(lambda: NOW)
    yield
    clock.use()


@pytest.fixture
def realm(home: Path) -> Callable[..., Answer]:
    """Run a command: ``realm("status", "--json")``."""

    def call(*args: str, **env: str) -> Answer:
        result = CliRunner().invoke(app, list(args), env=env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def fresh(home: Path) -> SaveFolder:
    """A save in which nothing happened yet."""
    folder = SaveFolder.named("main")
    create_save(folder, load_hero("pip"), seed=7)
    return folder


@pytest.fixture
def played(fresh: SaveFolder) -> SaveFolder:
    """A save with a story in it: two levels won, one lost, a champion, a quest done, an engine that stopped."""
    with closing(open_save(fresh, write=True)) as conn:
        write_story(conn, fresh)
    return fresh


@pytest.fixture
def golden(home: Path) -> Callable[[str, str], None]:
    """Compare output with a file of tests/cli/golden; ``WRITE_GOLDEN=1`` writes it instead."""

    def compare(name: str, text: str) -> None:
        path, seen = GOLDEN / name, text.replace(str(home), "$REALM_HOME")
        if os.environ.get("WRITE_GOLDEN"):
            path.write_text(seen, encoding="utf-8")
        assert seen == path.read_text(encoding="utf-8")

    return compare

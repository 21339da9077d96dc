"""The game is folded beside the facts: what there is at once, what comes later, and what cannot be had."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from configs.errors import BlockedError, RealmError
from configs.loader import load_hero
from configs.paths import SaveFolder
from lore.fold import Game
from realm_tui.app.source import SaveSource
from realm_tui.runtime import game_thread
from realm_tui.runtime.game import GameReader
from realm_tui.runtime.game_thread import GameThread
from realm_tui.runtime.opened import OpenedSave, opened
from saves.campaigns import set_setting
from saves.database import create_save, open_save


@pytest.fixture
def folder(tmp_path: Path) -> SaveFolder:
    made = SaveFolder(tmp_path / "saves" / "main")
    made.root.parent.mkdir()
    create_save(made, load_hero("pip"), seed=1)
    return made


@pytest.fixture
def games(folder: SaveFolder) -> Iterator[GameThread]:
    with closing(GameThread(folder)) as found:
        yield found


def eventually(what: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while True:
        try:
            return what()
        except BlockedError:
            assert time.monotonic() < end, "it never came"
            time.sleep(0.005)


class Held(GameReader):
    """A reader that folds when it is let."""

    let = threading.Event()

    def read(self, save: OpenedSave, on_progress: Callable[[int], None] | None = None) -> Game:
        if on_progress is not None:
            on_progress(40_000)
        assert self.let.wait(60)
        return super().read(save, on_progress)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Held]]:
    monkeypatch.setattr(game_thread, "GameReader", Held)
    monkeypatch.setattr(game_thread, "FIRST_WAIT_S", 0.0)
    Held.let = threading.Event()
    yield Held
    Held.let.set()


def test_the_game_is_the_one_that_a_command_reads(folder: SaveFolder, games: GameThread) -> None:
    with opened(folder) as save:
        found = eventually(lambda: games.read(save))
        assert found.states == GameReader(keep=False).read(save).states
        assert games.read(save) is found, "nobody wrote"


def test_a_long_first_fold_is_told_and_holds_nobody_up(folder: SaveFolder, games: GameThread, held: type[Held]) -> None:
    with opened(folder) as save:
        with pytest.raises(BlockedError) as told:
            eventually_told = time.monotonic() + 60
            while True:
                try:
                    games.read(save)
                except BlockedError as error:
                    if "40,000" in error.what or time.monotonic() > eventually_told:
                        raise
        assert told.value.code == "GAME_FOLDING" and "40,000" in told.value.what
        held.let.set()
        assert eventually(lambda: games.read(save)) is not None


def test_the_battle_screen_shows_what_it_knows_meanwhile(folder: SaveFolder, held: type[Held]) -> None:
    with closing(SaveSource(folder)) as source:
        source.opening()
        assert source.read().hero.effects is None
        held.let.set()
        end = time.monotonic() + 60
        while source.read().hero.effects is None:
            assert time.monotonic() < end, "the game never came"
        assert source.read().hero.region == "inn"


def test_a_write_is_followed(folder: SaveFolder, games: GameThread) -> None:
    with opened(folder) as save, closing(open_save(folder, write=True)) as mine:
        first = eventually(lambda: games.read(save))
        set_setting(mine, "face.names", "plain")
        assert games.read(save) is not first


def test_a_save_that_cannot_be_folded_says_why(
    folder: SaveFolder, games: GameThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Game:
        raise RealmError("the rules of the lore are broken", fix="mend them", code="CONFIG_INVALID")

    monkeypatch.setattr(GameReader, "read", broken)
    with opened(folder) as save, pytest.raises(RealmError, match="rules of the lore are broken"):
        eventually(lambda: games.read(save))

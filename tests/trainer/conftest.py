"""A small real hero in a real save, trained in this process without keeper or face."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch

from configs.loader import load_game, load_hero
from configs.paths import SaveFolder
from configs.schema import HeroConfig
from engine.link.control import ControlChannel
from engine.link.protocol import Command, Verb
from engine.link.ring import RingWriter
from engine.link.state import EngineState
from engine.trainer.game import Game
from engine.trainer.start import wake
from saves import campaigns, runs
from saves.database import create_save, open_save

T = TypeVar("T")

EASY: dict[str, Any] = {
    "exams": {
        "items": 16,
        "pass_share": 0.0,
        "streak": 2,
        "interval_steps": 10,
        "operation_floor": 0.0,
        "held_share": 0.0,
    },
    "curriculum": {"drill_steps": 30},
    "engine": {"window_steps": 7, "min_free_gb": 0.0, "device": "cpu"},
    "quests": {"samples": 2},
}
"""Rules under which a hero that knows nothing wins a level every twenty steps: the same code, without the wait."""


def tiny_hero() -> HeroConfig:
    """PIP's YAML with a smaller body."""
    data = load_hero("pip").model_dump(mode="json")
    data["model"]["shape"] |= {"hidden_size": 32, "layers": 2, "heads": 2, "intermediate_size": 64}
    data["training"] |= {"batch_size": 8, "warmup_steps": 5}
    return HeroConfig.model_validate(data)


class Script(ControlChannel):
    """A channel whose commands come from a list of (step, command)."""

    def __init__(self, commands: list[tuple[int, Command]]) -> None:
        super().__init__(None)
        self.commands = sorted(commands, key=lambda c: c[0])
        self.answers: dict[str, Any] = {}
        self.step: Callable[[], int] = lambda: 0
        self.visits: dict[int, Callable[[], None]] = {}
        self.busy: Callable[[], bool] = lambda: False

    def drain(self) -> list[Command]:
        visit = self.visits.pop(self.step(), None)
        if visit is not None:
            visit()
        due = [c for at, c in self.commands if at <= self.step()]
        self.commands = [(at, c) for at, c in self.commands if at > self.step()]
        return due

    def wait(self, timeout: float) -> None:
        if self.busy():
            super().wait(timeout)
        elif not self.commands:
            raise AssertionError("the engine rests and no command is left to wake it")
        else:
            self.commands = [(self.step() if n == 0 else at, c) for n, (at, c) in enumerate(self.commands)]

    def done(self, ident: str, step: int | None, result: dict[str, Any] | None = None) -> None:
        self.answers[ident] = (step, result)

    def failed(self, ident: str, step: int | None, error: Any) -> None:
        self.answers[ident] = (step, error)


@dataclass
class World:
    """One save that can be trained, crashed and resumed."""

    folder: SaveFolder
    rules: dict[str, Any]

    def wake(self, commands: list[tuple[int, Command]] | None = None) -> Game:
        """A game as a fresh trainer process would wake it."""
        conn = open_save(self.folder, write=True)
        runs.repair(conn)
        channel = Script(commands or [])
        ring = RingWriter(self.folder.ring, run_id=None)
        game = wake(self.folder, conn, load_game(self.rules), campaigns.active_campaign(conn), ring, channel)
        channel.step = lambda: game.values.step
        channel.busy = lambda: game.saving.under_way
        return game

    def train(
        self,
        until: int,
        commands: list[tuple[int, Command]] | None = None,
        *,
        crash: bool = False,
        visits: dict[int, Callable[[], None]] | None = None,
    ) -> Game:
        """Train up to a step and stop.

        Args:
            commands: (step, command) pairs.
            crash: leave everything as kill -9 would.
            visits: what somebody else does to the save at a step's boundary.
        """
        game = self.wake(commands)
        assert isinstance(game.channel, Script)
        game.channel.visits = dict(visits or {})
        game.stop_at_step = until
        if crash:
            while game.values.step < until and game._boundary():
                game._step()
            game.recorder._stop.set()
            game.recorder._heart.join()
            game.conn.close()
            writing = game.saving._writing
            if writing is not None:
                # The dead process's thread must not write into its successor's folder; it lists nothing.
                writing.work._thread.join()
            return game
        reason = game.run()
        runs.close_run(game.conn, game.run_id, game.values.step, reason)
        game.recorder.close(EngineState.STOPPED)
        return game


class Once:
    """What every case of a test is compared with: made by the first that asks, kept until the module is done."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __call__(self, name: str, make: Callable[[], T]) -> T:
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made


@pytest.fixture(scope="module")
def once() -> Once:
    """``once(name, make)``: what ``make`` returned when ``name`` was asked for first."""
    return Once()


def command(verb: Verb, **args: Any) -> Command:
    """A command with a fresh id."""
    return Command(verb, args)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads, products = torch.get_num_threads(), torch.get_float32_matmul_precision()
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(products)


@pytest.fixture
def make_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    """Makes worlds by name, each with a save of its own."""

    def make(name: str = "main", seed: int = 3, **rules: Any) -> World:
        monkeypatch.setitem(os.environ, "REALM_HOME", str(tmp_path / name))
        folder = SaveFolder.named("main")
        create_save(folder, tiny_hero(), seed=seed)
        return World(folder, {**EASY, **rules})

    return make

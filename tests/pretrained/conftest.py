"""Saves of heroes that come from a model folder, trained in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from configs import clock
from configs.paths import SaveFolder
from configs.schema import HeroConfig
from saves.database import create_save
from tests.pretrained.standin import hero_on, make_folder
from tests.trainer.conftest import EASY, World

MakeWorld = Callable[..., World]


@pytest.fixture(autouse=True)
def as_found() -> Iterator[None]:
    """Threads, products and clock are put back."""
    threads, products = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(products)
    clock.use()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DIO's model in small."""
    return make_folder(tmp_path_factory.mktemp("models") / "dio")


@pytest.fixture
def make_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> MakeWorld:
    """Makes worlds by name, each with a save of its own; the hero is DIO where none is given."""

    def make(name: str = "main", hero: HeroConfig | None = None, seed: int = 3) -> World:
        monkeypatch.setenv("REALM_HOME", str(tmp_path / name))
        save = SaveFolder.named("main")
        create_save(save, hero or hero_on(folder), seed=seed)
        return World(save, EASY)

    return make

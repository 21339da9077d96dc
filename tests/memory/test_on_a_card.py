"""What the placement makes of the plan on a card, and what a card's first steps teach; a card's answers are put in their place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from configs.loader import load_game, load_hero
from configs.schema import HeroConfig
from configs.training import HeroTraining
from engine import placement
from engine.memory.calibration import machine_key, measure, measured_on, ratio_of, remember
from engine.memory.estimate import GIB

RULES = load_game().memory


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A card of so many GiB, of which so many are free."""

    def put(total_gib: float, free_gib: float | None = None) -> None:
        total = round(total_gib * GIB)
        free = total if free_gib is None else round(free_gib * GIB)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, total))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Test Card")
        monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda: 1.0, raising=False)

    return put


def with_training(hero_id: str, **training: object) -> HeroConfig:
    hero = load_hero(hero_id)
    changed = HeroTraining.model_validate({**hero.training.model_dump(), **training})
    return hero.model_copy(update={"training": changed})


def test_a_large_card_computes_nothing_twice_and_keeps_fp32_weights(card: Callable[..., None]) -> None:
    card(80)
    assert placement._fitting(load_hero("dio"), "cuda", RULES) == ("float32", "bfloat16", 0, None)


def test_a_small_card_computes_as_many_blocks_twice_as_it_must(card: Callable[..., None]) -> None:
    card(24)
    weights, _, twice, _ = placement._fitting(load_hero("flo"), "cuda", RULES)
    assert weights == "bfloat16" and 0 < twice <= 36
    card(28)
    assert 0 <= placement._fitting(load_hero("flo"), "cuda", RULES)[2] < twice


def test_memory_that_others_hold_is_not_counted_on(card: Callable[..., None]) -> None:
    card(24)
    alone = placement._fitting(load_hero("ojas"), "cuda", RULES)
    card(24, free_gib=14)
    assert placement._fitting(load_hero("ojas"), "cuda", RULES)[2] > alone[2]


def test_fewer_tokens_in_a_pass_where_twice_is_not_enough(card: Callable[..., None]) -> None:
    card(24)
    hero = with_training("flo", batch_tokens=65_536)
    tokens = placement._fitting(hero, "cuda", RULES)[3]
    assert tokens is not None and hero.model.context_length <= tokens < 65_536


def test_the_yaml_decides_where_it_speaks(card: Callable[..., None]) -> None:
    card(24)
    assert placement._fitting(with_training("ojas", gradient_checkpointing=5), "cuda", RULES)[2] == 5
    assert placement._fitting(with_training("dio", weights="bfloat16_master"), "cuda", RULES)[0] == "bfloat16"


def test_a_cpu_takes_the_yaml_as_it_is() -> None:
    assert placement._fitting(load_hero("ojas"), "cpu", RULES) == ("float32", "float32", 0, None)


def test_what_was_measured_corrects_the_next_plan(card: Callable[..., None]) -> None:
    card(24)
    hero = load_hero("ojas")
    before = placement._fitting(hero, "cuda", RULES)[2]
    machine = machine_key("Test Card", 24 * GIB)
    remember(machine, hero.training, measure(hero.id, 10 * GIB, 14 * GIB))
    found = measured_on(machine, hero.training)
    assert found is not None and found.ratio == pytest.approx(1.4)
    assert placement._fitting(hero, "cuda", RULES)[2] > before
    assert measured_on(machine, load_hero("flo").training) is None, "it belongs to one way of training"
    assert measured_on(machine_key("Other Card", 24 * GIB), hero.training) is None


def test_a_correction_has_bounds() -> None:
    assert ratio_of(measure("x", GIB, 40 * GIB), RULES) == RULES.calibration_max
    assert ratio_of(measure("x", 40 * GIB, GIB), RULES) == RULES.calibration_min
    assert ratio_of(None, RULES) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", json.dumps({"version": 1, "machines": {"m": {"full adamw": {"a": 1}}}})]
)
def test_a_broken_memory_of_measurements_is_as_none(home: Path, text: str) -> None:
    (home / "cache").mkdir()
    (home / "cache" / "memory.json").write_text(text)
    assert measured_on("m", load_hero("dio").training) is None
    remember("m", load_hero("dio").training, measure("dio", GIB, GIB))
    assert measured_on("m", load_hero("dio").training) is not None

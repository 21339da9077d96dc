"""Weights in bf16, and arithmetic in bf16 over fp32 weights: training works and resumes to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM

import engine.trainer.start
from engine.hero.loading import load_pretrained
from engine.placement import Placement, choose
from saves import ledger
from saves.database import open_save
from tests.pretrained.standin import hero_on
from tests.pretrained.test_traps import PLACEMENT
from tests.trainer.conftest import World
from tests.trainer.test_resume import assert_same, facts

MakeWorld = Callable[..., World]


def assert_exact_resume(make_world: MakeWorld, hero: Any) -> World:
    """Trains one world through, kills another twice; returns the killed one."""
    whole = make_world("whole", hero)
    expected = whole.train(24)
    broken = make_world("broken", hero)
    broken.train(11)
    broken.train(21, crash=True)
    resumed = broken.train(24)
    assert facts(whole) == facts(broken)
    assert_same(expected, resumed)
    assert all(torch.isfinite(w).all() for w in resumed.loop.exam_weights().values())
    losses = [row[1] for row in facts(broken)["losses"]]
    assert losses[-1] < losses[0]
    return broken


@pytest.fixture
def small_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Placement as on a card too small for fp32 weights, computed on the CPU."""

    def chosen(*args: Any) -> Placement:
        return replace(choose(*args), weights="bfloat16", compute="bfloat16")

    monkeypatch.setattr(engine.trainer.start, "choose", chosen)


@pytest.mark.usefixtures("small_card")
def test_weights_in_bf16_train_and_resume_exactly(make_world: MakeWorld, folder: Path) -> None:
    world = assert_exact_resume(make_world, hero_on(folder))
    conn = open_save(world.folder, write=False)
    form = ledger.newest_checkpoint(conn, "campaign-001")
    assert form is not None
    path = ledger.folder_of(world.folder, form)
    with safe_open(path / "model.safetensors", "pt") as weights:
        assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"BF16"}  # noqa: SIM118


def test_weights_in_bf16_compute_as_in_any_other_tool(folder: Path) -> None:
    """Rotary frequencies stay in fp32: rounded, they would turn far positions by whole radians."""
    placement = replace(PLACEMENT, weights="bfloat16", compute="bfloat16")
    hero = load_pretrained(hero_on(folder), placement)
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation="sdpa").eval()
    hero.model.eval()
    ids = torch.arange(400)[None] % 250
    with torch.no_grad():
        assert torch.equal(hero.model(ids).logits, plain(ids).logits)
    assert hero.model.model.rotary_emb.inv_freq.dtype == torch.float32


def test_arithmetic_in_bf16_over_fp32_weights_resumes_exactly(make_world: MakeWorld, folder: Path) -> None:
    world = assert_exact_resume(make_world, hero_on(folder, precision="bfloat16"))
    conn = open_save(world.folder, write=False)
    placements = [row[0] for row in conn.execute("SELECT environment_json FROM runs")]
    assert all('"compute":"bfloat16"' in p.replace(" ", "") for p in placements)


def test_saving_activation_memory_resumes_exactly(make_world: MakeWorld, folder: Path) -> None:
    assert_exact_resume(make_world, hero_on(folder, gradient_checkpointing=True))

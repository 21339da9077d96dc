"""The hatchling's pass by hand is transformers' Qwen3: same losses, same gradient of every weight."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.batch import make_batch
from engine.hero.model import Hero, load_pretrained
from engine.lean import LeanQwen3, supports
from engine.step import batch_loss
from tests.model.heroes import PLACEMENT, dio_config, examples, hatchling, qwen_folder, unsettle


def gradients(hero: Hero) -> dict[str, torch.Tensor]:
    """Every weight's gradient, dropped from the hero."""
    out = {}
    for name, p in hero.model.named_parameters():
        assert p.grad is not None, name
        out[name] = p.grad
        p.grad = None
    return out


@pytest.mark.parametrize("chunk", [64, 4096])
def test_losses_and_gradients_equal_those_of_transformers(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.lean.rows.CHUNK_TOKENS", chunk)
    hero = hatchling()
    unsettle(hero)
    assert supports(hero.model)
    passes = LeanQwen3(hero.model)
    for seed, (count, weights) in enumerate([(1, None), (7, None), (24, [float(n % 3) for n in range(24)]), (2, None)]):
        batch = make_batch(examples(hero, count, seed=seed, widths=(2, 12)), weights)
        theirs = batch_loss(hero, batch, PLACEMENT)
        torch.autograd.backward(theirs.total / 10)
        wanted = gradients(hero)
        ours = passes.loss_and_gradients(batch, 10)
        found = gradients(hero)
        count = batch.trained_tokens
        assert torch.allclose(ours.losses[:count], theirs.losses[:count], atol=2e-5)
        assert torch.equal(ours.right[:count], theirs.right[:count])
        assert float(ours.total) == pytest.approx(float(theirs.total.detach()), rel=1e-5)
        for name, gradient in wanted.items():
            assert torch.allclose(found[name], gradient, atol=3e-5 * float(gradient.abs().max()) + 1e-9), name


def test_gradients_of_several_passes_add_up() -> None:
    hero = hatchling()
    unsettle(hero)
    passes = LeanQwen3(hero.model)
    first, second = (make_batch(examples(hero, 4, seed=s)) for s in (1, 2))
    passes.loss_and_gradients(first, 5)
    one = gradients(hero)
    passes.loss_and_gradients(second, 5)
    two = gradients(hero)
    passes.loss_and_gradients(first, 5)
    passes.loss_and_gradients(second, 5)
    for name, both in gradients(hero).items():
        assert torch.allclose(both, one[name] + two[name], atol=1e-6), name


def test_it_only_takes_what_it_computes(tmp_path: Path) -> None:
    assert not supports(load_pretrained(dio_config(qwen_folder(tmp_path)), PLACEMENT).model)


def _taken(tensor: torch.Tensor) -> torch.Tensor:
    """The gradient, dropped from its tensor."""
    grad, tensor.grad = tensor.grad, None
    assert grad is not None
    return grad

"""The pass by hand is transformers' Qwen3: same losses, same gradient of every weight."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from transformers.models.qwen3 import Qwen3Config, Qwen3ForCausalLM

from engine.batch import Batch, make_batch
from engine.chat.encoded import Encoded
from engine.hero.model import Hero
from engine.lean import LeanQwen3, supports
from engine.step import batch_loss
from tests.model.heroes import PLACEMENT, examples, hatchling, unsettle


def gradients(hero: Hero) -> dict[str, torch.Tensor]:
    """Every weight's gradient, dropped from the hero."""
    out = {}
    for name, p in hero.model.named_parameters():
        assert p.grad is not None, name
        out[name] = p.grad.clone()
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


@pytest.mark.parametrize(("pairs", "tied"), [(1, True), (2, False), (4, True)])
def test_grouped_heads_untied_heads_and_long_documents(pairs: int, tied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.lean.rows.BLOCK", 48)
    monkeypatch.setattr("engine.lean.rows.CHUNK_TOKENS", 400)
    monkeypatch.setattr("engine.lean.head.SLICE_NUMBERS", 100 * 64)
    model = qwen(num_key_value_heads=pairs, tie_word_embeddings=tied)
    rng = random.Random(0)
    items = [
        Encoded([rng.randrange(64) for _ in range(length)], [rng.random() < 0.6 for _ in range(length - 1)] + [True])
        for length in (3, 250, 64, 65, 17, 130, 9, 250, 33, 2)
    ]
    batch = make_batch(items, [0.5 + n for n in range(len(items))])
    losses, wanted = from_modules(model, batch)
    found = LeanQwen3(model).loss_and_gradients(batch, 1.0)
    assert torch.allclose(found.losses[: batch.trained_tokens], losses[: batch.trained_tokens], atol=2e-5)
    for name, p in model.named_parameters():
        assert p.grad is not None, name
        assert torch.allclose(p.grad, wanted[name], atol=3e-5 * float(wanted[name].abs().max())), name


def test_trap_04_a_document_does_not_see_its_neighbour() -> None:
    """Another document before it in the same row changes not a bit of a document's losses."""
    passes = LeanQwen3(qwen())
    asked = Encoded(list(range(20)), [False] * 5 + [True] * 15)
    losses = []
    for token in (7, 41):
        batch = make_batch([asked, Encoded([token] * 24, [False] * 23 + [True])])
        losses.append(passes.loss_and_gradients(batch, 1.0).losses[: asked.trained_tokens])
    assert torch.equal(losses[0], losses[1])


def test_a_gradient_is_made_in_the_same_memory_every_step() -> None:
    hero = hatchling()
    passes = LeanQwen3(hero.model)
    places = []
    for seed in (1, 2):
        passes.loss_and_gradients(make_batch(examples(hero, 4, seed=seed)), 5)
        places.append([p.grad.data_ptr() for p in hero.model.parameters() if p.grad is not None])
        for p in hero.model.parameters():
            p.grad = None
    assert places[0] == places[1]


def test_it_only_takes_what_it_computes() -> None:
    assert supports(qwen())
    assert not supports(qwen(attention_bias=True))
    assert not supports(qwen(hidden_act="gelu"))
    assert not supports(qwen(use_sliding_window=True, sliding_window=8, max_window_layers=1))
    assert not supports(qwen().bfloat16())
    frozen = qwen()
    frozen.model.embed_tokens.weight.requires_grad_(False)
    assert not supports(frozen)


def qwen(**figures: Any) -> Any:
    """A small Qwen3 whose norm scales and weights matter."""
    base: dict[str, Any] = {
        "vocab_size": 64,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 48,
        "max_position_embeddings": 256,
        "pad_token_id": 5,
        "attn_implementation": "eager",
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Qwen3ForCausalLM(Qwen3Config(**base | figures))
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn(weight.shape) * (0.3 if weight.ndim == 1 else 0.1))
    return model


def from_modules(model: Any, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Losses and gradients by transformers' own modules and plain cross entropy; the gradients are dropped from the model."""
    hidden = model.model(
        input_ids=batch.input_ids,
        position_ids=batch.positions,
        attention_mask=batch.mask("eager", torch.float32),
        use_cache=False,
    ).last_hidden_state
    logits = model.lm_head(hidden.flatten(0, 1).index_select(0, batch.sources))
    losses = torch.nn.functional.cross_entropy(logits, batch.targets, reduction="none")
    torch.autograd.backward((losses * batch.weights).sum())
    wanted = {}
    for name, p in model.named_parameters():
        assert p.grad is not None, name
        wanted[name], p.grad = p.grad, None
    return losses.detach(), wanted

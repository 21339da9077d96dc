"""Packed rows on every way of attention and in every family: an example never sees its neighbours."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest
import torch
import transformers
from torch import Tensor

from engine.attention import attended, has_varlen, implementation
from engine.batch import make_batch
from engine.chat.encoded import Encoded
from engine.hero.checkpointing import ALL, checkpoint_blocks
from engine.hero.model import Hero
from engine.placement import Placement
from engine.step import TrainingPass
from tests.model.heroes import PLACEMENT

FAMILIES = ("Qwen3", "Qwen2", "Llama", "Mistral", "Phi3", "Gemma")
WAYS = ("eager", "sdpa", "documents")
LENGTHS = (9, 4, 14, 6)


def tiny(family: str, attention: str) -> Any:
    """A random model of a family with grouped key heads."""
    config = getattr(transformers, f"{family}Config")(
        vocab_size=96,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        intermediate_size=48,
        max_position_embeddings=128,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
    )
    config._attn_implementation = implementation(attention)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = getattr(transformers, f"{family}ForCausalLM")(config)
    model.config.use_cache = False
    return model.train()


def documents(seed: int = 0) -> list[Encoded]:
    generator = torch.Generator().manual_seed(seed)
    return [Encoded(torch.randint(2, 96, (n,), generator=generator).tolist(), [True] * n) for n in LENGTHS]


def passes(model: Any, attention: str) -> TrainingPass:
    return TrainingPass(cast(Hero, _Bare(model)), dataclasses.replace(PLACEMENT, attention=attention))


@dataclasses.dataclass
class _Bare:
    model: Any
    base: None = None


def rows_of(attention: str) -> int | None:
    return None if attention == "documents" else 40


def states(model: Any, attention: str, items: list[Encoded]) -> list[Tensor]:
    """The states of each item's trained tokens, packed together."""
    batch = make_batch(items, row_tokens=rows_of(attention))
    assert batch.input_ids.shape[0] == 1, "all lie in one row"
    found = passes(model, attention).hidden_states(batch)
    return list(torch.split(found[: batch.trained_tokens], [item.trained_tokens for item in items]))


@pytest.mark.parametrize("attention", WAYS)
@pytest.mark.parametrize("family", FAMILIES)
def test_trap_04_a_packed_document_does_not_feel_its_neighbours(family: str, attention: str) -> None:
    model, items = tiny(family, attention), documents()
    with torch.no_grad():
        together = states(model, attention, items)
        changed = [*items[:2], Encoded(documents(seed=1)[2].ids, items[2].trained), items[3]]
        beside = states(model, attention, changed)
    for n in (0, 1, 3):
        assert torch.equal(together[n], beside[n])
    assert not torch.equal(together[2], beside[2])


@pytest.mark.parametrize("attention", WAYS)
@pytest.mark.parametrize("family", FAMILIES)
def test_positions_restart_so_a_packed_document_is_as_if_alone(family: str, attention: str) -> None:
    model, items = tiny(family, attention), documents()
    plain = tiny(family, "eager")
    with torch.no_grad():
        for mine, item in zip(states(model, attention, items), items, strict=True):
            alone = plain.get_decoder()(input_ids=torch.tensor([item.ids]), use_cache=False).last_hidden_state[0, :-1]
            assert torch.allclose(mine, alone, atol=2e-5)


@pytest.mark.parametrize("attention", WAYS)
def test_packed_gradients_are_those_of_the_documents_one_by_one(attention: str) -> None:
    found = []
    for packed in (True, False):
        model, items = tiny("Qwen3", attention), documents()
        forward = passes(model, attention)
        for part in [items] if packed else [[item] for item in items]:
            forward(make_batch(part, row_tokens=rows_of(attention)))[0].backward()
        found.append({name: p.grad for name, p in model.named_parameters()})
    for name, together in found[0].items():
        assert torch.allclose(together, found[1][name], atol=1e-5, rtol=1e-4), name


def test_trap_05_no_document_is_asked_to_foresee_the_next_ones_first_token() -> None:
    items = documents()
    batch = make_batch(items, row_tokens=40)
    first_columns = torch.nonzero(batch.positions[0] == 0).flatten()
    predicted = batch.sources[: batch.trained_tokens] + 1
    assert batch.trained_tokens == sum(n - 1 for n in LENGTHS)
    assert not set(predicted.tolist()) & set(first_columns.tolist())


def test_document_bounds_tell_every_document_and_the_padding() -> None:
    batch = make_batch(documents(), row_tokens=None)
    assert batch.documents == (14, 9, 6, 4, 15)
    told = batch.visibility("varlen", torch.float32)
    assert told["cu_seq_lens_q"].tolist() == [0, 14, 23, 29, 33, 48]
    assert told["max_length_q"] == 15
    assert told["cu_seq_lens_q"].dtype is torch.int32


@pytest.mark.parametrize("count", [1, 2, ALL])
@pytest.mark.parametrize("family", FAMILIES)
def test_checkpointing_some_or_all_blocks_changes_no_gradient(family: str, count: int) -> None:
    found = []
    for wanted in (0, count):
        model, items = tiny(family, "documents"), documents()
        assert checkpoint_blocks(model, wanted) == (2 if wanted == ALL else wanted)
        computed = count_forwards(model)
        passes(model, "documents")(make_batch(items, row_tokens=None))[0].backward()
        assert computed == ([1, 1] if wanted == 0 else [2, 1] if wanted == 1 else [2, 2])
        found.append([p.grad for p in model.parameters()])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def count_forwards(model: Any) -> list[int]:
    """How often each block's attention ran; grows while the model works."""
    counts = [0, 0]
    for number, block in enumerate(model.get_decoder().layers):

        def ran(*_: object, number: int = number) -> None:
            counts[number] += 1

        block.self_attn.register_forward_hook(ran)
    return counts


def test_a_model_that_looks_back_only_so_far_says_how_far() -> None:
    full, window = tiny("Mistral", "sdpa"), tiny("Mistral", "sdpa")
    full.config.sliding_window = None
    window.config.sliding_window = 64
    assert attended(full) is None
    assert attended(window) == 64
    qwen = tiny("Qwen2", "sdpa")
    qwen.config.sliding_window = 64
    assert attended(qwen) is None, "its layers all see everything"


@pytest.mark.gpu
@pytest.mark.skipif(not has_varlen(), reason="needs a card with variable-length attention")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_cards_kernel_gives_what_the_mask_gives(family: str) -> None:
    found = []
    for attention in ("sdpa", "varlen"):
        model = tiny(family, attention).to("cuda", torch.bfloat16)
        place: Placement = dataclasses.replace(
            PLACEMENT, device="cuda", weights="bfloat16", compute="bfloat16", attention=attention
        )
        batch = make_batch(documents(), row_tokens=None).to("cuda")
        found.append(TrainingPass(cast(Hero, _Bare(model)), place).hidden_states(batch).float())
    assert torch.allclose(found[0], found[1], atol=0.05)

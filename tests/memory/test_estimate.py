"""The estimate against what real models keep, against published figures, and where memory is known to end."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, Phi3Config, Phi3ForCausalLM
from transformers.models.qwen3 import Qwen3Config, Qwen3ForCausalLM

from configs.loader import load_game, load_hero
from configs.schema import Dimensions
from configs.training import HeroTraining
from engine.memory.estimate import ALL_BLOCKS, GIB, Setting, block_bytes_per_token, estimate, quick_gb
from engine.memory.plan import checkpointed_blocks, plan, suggest
from engine.memory.shape import adapter_parameters, dimensions_of, parameters

RULES = load_game().memory
ADAMW: dict[str, Any] = {"learning_rate": 1e-4, "optimizer": "adamw"}
DIMENSIONS = Dimensions(
    hidden_size=64,
    layers=3,
    heads=8,
    kv_heads=2,
    head_dim=16,
    intermediate_size=192,
    vocab_size=512,
    tied=True,
    max_context=512,
)


def hero_plan(hero_id: str, card_gib: float = 24, **training: Any) -> Any:
    hero = load_hero(hero_id)
    chosen = HeroTraining.model_validate({**hero.training.model_dump(), **training})
    return plan(dimensions_of(hero), chosen, round(card_gib * GIB), RULES, context=hero.model.context_length)


def test_updates_within_the_backward_pass_keep_one_gradient() -> None:
    same: dict[str, Any] = {
        "optimizer": "adamw_8bit",
        "weights": "bfloat16_stochastic",
        "accumulation": 1,
        "batch_tokens": 2048,
    }
    plain, early = (hero_plan("flo", **same, update=update) for update in ("step", "backward"))
    gradients = [sum(p.bytes for p in made.estimate.parts if p.name == "gradients") for made in (plain, early)]
    assert gradients == [2 * parameters(dimensions_of(load_hero("flo"))), 2 * 2 * 151_936 * 2_560]


def kept_bytes(model: Any, tokens: int, *, mixed: bool) -> int:
    """What a forward pass keeps for the backward pass, weights aside."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, tuple[int, Tensor]] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and tensor.shape[:1] != (model.config.hidden_size,):
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=mixed),
    ):
        model.get_decoder()(input_ids=torch.randint(0, 500, (1, tokens)), use_cache=False)
    return sum(count for count, _ in kept.values())


@pytest.mark.parametrize("weights,compute", [("float32", "float32"), ("bfloat16", "bfloat16"), ("float32", "bfloat16")])
@pytest.mark.parametrize("family", ["qwen3", "llama", "phi3"])
def test_a_block_keeps_what_is_estimated(
    family: str, weights: Literal["float32", "bfloat16"], compute: Literal["float32", "bfloat16"]
) -> None:
    kinds: dict[str, tuple[Any, Any]] = {
        "qwen3": (Qwen3Config, Qwen3ForCausalLM),
        "llama": (LlamaConfig, LlamaForCausalLM),
        "phi3": (Phi3Config, Phi3ForCausalLM),
    }
    make, kind = kinds[family]
    d = DIMENSIONS.model_copy(update={"head_dim": 16 if family == "qwen3" else 8})
    seen = []
    for layers in (1, 3):
        config = make(
            vocab_size=512,
            hidden_size=64,
            num_hidden_layers=layers,
            num_attention_heads=8,
            num_key_value_heads=2,
            intermediate_size=192,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            attn_implementation="sdpa",
            **({"head_dim": 16} if family == "qwen3" else {}),
        )
        model = kind(config).to(getattr(torch, weights))
        seen.append(kept_bytes(model, 256, mixed=weights != compute))
    measured = (seen[1] - seen[0]) / 2 / 256
    training = HeroTraining.model_validate(ADAMW)
    expected = block_bytes_per_token(d, training, Setting(weights, compute, 256))
    assert 0.95 * measured < expected < 1.35 * measured, "never less than is kept, and not far above"


@pytest.mark.parametrize(
    "hero_id,billions",
    [("dio", 0.596), ("tomo", 1.72), ("omo", 1.71), ("neko", 3.09), ("dana", 3.82), ("flo", 4.02), ("ojas", 8.19)],
)
def test_weights_are_counted_from_the_dimensions(hero_id: str, billions: float) -> None:
    assert parameters(dimensions_of(load_hero(hero_id))) / 1e9 == pytest.approx(billions, rel=0.005)


def test_an_adapter_is_counted_from_its_shapes() -> None:
    d = DIMENSIONS
    training = HeroTraining.model_validate(
        {**ADAMW, "method": "lora", "adapter": {"r": 4, "target_modules": ["q_proj"]}}
    )
    assert adapter_parameters(d, training) == 3 * 4 * (64 + 128)
    dora = training.model_copy(update={"method": "dora"})
    assert adapter_parameters(d, dora) == 3 * (4 * (64 + 128) + 128)


@pytest.mark.parametrize(
    "batch,length,checkpointing,gb",
    [(16, 2048, False, 13.6), (12, 2048, False, 10.4), (8, 2048, False, 7.2), (12, 4096, True, 7.5)],
)
def test_the_rule_of_thumb_agrees_with_what_was_measured(
    batch: int, length: int, checkpointing: bool, gb: float
) -> None:
    assert quick_gb(0.6, batch, length, checkpointing=checkpointing) == pytest.approx(gb, abs=0.05)


def test_a_known_out_of_memory_is_not_called_a_fit() -> None:
    """4B in full with 8-bit moments on the card ends at 24 GB; with paged ones it is known to run at 18.6 GB."""
    assert hero_plan("flo", optimizer="adamw_8bit").verdict == "too large"
    paged = hero_plan("flo")
    assert paged.verdict == "fits"
    assert paged.estimate.peak / 1e9 == pytest.approx(18.6, rel=0.3)
    assert paged.estimate.host > 6 * GIB


def test_4_bit_weights_with_an_adapter_fit_8_billion_on_24_gib() -> None:
    assert hero_plan("ojas").verdict == "fits"
    assert hero_plan("zara").verdict == "fits"
    assert hero_plan("ojas", method="full", optimizer="adamw").verdict == "too large"


def test_embedding_states_in_32_bits_are_accounted_for() -> None:
    narrow, wide = hero_plan("flo").estimate, hero_plan("flo", embedding_states_32bit=True).estimate
    more = sum(p.bytes for p in wide.parts if p.when == "always") - sum(
        p.bytes for p in narrow.parts if p.when == "always"
    )
    assert more == pytest.approx(6 * 151936 * 2560, rel=0.02)


def test_memory_follows_the_pass_and_never_the_accumulation() -> None:
    few, many = hero_plan("ojas", accumulation=1), hero_plan("ojas", accumulation=64)
    assert few.estimate.peak == many.estimate.peak
    wide = hero_plan("ojas", 80, batch_tokens=4096, gradient_checkpointing=False)
    assert wide.setting.tokens == 4096 and wide.estimate.peak > few.estimate.peak


def test_a_plan_computes_no_more_blocks_twice_than_it_must() -> None:
    hero = load_hero("ojas")
    d, training = dimensions_of(hero), hero.training
    setting = Setting("bfloat16", "bfloat16", 2048)
    counts = [checkpointed_blocks(d, training, round(g * GIB), setting, RULES) for g in (80, 24, 16, 12)]
    assert counts[0] == 0
    assert counts == sorted(counts) and counts[-1] > counts[1]
    for budget, count in zip((24, 16, 12), counts[1:], strict=True):
        at = [estimate(d, training, Setting("bfloat16", "bfloat16", 2048, n), RULES).peak for n in (count, count - 1)]
        assert count == d.layers or at[0] <= budget * GIB < at[1] or count == 0


def test_what_the_yaml_says_of_checkpointing_is_taken() -> None:
    assert hero_plan("ojas", gradient_checkpointing=True).setting.checkpointed == ALL_BLOCKS
    assert hero_plan("ojas", gradient_checkpointing=7).setting.checkpointed == 7


@pytest.mark.parametrize(
    "size,card,prefer,profile",
    [
        (4, 24, "balanced", "24gb_full_paged"),
        (1.7, 24, "balanced", "24gb_full_small"),
        (7, 24, "quality", "24gb_lora_paged"),
        (7, 24, "full", "24gb_full_8bit_opt"),
        (8, 24, "balanced", "24gb_qlora"),
        (8, 24, "quality", "24gb_lora_8bit_base"),
        (8, 24, "efficiency", "24gb_qlora_8bit_opt"),
        (14, 24, "balanced", "24gb_qlora_8bit_opt"),
        (8, 48, "balanced", "24gb_full_small"),
        (13, 80, "balanced", "24gb_lora"),
        (30, 80, "balanced", "24gb_qlora"),
        (8, 12, "balanced", "24gb_qlora_8bit_opt"),
    ],
)
def test_a_profile_is_suggested_by_size_and_card(size: float, card: float, prefer: Any, profile: str) -> None:
    assert suggest(size, card, prefer) == profile


def test_cards_are_known_by_name_or_by_their_memory() -> None:
    assert [RULES.card_gib(n) for n in ("4090", "NVIDIA GeForce RTX 4080", "24", "40GiB", "voodoo")] == [
        24,
        16,
        24,
        40,
        None,
    ]

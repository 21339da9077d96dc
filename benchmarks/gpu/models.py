"""Models of true shapes made on the spot: what is measured is work and memory, which do not depend on the weights' values."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerFast
from transformers.models.qwen3 import Qwen3Config, Qwen3ForCausalLM

from benchmarks.gpu.cases import TINY, Case
from configs.loader import load_game, load_hero
from configs.schema import Dimensions, HeroConfig
from engine.attention import implementation
from engine.hero.model import Hero, finish
from engine.hero.tokenizer import build_hatchling_tokenizer
from engine.methods.adapters import give_adapter
from engine.placement import Placement, choose


def hero_of(case: Case) -> HeroConfig:
    """The hero's own YAML, with the case's passes."""
    hero = load_hero(case.hero)
    model: dict[str, Any] = {"context_length": max(case.longest, 64)}
    if case.name == "tiny":
        model |= {"dimensions": TINY, "size_b": 0.001}
    training = {"batch_tokens": max(64, case.batch_tokens), "batch_size": case.examples, "accumulation": 1}
    return hero.model_copy(
        update={
            "model": hero.model.model_copy(update=model),
            "training": hero.training.model_copy(update=training),
        }
    )


def dimensions(case: Case) -> Dimensions:
    """The shape of the case's model."""
    found = hero_of(case).model.dimensions
    assert found is not None
    return found


def bare_model(shape: Dimensions, device: str, dtype: torch.dtype, attention: str) -> Any:
    """Random weights in a model of transformers' own class."""
    config = Qwen3Config(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        intermediate_size=shape.intermediate_size,
        max_position_embeddings=shape.max_context,
        tie_word_embeddings=shape.tied,
        attn_implementation=implementation(attention),
        use_cache=False,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            torch.manual_seed(0)
            return Qwen3ForCausalLM(config)
    finally:
        torch.set_default_dtype(before)


def quantise(model: Any, compute: torch.dtype) -> None:
    """Every linear layer of the blocks in 4 bits (nf4, double quantised), one after the other."""
    from bitsandbytes.nn import Linear4bit, Params4bit

    for block in model.get_decoder().layers:
        for name, layer in list(block.named_modules()):
            if not isinstance(layer, nn.Linear):
                continue
            device = layer.weight.device
            small = Linear4bit(
                layer.in_features,
                layer.out_features,
                bias=False,
                compute_dtype=compute,
                compress_statistics=True,
                quant_type="nf4",
                device="meta",
            )
            small.weight = Params4bit(
                layer.weight.data.cpu(), requires_grad=False, compress_statistics=True, quant_type="nf4"
            ).to(device)
            parent, _, own = name.rpartition(".")
            setattr(block.get_submodule(parent), own, small)
            del layer
    model.is_quantized = True


def tokenizer() -> PreTrainedTokenizerFast:
    """The hatchling's; no text is tokenised in a race."""
    return PreTrainedTokenizerFast(
        tokenizer_object=build_hatchling_tokenizer(()), eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )


def our_hero(case: Case) -> tuple[Hero, Placement]:
    """The case's hero as the engine would hold it on this machine."""
    config = hero_of(case)
    placement = choose(config, load_game().engine)
    placement.apply()
    model = bare_model(dimensions(case), placement.device, placement.weights_dtype, placement.attention)
    base = None
    if config.training.adapted:
        if config.training.method == "qlora":
            quantise(model, torch.bfloat16)
        give_adapter(model, config)
        model.to(placement.device)
        base = {"name": "random", "fingerprint": "none"}
    return finish(config, model, tokenizer(), placement, base), placement

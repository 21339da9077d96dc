"""A hero as a model with its tokenizer: made on the spot or finished after loading, and saved as a plain Hugging Face folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedTokenizerFast
from transformers.models.qwen3 import Qwen3Config, Qwen3ForCausalLM
from transformers.utils import logging as transformers_logging

from configs.errors import RealmError
from configs.schema import HeroConfig
from configs.turn_format import turn_format
from engine.attention import implementation
from engine.chat.template import Template
from engine.hero.checkpointing import checkpoint_blocks
from engine.hero.tokenizer import END_OF_TEXT, END_OF_TURN, VOCABULARY, build_hatchling_tokenizer
from engine.kernels import apply_kernels
from engine.lean import LeanQwen3, supports
from engine.methods.adapters import assert_dtypes, save_adapter
from engine.placement import Placement

_LOADING_TRACES = ("is_local", "local_files_only", "name_or_path")
"""What a tokenizer remembers of how it was loaded; written out, it would change the digest of an equal hero."""


@dataclass(eq=False)
class Hero:
    """A model with its tokenizer, ready to train and answer."""

    config: HeroConfig
    model: Any
    """A transformers causal language model."""
    tokenizer: Any
    """A fast transformers tokenizer."""
    stop_ids: tuple[int, ...]
    """Tokens that end an answer."""
    end_of_text: int
    """The token that ends a raw text."""
    pad_id: int
    """Fills rows; never seen by a trained token."""
    template: Template = field(repr=False)
    row_tokens: int | None
    """Width of the rows that its examples are packed into; None: one row for each pass."""
    lean: LeanQwen3 | None = field(repr=False)
    """The passes by hand, where the model is one they compute."""
    base: Mapping[str, str] | None = None
    """Name and fingerprint of the frozen model under an adapter; None: the hero's weights are its own."""

    @property
    def context_length(self) -> int:
        """Most tokens of one example or conversation."""
        return self.config.model.context_length

    @property
    def vocabulary(self) -> int:
        """Rows of the embedding."""
        return int(self.model.get_input_embeddings().weight.shape[0])

    @property
    def parameters(self) -> int:
        """Number of weights; tied ones count once."""
        return sum(p.numel() for p in self.model.parameters())

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        found: torch.device = next(self.model.parameters()).device
        return found

    @property
    def kind(self) -> str:
        """What a checkpoint of this hero holds: ``full`` or ``adapter``."""
        return "full" if self.base is None else "adapter"

    def arithmetic(self) -> AbstractContextManager[Any]:
        """The context in which answers are written: fp32 adapters on a bf16 base make their products in bf16."""
        if self.base is not None and self.model.dtype is torch.bfloat16:
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def weights(self) -> dict[str, Tensor]:
        """Every weight that is trained by name, tied ones once; the tensors themselves, not copies."""
        return {name: p.detach() for name, p in self.model.named_parameters() if p.requires_grad}


def make_hatchling(config: HeroConfig, placement: Placement, *, seed: int, special: Sequence[str]) -> Hero:
    """A new small Qwen3-architecture hero with random weights.

    Args:
        config: a hero whose model source is ``hatchling``.
        placement: device, dtype and attention.
        seed: decides the weights; the process's own random streams are left as they were.
        special: the skills' words that become single tokens.
    """
    shape = config.model.shape
    if shape is None:
        raise RealmError(f"{config.name} is no hatchling", fix="give its YAML a `shape`", code="NO_SHAPE")
    tokenizer = _wrap(build_hatchling_tokenizer(special), config)
    ids = tokenizer.convert_tokens_to_ids([END_OF_TEXT, END_OF_TURN])
    qwen = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        head_dim=shape.head_dim,
        intermediate_size=shape.intermediate_size,
        max_position_embeddings=config.model.context_length,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        initializer_range=shape.initializer_range,
        tie_word_embeddings=True,
        attention_dropout=0.0,
        bos_token_id=None,
        eos_token_id=ids[1],
        pad_token_id=ids[0],
        attn_implementation=implementation(placement.attention),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(qwen)
    return finish(config, model, tokenizer, placement)


def save_folder(hero: Hero, weights: Mapping[str, Tensor], path: Path) -> None:
    """Write a plain Hugging Face folder: weights or adapter, configuration, tokenizer, chat template, stop tokens.

    Args:
        hero: gives configuration and tokenizer.
        weights: the weights to write, by the model's names (see `Hero.weights`); a tied head is not among them.
        path: an existing or new folder; files of the same names are replaced.
    """
    path.mkdir(parents=True, exist_ok=True)
    transformers_logging.disable_progress_bar()
    if hero.base is not None:
        save_adapter(hero.model, weights, path, hero.base)
        hero.model.generation_config.save_pretrained(path)
    else:
        hero.model.save_pretrained(path, state_dict={name: t.detach() for name, t in weights.items()})
    for trace in _LOADING_TRACES:
        hero.tokenizer.init_kwargs.pop(trace, None)
    hero.tokenizer.save_pretrained(path)


def finish(
    config: HeroConfig, model: Any, tokenizer: Any, placement: Placement, base: Mapping[str, str] | None = None
) -> Hero:
    """A hero around a model that is loaded and, where its method has one, holds its adapter."""
    template = Template(turn_format(config.model), tokenizer, hero_id=config.id, thinking=config.data.thinking)
    tokenizer.chat_template = template.jinja()
    end_of_text, stop_ids = template.end_of_text, template.stop_ids
    model.config.use_cache = False
    model.config.__dict__.pop("auto_map", None)  # names code that never came along
    model.generation_config = GenerationConfig(eos_token_id=list(stop_ids), pad_token_id=end_of_text, do_sample=False)
    apply_kernels(model, placement.kernels)
    checkpoint_blocks(model, placement.checkpointed_blocks)
    if not config.training.adapted:
        for weight in model.parameters():
            weight.data = weight.data.to(placement.weights_dtype)
    # Buffers keep their fp32: rounded rotary frequencies would turn far positions by whole radians.
    if not getattr(model, "is_quantized", False):
        model.to(device=placement.device)
    assert_dtypes(model, config.training, placement)
    model.train()
    lean = LeanQwen3(model) if base is None and supports(model) else None
    return Hero(
        config=config,
        model=model,
        tokenizer=tokenizer,
        stop_ids=stop_ids,
        end_of_text=end_of_text,
        pad_id=end_of_text,
        template=template,
        row_tokens=placement.row_tokens,
        lean=lean,
        base=base,
    )


def _wrap(tokenizer: Any, config: HeroConfig) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END_OF_TURN,
        pad_token=END_OF_TEXT,
        model_max_length=config.model.context_length,
        clean_up_tokenization_spaces=False,
    )

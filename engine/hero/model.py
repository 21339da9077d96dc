"""Heroes as models: made on the spot, loaded by name, or read from a folder; and saved as a plain Hugging Face folder."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from huggingface_hub import constants
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedTokenizerFast
from transformers.models.qwen3 import Qwen3Config, Qwen3ForCausalLM
from transformers.utils import logging as transformers_logging

from configs.errors import BlockedError, RealmError
from configs.schema import HeroConfig
from configs.turn_format import turn_format
from engine.attention import attended, implementation
from engine.chat.template import Template
from engine.hero.checkpointing import checkpoint_blocks
from engine.hero.tokenizer import END_OF_TEXT, END_OF_TURN, VOCABULARY, build_hatchling_tokenizer
from engine.lean import LeanQwen3, supports
from engine.placement import Placement

_LOADING_TRACES = ("is_local", "local_files_only", "name_or_path")
"""What a tokenizer remembers of how it was loaded; written out, it would change the digest of an equal hero."""
_HUB_LOOK_S = 5.0
"""How long an answer of the hub is waited for before a model counts as out of reach."""


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

    def weights(self) -> dict[str, Tensor]:
        """Every weight by name, tied ones once; the tensors themselves, not copies."""
        return {name: p.detach() for name, p in self.model.named_parameters()}


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
    return _hero(config, model, tokenizer, placement)


def load_pretrained(config: HeroConfig, placement: Placement) -> Hero:
    """A hero from its local folder, else the Hugging Face cache, else the hub.

    Raises:
        BlockedError: none of the three has it; the message names each place that was tried.
    """
    path, name = config.model.path, config.model.name
    if path:
        folder = Path(path).expanduser()
        if not (folder / "config.json").is_file():
            raise BlockedError(
                f"{config.name}'s model is not in {folder}",
                why="there is no config.json in that folder" if folder.is_dir() else "there is no such folder",
                fix="put the model's Hugging Face folder there, or clear `model.path` in the hero's YAML",
                code="MODEL_MISSING",
            )
        return load_folder(config, folder, placement)
    tried: list[str] = []
    for offline in (True, False):
        if not offline and (closed := _way_to_hub_closed()):
            tried.append(closed)
            break
        try:
            return _load(config, name, placement, local_files_only=offline)
        except (OSError, ValueError, SafetensorError) as error:
            reason = " ".join(str(error).split())
            tried.append(f"{'the cache' if offline else 'the hub'}: {reason[:200]}")
    raise BlockedError(
        f"{config.name}'s model {name} is not on this machine and could not be fetched",
        why="; ".join(tried),
        fix=f"connect to the internet once, or download {name} into a folder and name it as `model.path` in the hero's YAML",
        code="MODEL_MISSING",
    )


def load_folder(config: HeroConfig, path: Path, placement: Placement) -> Hero:
    """A hero from a Hugging Face folder: a checkpoint, a champion, or a model someone else made.

    Raises:
        RealmError: the folder is incomplete or damaged.
    """
    try:
        return _load(config, str(path), placement, local_files_only=True)
    except RealmError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise RealmError(
            f"the model in {path} cannot be loaded",
            why=" ".join(str(error).split())[:300],
            fix="choose another checkpoint (`realm ledger list`), or copy the model's folder again",
            code="MODEL_DAMAGED",
        ) from error


def save_folder(hero: Hero, weights: Mapping[str, Tensor], path: Path) -> None:
    """Write a plain Hugging Face folder: weights, configuration, tokenizer, chat template, stop tokens.

    Args:
        hero: gives configuration and tokenizer.
        weights: the weights to write, by the model's names (see `Hero.weights`); a tied head is not among them.
        path: an existing or new folder; files of the same names are replaced.
    """
    path.mkdir(parents=True, exist_ok=True)
    transformers_logging.disable_progress_bar()
    hero.model.save_pretrained(path, state_dict={name: t.detach() for name, t in weights.items()})
    for trace in _LOADING_TRACES:
        hero.tokenizer.init_kwargs.pop(trace, None)
    hero.tokenizer.save_pretrained(path)


def _load(config: HeroConfig, source: str, placement: Placement, *, local_files_only: bool) -> Hero:
    transformers_logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local_files_only)
    model, found = AutoModelForCausalLM.from_pretrained(
        source,
        local_files_only=local_files_only,
        dtype=placement.weights_dtype,
        attn_implementation=implementation(placement.attention),
        output_loading_info=True,
    )
    if found["missing_keys"]:
        raise RealmError(
            f"the model in {source} is incomplete",
            why=f"it lacks {', '.join(sorted(found['missing_keys'])[:3])}",
            fix="copy the model's folder again",
            code="MODEL_DAMAGED",
        )
    _check_fit(config, model, tokenizer, source)
    return _hero(config, model, tokenizer, placement)


def _check_fit(config: HeroConfig, model: Any, tokenizer: Any, source: str) -> None:
    """Refuse a model that reads less than the hero's context, or a tokenizer with more tokens than the model knows."""
    reads = getattr(model.config, "max_position_embeddings", None)
    if reads is not None and reads < config.model.context_length:
        raise RealmError(
            f"{config.name} is to read {config.model.context_length} tokens, and its model reads {reads}",
            why=f"max_position_embeddings in {source}",
            fix=f"set `model.context_length` in the hero's YAML to at most {reads}",
            code="CONTEXT_TOO_LONG",
        )
    window = attended(model)
    if window is not None and window < config.model.context_length:
        raise RealmError(
            f"{config.name} is to read {config.model.context_length} tokens, and some layers of its model look back {window}",
            why=f"sliding_window in {source}",
            fix=f"set `model.context_length` in the hero's YAML to at most {window}",
            code="CONTEXT_TOO_LONG",
        )
    tokens, rows = len(tokenizer), int(model.get_input_embeddings().weight.shape[0])
    if tokens > rows:
        raise RealmError(
            f"the tokenizer in {source} does not belong to its model",
            why=f"it has {tokens} tokens, the model knows {rows}",
            fix="copy the model's folder again",
            code="MODEL_DAMAGED",
        )


def _hero(config: HeroConfig, model: Any, tokenizer: Any, placement: Placement) -> Hero:
    template = Template(turn_format(config.model), tokenizer, hero_id=config.id, thinking=config.data.thinking)
    tokenizer.chat_template = template.jinja()
    end_of_text, stop_ids = template.end_of_text, template.stop_ids
    model.config.use_cache = False
    model.generation_config = GenerationConfig(eos_token_id=list(stop_ids), pad_token_id=end_of_text, do_sample=False)
    checkpoint_blocks(model, placement.checkpointed_blocks)
    for weight in model.parameters():
        weight.data = weight.data.to(placement.weights_dtype)
    # Buffers keep their fp32: rounded rotary frequencies would turn far positions by whole radians.
    model.to(device=placement.device)
    model.train()
    lean = LeanQwen3(model) if supports(model) else None
    return Hero(config, model, tokenizer, stop_ids, end_of_text, end_of_text, template, placement.row_tokens, lean)


def _wrap(tokenizer: Any, config: HeroConfig) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END_OF_TURN,
        pad_token=END_OF_TEXT,
        model_max_length=config.model.context_length,
        clean_up_tokenization_spaces=False,
    )


def _way_to_hub_closed() -> str:
    """Why the hub cannot be reached, or nothing; said at once, where the library would try for most of a minute."""
    switches = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    if any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in switches):
        return f"the hub is switched off ({' or '.join(switches)})"
    if getproxies():
        return ""
    hub = urlsplit(constants.ENDPOINT)
    try:
        port = hub.port or (80 if hub.scheme == "http" else 443)
        socket.create_connection((hub.hostname or "", port), timeout=_HUB_LOOK_S).close()
    except OSError as error:
        return f"the hub: {hub.hostname} cannot be reached ({error})"
    return ""

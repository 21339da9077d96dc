"""Model folders of every family the roster trains: a tiny random model from transformers' own configuration class, and its format's tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from configs.loader import load_hero
from configs.schema import HeroConfig
from tests.chat.speakers import tokenizer

FORMATS = {
    "qwen3": "chatml",
    "qwen3 untied": "chatml",
    "qwen2": "chatml",
    "llama": "llama3",
    "mistral": "mistral",
    "phi3": "phi3",
    "gemma": "gemma",
}
"""Family to turn format; Qwen3 with one tensor for head and embedding, and with two."""
_CLASSES = {
    "qwen3": "Qwen3",
    "qwen2": "Qwen2",
    "llama": "Llama",
    "mistral": "Mistral",
    "phi3": "Phi3",
    "gemma": "Gemma",
}
TIED = ("qwen3", "qwen2", "gemma")


def make_folder(path: Path, family: str, *, seed: int = 0) -> Path:
    """A whole model folder; fp32, two blocks, two key heads for four query heads."""
    transformers_logging.disable_progress_bar()
    speaker: PreTrainedTokenizerFast = tokenizer(FORMATS[family])
    name = _CLASSES[family.split()[0]]
    config = getattr(transformers, f"{name}Config")(
        vocab_size=-(-(len(speaker) + 1) // 64) * 64,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        intermediate_size=128,
        max_position_embeddings=256,
        tie_word_embeddings=family in TIED,
        pad_token_id=speaker.pad_token_id,
        bos_token_id=None,
        eos_token_id=speaker.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = getattr(transformers, f"{name}ForCausalLM")(config)
    model.save_pretrained(path)
    speaker.save_pretrained(path)
    return path


def hero_on(folder: Path, family: str, **training: Any) -> HeroConfig:
    """DIO's YAML over a family's folder."""
    data = load_hero("dio").model_dump()
    data["model"].update(
        path=str(folder), name=f"someone/{family.split()[0]}", family=family.split()[0], context_length=256
    )
    data["training"].update(
        {
            "learning_rate": 3e-3,
            "warmup_steps": 0,
            "adapter": {"r": 4, "alpha": 8},
            "galore": {"rank": 8, "update_gap": 2},
            **training,
        }
    )
    return HeroConfig.model_validate(data)

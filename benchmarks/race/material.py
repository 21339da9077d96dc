"""What is raced on: two models with random weights, and examples made of random tokens from one seed."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers.models.qwen3 import Qwen3Config, Qwen3ForCausalLM

from configs.loader import load_game, load_hero
from configs.schema import EngineRules, HeroConfig
from engine.chat.encoded import Encoded
from engine.hero.loading import load_folder
from engine.hero.model import Hero, make_hatchling, save_folder
from engine.hero.tokenizer import VOCABULARY
from engine.placement import Placement, choose

SEED = 0
CONTEXT = 512
MARKS = 256
"""From here on the hatchling's tokenizer, which both models share, has its marks; they are not drawn."""
MEDIUM = {
    "vocab_size": 16_384,
    "hidden_size": 512,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "intermediate_size": 1536,
}
"""A Qwen3 of 33.6 million parameters, with grouped key heads and a tied head as in Qwen3-0.6B."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model that is raced."""

    name: str
    about: str
    even: tuple[int, int, int]
    """Steps of a turn, examples of a step and their one length, where both sides get identical rows."""
    batch: int
    """Examples of a step on the uneven quest."""
    items: int
    """Examples of the uneven quest."""


MODELS = {
    "pip": Model("pip", "PIP: 0.5 million parameters, vocabulary 320", (12, 32, 64), 32, 256),
    "medium": Model("medium", "a Qwen3 of 33.6 million parameters, vocabulary 16,384", (2, 16, 128), 16, 64),
}


def tokens(name: str) -> range:
    """What the model's examples are drawn from."""
    return range(MARKS) if name == "pip" else range(VOCABULARY, MEDIUM["vocab_size"])


def rules() -> EngineRules:
    """The game's engine rules, on the CPU."""
    return load_game().engine.model_copy(update={"device": "cpu"})


def config(name: str, folder: Path, **training: Any) -> HeroConfig:
    """The hero's YAML: PIP's own, or one written for the folder's model; AdamW at a constant rate on both sides."""
    same = {"optimizer": "adamw", "warmup_steps": 0, "ema_decay": None, "learning_rate": 1e-4, "betas": (0.9, 0.95)}
    if name == "pip":
        data = load_hero("pip").model_dump()
    else:
        data = load_hero("dio").model_dump()
        data["model"].update(path=str(folder), name="", size_b=0.0336, context_length=CONTEXT, dimensions=None)
    data["training"].update(same | {"gradient_checkpointing": False, "threads": 1, "batch_tokens": 65_536} | training)
    return HeroConfig.model_validate(data)


def placement(hero: HeroConfig) -> Placement:
    """What the engine itself chooses for this hero on this machine."""
    return choose(hero, rules())


def write(name: str, folder: Path) -> Path:
    """The model's Hugging Face folder with the weights that every contestant begins with."""
    hero = _newborn()
    path = folder / name
    if name != "pip":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            hero.model = Qwen3ForCausalLM(
                Qwen3Config(
                    **MEDIUM,
                    max_position_embeddings=CONTEXT,
                    tie_word_embeddings=True,
                    bos_token_id=None,
                    eos_token_id=hero.stop_ids[0],
                    pad_token_id=hero.pad_id,
                )
            )
    save_folder(hero, {n: p.detach() for n, p in hero.model.named_parameters()}, path)
    return path


def read(name: str, folder: Path, hero: HeroConfig, where: Placement) -> Hero:
    """The hero with the folder's weights; the process is set up for ``where``."""
    where.apply()
    return load_folder(hero, folder, where)


def _newborn() -> Hero:
    hero = load_hero("pip")
    return make_hatchling(hero, choose(hero, rules()), seed=SEED, special=())


def even(name: str) -> list[list[Encoded]]:
    """Rows without padding for a turn's steps: all examples are equally long, the second half is trained."""
    rng, drawn = random.Random(SEED), tokens(name)
    steps, examples, length = MODELS[name].even
    half = [False] * (length // 2) + [True] * (length - length // 2)
    return [[Encoded([rng.choice(drawn) for _ in range(length)], half) for _ in range(examples)] for _ in range(steps)]


def uneven(name: str, count: int, low: int = 16, high: int = CONTEXT) -> list[Encoded]:
    """A quest: lengths log-uniform from ``low`` to ``high``; an answer takes a fifth to four fifths of its example."""
    rng, drawn = random.Random(SEED), tokens(name)
    items = []
    for _ in range(count):
        length = min(high, int(math.exp(rng.uniform(math.log(low), math.log(high + 1)))))
        asked = max(1, round(length * rng.uniform(0.2, 0.8)))
        ids = [rng.choice(drawn) for _ in range(length)]
        items.append(Encoded(ids, [False] * asked + [True] * (length - asked)))
    return items


def useful_flop(model: Model, tokens: int, trained: int) -> float:
    """Arithmetic a step cannot do without: layers on every real token, the head where a token is trained, forward and
    backward; attention, a few per cent here, is left out."""
    shape = MEDIUM if model.name == "medium" else _pip_shape()
    width, inner, dim = shape["hidden_size"], shape["intermediate_size"], shape["head_dim"]
    heads, pairs = shape["num_attention_heads"], shape["num_key_value_heads"]
    layer = width * dim * (2 * heads + 2 * pairs) + 3 * width * inner
    return 6.0 * (tokens * shape["num_hidden_layers"] * layer + trained * shape["vocab_size"] * width)


def _pip_shape() -> dict[str, int]:
    shape = load_hero("pip").model.shape
    assert shape is not None
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.head_dim,
        "intermediate_size": shape.intermediate_size,
    }

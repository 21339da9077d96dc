"""Small heroes for the model tests: a hatchling in fp32 on one thread, and a made-up Qwen3 with a BPE tokenizer."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast
from transformers.models.qwen3 import Qwen3Config, Qwen3ForCausalLM

from configs.loader import load_hero
from configs.schema import HeroConfig
from engine.batch import Batch, make_batch
from engine.chat.encoded import Encoded, Message
from engine.chat.template import encode_messages
from engine.hero.model import Hero, make_hatchling
from engine.placement import Placement

SPECIAL = ("⓪", "①", ", ", "Compute: ", "and(", "or(", "xor(")

PLACEMENT = Placement(
    device="cpu",
    weights="float32",
    compute="float32",
    matmul="highest",
    kernel="lean",
    half_orthogonal=False,
    attention="eager",
    row_tokens=64,
    threads=1,
    torch_version=torch.__version__,
)


def pip_config(**training: Any) -> HeroConfig:
    """PIP's YAML with other training values."""
    data = load_hero("pip").model_dump()
    data["training"].update(training)
    return HeroConfig.model_validate(data)


def hatchling(placement: Placement = PLACEMENT, seed: int = 0, **training: Any) -> Hero:
    """A newborn PIP."""
    return make_hatchling(pip_config(**training), placement, seed=seed, special=SPECIAL)


def unsettle(hero: Hero, seed: int = 1) -> None:
    """Move the weights away from their start, so that norm scales and biases towards one token count."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in hero.weights().values():
            weight.add_(torch.randn(weight.shape, generator=generator) * (0.3 if weight.ndim == 1 else 0.08))


def problem(rng: random.Random, width: int) -> list[Message]:
    """One bitwise problem with its answer."""
    a, b = rng.randrange(2**width), rng.randrange(2**width)
    name, value = rng.choice([("and", a & b), ("or", a | b), ("xor", a ^ b)])

    def digits(number: int) -> str:
        return "".join("⓪①"[number >> i & 1] for i in reversed(range(width)))

    return [
        {"role": "user", "content": f"Compute: {name}({digits(a)}, {digits(b)})"},
        {"role": "assistant", "content": digits(value)},
    ]


def examples(hero: Hero, count: int, seed: int = 0, widths: tuple[int, int] = (2, 7)) -> list[Encoded]:
    """Encoded problems of uneven lengths."""
    rng = random.Random(seed)
    return [encode_messages(hero, problem(rng, rng.randint(*widths))) for _ in range(count)]


def batches(hero: Hero, steps: int, size: int = 8, seed: int = 0) -> list[list[Batch]]:
    """One optimizer step's batch per entry."""
    return [[make_batch(examples(hero, size, seed=seed * 1000 + n))] for n in range(steps)]


def qwen_folder(path: Path, *, head_dim: int = 8) -> Path:
    """A tiny Qwen3 with grouped key heads, an untied head, and a BPE tokenizer with ChatML marks, as found on the hub."""
    texts = [
        "The quick brown fox answers: 12 + 30 = 42.",
        "Überraschung! naïve café, 日本語 テスト",
        "user assistant system",
    ]
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts * 4,
        trainers.BpeTrainer(vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
    )
    tokenizer.add_special_tokens([AddedToken(t) for t in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = "{{ 'another template' }}"
    config = Qwen3Config(
        vocab_size=512,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=head_dim,
        intermediate_size=64,
        max_position_embeddings=256,
        tie_word_embeddings=False,
        eos_token_id=tokenizer.token_to_id("<|im_end|>"),
        pad_token_id=tokenizer.token_to_id("<|endoftext|>"),
        bos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Qwen3ForCausalLM(config).save_pretrained(path)
    wrapped.save_pretrained(path)
    return path


def dio_config(path: Path | None = None, name: str = "Qwen/Qwen3-0.6B") -> HeroConfig:
    """DIO's YAML over a local folder."""
    data = load_hero("dio").model_dump()
    data["model"].update(path=str(path) if path else "", name=name, context_length=256)
    data["training"].update(learning_rate=1e-3, warmup_steps=0)
    return HeroConfig.model_validate(data)

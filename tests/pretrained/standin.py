"""Folders as the hub gives them out, made on the spot: a tiny model of a real family, its kind of tokenizer and template."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM
from transformers.models.qwen3 import Qwen3Config, Qwen3ForCausalLM
from transformers.utils import logging as transformers_logging

from configs.loader import load_hero
from configs.schema import HeroConfig
from skills.registry import get_skill

Family = Literal["qwen3", "qwen2", "llama"]

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
PLAIN = ("<think>", "</think>")
"""Tokens of their own that are not special, as in Qwen3."""
SPLIT = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
THINKING_TEMPLATE = """{%- set last = namespace(user=0) %}
{%- for message in messages %}{%- if message.role == 'user' %}{%- set last.user = loop.index0 %}{%- endif %}{%- endfor %}
{%- for message in messages %}
{%- set text = message.content %}
{%- if message.role == 'assistant' and '</think>' in text and loop.index0 < last.user %}
{%- set text = text.split('</think>')[-1].lstrip('\\n') %}
{%- elif message.role == 'assistant' and '</think>' not in text and loop.last %}
{%- set text = '<think>\\n\\n</think>\\n\\n' + text %}
{%- endif %}
{{- '<|im_start|>' + message.role + '\\n' + text + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}"""
"""Does what Qwen3's own template does to thinking: earlier blocks are dropped, empty ones are put in."""


def texts() -> list[str]:
    """What the tokenizer is trained on: problems with their answers, and a little prose."""
    skill = get_skill("bin")
    problems = [skill.generate(1 + i % 6, i, "train", "full") for i in range(400)]
    prose = [
        "Today is 2026-01-31. You are happy. You enjoy helping others.",
        "Say the word twice, please. What is the capital of nowhere? It has none!",
        "Überall naïve Füchse, 日本語 テスト und 12345 Zahlen.",
        "system user assistant",
    ]
    return [*(f"{p.prompt}\n{p.answer}" for p in problems), *prose * 20]


@cache
def _vocabulary() -> str:
    tokenizer = Tokenizer(BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts(),
        trainers.BpeTrainer(vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
    )
    return str(tokenizer.to_str())


def make_folder(
    path: Path,
    *,
    family: Family = "qwen3",
    tied: bool = True,
    eos: str = "<|im_end|>",
    pad: str | None = "<|endoftext|>",
    positions: int = 4096,
    fillers: int = 0,
    seed: int = 0,
) -> Path:
    """Write a model folder: two layers, grouped key heads, bf16 weights, embedding rows to spare.

    Args:
        path: the folder to make.
        family: decides architecture and tokenizer class.
        tied: head and embedding are one tensor.
        eos: the tokenizer's own end token (base models name ``<|endoftext|>``).
        pad: the tokenizer's own padding token.
        positions: what the model says it reads at most.
        fillers: words that only make the vocabulary large.
        seed: of the weights.
    """
    path.mkdir(parents=True)
    transformers_logging.disable_progress_bar()
    described = json.loads(_vocabulary())
    vocabulary = described["model"]["vocab"]
    for number in range(fillers):
        vocabulary[f"filler{number:06}"] = len(vocabulary)
    tokenizer = Tokenizer.from_str(json.dumps(described))
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in SPECIAL])
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=False) for t in PLAIN])
    tokenizer.save(str(path / "tokenizer.json"))
    _write(path / "tokenizer_config.json", _tokenizer_config(tokenizer, family, eos, pad))
    rows = -(-(tokenizer.get_vocab_size() + 1) // 64) * 64
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _model(family, rows, tied, positions, tokenizer)
    model.to(torch.bfloat16).save_pretrained(path)
    _write(
        path / "generation_config.json",
        {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "eos_token_id": tokenizer.token_to_id(eos)},
    )
    return path


def _tokenizer_config(tokenizer: Tokenizer, family: Family, eos: str, pad: str | None) -> dict[str, Any]:
    return {
        "tokenizer_class": "GPT2Tokenizer" if family == "llama" else "Qwen2Tokenizer",
        "add_prefix_space": False,
        "bos_token": SPECIAL[0] if family == "llama" else None,
        "eos_token": eos,
        "pad_token": pad,
        "unk_token": SPECIAL[0] if family == "llama" else None,
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
        "model_max_length": 131072,
        "clean_up_tokenization_spaces": False,
        "chat_template": THINKING_TEMPLATE,
        "added_tokens_decoder": {
            str(tokenizer.token_to_id(t)): {
                "content": t,
                "lstrip": False,
                "normalized": False,
                "rstrip": False,
                "single_word": False,
                "special": t in SPECIAL,
            }
            for t in (*SPECIAL, *PLAIN)
        },
    }


def _model(family: Family, rows: int, tied: bool, positions: int, tokenizer: Tokenizer) -> Any:
    shape: dict[str, Any] = {
        "vocab_size": rows,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 64,
        "max_position_embeddings": positions,
        "tie_word_embeddings": tied,
        "bos_token_id": tokenizer.token_to_id(SPECIAL[0]),
        "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
    }
    if family == "llama":
        return LlamaForCausalLM(LlamaConfig(**shape))
    if family == "qwen2":
        del shape["head_dim"]
        return Qwen2ForCausalLM(Qwen2Config(**shape))
    return Qwen3ForCausalLM(Qwen3Config(**shape))


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")


def hero_on(folder: Path, which: str = "dio", *, model: dict[str, Any] | None = None, **training: Any) -> HeroConfig:
    """A hero's shipped YAML over a folder, on one thread, in plain fp32 and with fewer examples a step."""
    data = load_hero(which).model_dump(mode="json")
    data["model"] |= {"path": str(folder), "context_length": 512, **(model or {})}
    data["training"] |= {
        "accumulation": 6,
        "batch_tokens": 256,
        "learning_rate": 3e-3,
        "warmup_steps": 3,
        "threads": 1,
        "precision": "float32",
        **training,
    }
    return HeroConfig.model_validate(data)

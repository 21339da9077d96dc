"""Small tokenizers that treat spaces, marks and beginnings as those of the real families do, and their templates."""

from __future__ import annotations

import json
from functools import cache

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from configs.turn_format import TurnFormat, turn_formats
from engine.chat.template import Template

FORMATS = ("chatml", "llama3", "phi3", "mistral", "gemma")
_CORPUS = [
    "The quick brown fox answers: 12 + 30 = 42.",
    "user assistant system model ipython Compute and answer",
    "Überraschung! naïve café, 日本語 テスト",
    '{"name": "weather", "arguments": {"city": "Oslo"}}',
] * 6
_WORDS = Regex(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+")


@cache
def tokenizer(format_id: str, *, without: str = "") -> PreTrainedTokenizerFast:
    """A tokenizer with the marks of a format, less ``without``; the exported template is set."""
    form = turn_formats()[format_id]
    bare = _byte_level() if format_id in ("chatml", "llama3") else _pieces(format_id)
    marks = [m for m in (*form.marks, form.end_of_text, *form.optional_marks) if m != without]
    thoughts = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
    bare.add_special_tokens(
        [AddedToken(m, normalized=False, rstrip=format_id == "phi3") for m in dict.fromkeys(marks) if m not in thoughts]
    )
    if format_id == "chatml":
        bare.add_tokens([AddedToken(m, normalized=False, special=False) for m in thoughts])
    return PreTrainedTokenizerFast(
        tokenizer_object=bare,
        eos_token=form.end_of_text,
        pad_token=form.end_of_text,
        clean_up_tokenization_spaces=False,
    )


class Voice:
    """A hero as far as speaking goes."""

    def __init__(self, format_id: str, *, thinking: bool = False) -> None:
        self.format: TurnFormat = turn_formats()[format_id]
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer(format_id).backend_tokenizer)
        self.template = Template(self.format, self.tokenizer, hero_id=format_id, thinking=thinking)
        self.tokenizer.chat_template = self.template.jinja()
        self.stop_ids = self.template.stop_ids

    def __repr__(self) -> str:
        return self.format.id


def _byte_level() -> Tokenizer:
    made = Tokenizer(BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(_WORDS, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        _CORPUS, trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    )
    return made


def _pieces(format_id: str) -> Tokenizer:
    """A vocabulary of pieces with ``▁`` for spaces and single bytes for what it does not know."""
    made = Tokenizer(BPE())
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if format_id == "phi3":
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        steps.append(decoders.Strip(" ", 1, 0))
    elif format_id == "mistral":
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        steps.append(decoders.Strip(" ", 1, 0))
    else:
        made.normalizer = normalizers.Replace(" ", "▁")
    made.decoder = decoders.Sequence(steps)
    made.train_from_iterator(
        [word for line in _CORPUS for word in (f"{w} " for w in line.split())],
        trainers.BpeTrainer(vocab_size=300, show_progress=False),
    )
    data = json.loads(made.to_str())
    vocabulary = data["model"]["vocab"]
    for byte in range(256):
        vocabulary.setdefault(f"<0x{byte:02X}>", len(vocabulary))
    data["model"]["byte_fallback"] = True
    whole: Tokenizer = Tokenizer.from_str(json.dumps(data))
    return whole

"""Reads samples of a domain: one JSON object a line, with a question and its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from configs.errors import UsageError
from skills.judging import safe_json

MAX_SAMPLES = 5_000
MAX_CHARS = 4_000
MAX_BYTES = 64 << 20
"""Size of a file of samples."""
LEAST = 12
"""Fewer samples show nothing that could be held out."""
HELD_OUT_SHARE = 5
"""One sample in this many takes no part in the proposal and checks it."""
_PAIRS = (
    ("prompt", "answer"),
    ("prompt", "completion"),
    ("question", "answer"),
    ("instruction", "output"),
    ("input", "output"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One question with its answer."""

    line: int
    prompt: str
    answer: str

    @property
    def held_out(self) -> bool:
        """Whether it only checks the proposal; equal prompts are always on one side."""
        digest = blake2b(self.prompt.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % HELD_OUT_SHARE == 0


@dataclass(frozen=True, slots=True)
class Samples:
    """What a file holds."""

    found: tuple[Sample, ...]
    refused: tuple[str, ...]
    """Lines that could not be used, each with its number and the reason."""
    digest: str


def read_samples(path: Path) -> Samples:
    """The samples of a JSONL file; lines that cannot be used are refused one by one.

    Raises:
        UsageError: the file cannot be read, or holds fewer than `LEAST` samples.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise OSError(f"it is larger than {MAX_BYTES >> 20} MiB")
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}", why=str(error), fix="name a JSONL file", code="NO_SAMPLES") from error
    found: list[Sample] = []
    refused: list[str] = []
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        try:
            prompt, answer = _pair(safe_json(line.decode("utf-8")))
        except (ValueError, RecursionError) as error:
            refused.append(f"line {number}: {error}")
            continue
        if len(found) >= MAX_SAMPLES:
            refused.append(f"line {number} and what follows: more than {MAX_SAMPLES:,} samples are not read")
            break
        found.append(Sample(number, prompt, answer))
    if len(found) < LEAST:
        raise UsageError(
            f"{path} holds {len(found)} samples that can be read",
            why="; ".join(refused[:3]),
            fix=f'give at least {LEAST}, each a line such as {{"prompt": "…", "answer": "…"}}',
            code="NO_SAMPLES",
        )
    return Samples(tuple(found), tuple(refused), blake2b(raw, digest_size=8).hexdigest())


def _pair(record: Any) -> tuple[str, str]:
    if not isinstance(record, dict):
        raise ValueError("it is no JSON object")
    if isinstance(record.get("messages"), list):
        prompt, answer = _turns(record["messages"])
    else:
        names = next((pair for pair in _PAIRS if pair[0] in record and pair[1] in record), None)
        if names is None:
            raise ValueError("it has no question and answer (`prompt` and `answer`, or `messages`)")
        prompt, answer = record[names[0]], record[names[1]]
        if names[0] == "instruction" and record.get("input"):
            prompt = f"{prompt}\n{record['input']}"
    if isinstance(answer, int) and not isinstance(answer, bool):
        answer = str(answer)
    if not isinstance(prompt, str) or not isinstance(answer, str) or not prompt.strip() or not answer.strip():
        raise ValueError("question or answer is empty or no text")
    if max(len(prompt), len(answer)) > MAX_CHARS:
        raise ValueError(f"question or answer is longer than {MAX_CHARS:,} characters")
    return prompt.strip(), answer.strip()


def _turns(turns: Sequence[Any]) -> tuple[Any, Any]:
    def said(role: str) -> list[Any]:
        return [turn.get("content") for turn in turns if isinstance(turn, Mapping) and turn.get("role") == role]

    asked, told = said("user"), said("assistant")
    if not asked or not told:
        raise ValueError("its messages hold no question or no answer")
    return asked[-1], told[-1]

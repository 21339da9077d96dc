"""What the card is asked to train: models of true shapes with random weights, and one seeded set of examples for every contestant."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from configs.schema import Dimensions

GIB = 1024**3
PEAK_TFLOPS = {
    "H200": 989.0,
    "H100": 989.0,
    "A100": 312.0,
    "RTX 4090": 165.2,
    "RTX 3090": 71.0,
}
"""Dense bf16 products with fp32 sums, by the makers' data sheets."""


@dataclass(frozen=True, slots=True)
class Case:
    """One race on a card."""

    name: str
    hero: str
    """Whose YAML gives method, optimizer and shape."""
    cap_gib: float | None
    """Most device memory a contestant may take; None: the whole card."""
    examples: int
    """Examples of one optimizer step."""
    shortest: int
    longest: int
    """Tokens of an example, log-uniform between the two."""
    batch_tokens: int
    """Most tokens of one of the engine's forward passes."""
    batch_size: int
    """Examples of one of SFTTrainer's forward passes."""
    to_beat: str
    """The figure the case is there for."""


TINY = Dimensions(
    hidden_size=64,
    layers=2,
    heads=4,
    kv_heads=2,
    head_dim=16,
    intermediate_size=128,
    vocab_size=320,
    tied=True,
    max_context=2048,
)

CASES = (
    Case("0.6b-full", "dio", None, 64, 128, 1024, 16_384, 32, "40 % MFU; 1.3 x TRL's tokens/s"),
    Case("4b-full", "flo", 24.0, 32, 128, 1024, 2048, 2, "18.6 GB peak on the device with 32 examples a step"),
    Case("8b-qlora", "ojas", 24.0, 8, 1024, 1024, 1024, 1, "12 GB peak on the device at length 1024"),
    Case("tiny", "dio", None, 4, 8, 32, 128, 2, "nothing: it shows that the command works, on any device"),
)


@dataclass(frozen=True, slots=True)
class Example:
    """Tokens, and how many of them stand before the answer and are not trained."""

    ids: list[int]
    masked: int


def steps_of(case: Case, vocabulary: int, steps: int, seed: int = 0) -> list[list[Example]]:
    """The same examples for everybody: half of each is question, half is answer."""
    rng = random.Random(f"{case.name}/{seed}")
    low, high = math.log(case.shortest), math.log(case.longest)
    made = []
    for _ in range(steps):
        lengths = [round(math.exp(rng.uniform(low, high))) for _ in range(case.examples)]
        made.append([Example([rng.randrange(vocabulary) for _ in range(n)], n // 2) for n in lengths])
    return made


def flops(shape: Dimensions, example: Example, *, frozen: bool) -> float:
    """Floating-point operations that one example's loss and gradients need, nothing computed twice.

    Products of a block: two operations per weight and token forward, the same again for the gradient of its input, and
    again for the gradient of its weight unless that is ``frozen``. Attention: scores and sums over the tokens before each
    one. The head: only where a token is trained.
    """
    tokens, trained = len(example.ids), len(example.ids) - example.masked
    attention = shape.heads * shape.head_dim
    block = shape.hidden_size * (2 * attention + 2 * shape.kv_heads * shape.head_dim + 3 * shape.intermediate_size)
    passes = 2 if frozen else 3
    products = 2.0 * passes * shape.layers * block * tokens
    scores = 2.0 * 3 * shape.layers * 2 * attention * tokens * (tokens + 1) / 2
    head = 2.0 * passes * shape.vocab_size * shape.hidden_size * trained
    return products + scores + head


def peak_tflops(card: str) -> float | None:
    """The data sheet's figure for a card's name, or None where it is not known here."""
    return next((peak for name, peak in PEAK_TFLOPS.items() if name in card), None)

"""The next token of every row, each by its own temperature, its own share of the likely, and its own random stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_LIKELY = 256
"""So many of the likeliest tokens are looked at first; only where they are not enough is the whole vocabulary sorted."""


@dataclass(slots=True, eq=False)
class Draw:
    """How one row's tokens are chosen."""

    temperature: float
    """0: the likeliest."""
    top_p: float
    stream: torch.Generator
    """On the CPU, of this row alone; one number of it is used for each token."""

    @classmethod
    def seeded(cls, temperature: float, top_p: float, seed: int) -> Draw:
        """With a random stream that begins at ``seed``."""
        return cls(temperature, top_p, torch.Generator().manual_seed(seed))


def choose(logits: Tensor, draws: Sequence[Draw]) -> list[int]:
    """One token a row. ``logits``: [rows, V] fp32; what a row gets depends on its own logits and stream alone."""
    likeliest: list[int] = logits.argmax(-1).tolist()
    for row, draw in enumerate(draws):
        if draw.temperature > 0:
            number = torch.rand((), generator=draw.stream, dtype=torch.float64)
            likeliest[row] = _drawn(logits[row] / draw.temperature, draw.top_p, number)
    return likeliest


def _drawn(logits: Tensor, top_p: float, number: Tensor) -> int:
    """The token at which the summed probability of the likeliest ones, until they reach ``top_p``, passes ``number`` of it."""
    whole = logits.logsumexp(-1)
    if top_p >= 1:
        mass = (logits - whole).double().exp().cumsum(-1)
        return min(int(torch.searchsorted(mass, (number.to(mass.device) * mass[-1])[None], right=True)), len(mass) - 1)
    likely, tokens = logits.topk(min(_LIKELY, len(logits)))
    if float((likely - whole).exp().sum()) < top_p:
        likely, tokens = logits.sort(descending=True, stable=True)
    shares = (likely - whole).double().exp()
    mass = shares.cumsum(-1)
    kept = max(1, int((mass - shares < top_p).sum()))
    mass = mass[:kept]
    place = min(int(torch.searchsorted(mass, (number.to(mass.device) * mass[-1])[None], right=True)), kept - 1)
    return int(tokens[place])


def probabilities(
    logits: Tensor, tokens: Sequence[int], tops: int
) -> tuple[list[float], list[list[tuple[int, float]]]]:
    """Log-probabilities of the chosen tokens, and the ``tops`` likeliest of each row with theirs. ``logits``: [rows, V] fp32."""
    found = logits.log_softmax(-1)
    chosen: list[float] = found[range(len(tokens)), list(tokens)].tolist()
    if not tops:
        return chosen, [[] for _ in tokens]
    values, places = found.topk(tops)
    pairs = zip(places.tolist(), values.tolist(), strict=True)
    return chosen, [list(zip(p, v, strict=True)) for p, v in pairs]

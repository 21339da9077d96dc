"""Tokens are drawn as often as they are likely, each row by its own stream."""

from __future__ import annotations

import math

import pytest
import torch

from engine.worker.draw import Draw, choose, probabilities

DRAWS = 3000


def shares(logits: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """How often each token was drawn."""
    draw = Draw.seeded(temperature, top_p, 3)
    found = [choose(logits[None], [draw])[0] for _ in range(DRAWS)]
    return torch.bincount(torch.tensor(found), minlength=len(logits)) / DRAWS


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_a_token_comes_as_often_as_it_is_likely(temperature: float) -> None:
    logits = torch.tensor([2.0, -1.0, 0.5, 1.5, -3.0])
    expected = torch.softmax(logits / temperature, -1)
    assert torch.allclose(shares(logits, temperature, 1.0), expected, atol=4 / math.sqrt(DRAWS))


def test_only_the_likely_ones_are_drawn_among_few_and_among_many() -> None:
    few = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    found = shares(few, 1.0, 0.75)
    assert torch.allclose(found, torch.tensor([0.625, 0.375, 0, 0]), atol=4 / math.sqrt(DRAWS))
    many = torch.zeros(1000)
    assert int((shares(many, 1.0, 0.5) > 0).sum()) <= 501
    assert int((shares(many, 1.0, 1.0) > 0).sum()) > 900
    peaked = torch.zeros(1000)
    peaked[700] = 20.0
    assert shares(peaked, 1.0, 1e-9)[700] == 1


def test_greedy_takes_the_likeliest_and_rows_do_not_share_a_stream() -> None:
    logits = torch.randn(6, 300, generator=torch.Generator().manual_seed(0))

    def draws() -> list[Draw]:
        ways = [(0.0, 1.0), (1.0, 1.0), (1.0, 0.9), (2.0, 0.2), (0.7, 1.0), (0.0, 0.1)]
        return [Draw.seeded(t, p, seed) for seed, (t, p) in enumerate(ways)]

    together = [choose(logits, d) for d in [draws()] for _ in range(20)]
    alone = [[choose(logits[n : n + 1], [d])[0] for _ in range(20)] for n, d in enumerate(draws())]
    assert [list(row) for row in zip(*together, strict=True)] == alone
    assert set(alone[0]) == {int(logits[0].argmax())}
    assert len(set(alone[1])) > 5


def test_probabilities_are_those_of_the_whole_vocabulary() -> None:
    logits = torch.randn(2, 50, generator=torch.Generator().manual_seed(1))
    chosen, tops = probabilities(logits, [3, 4], 5)
    logs = logits.log_softmax(-1)
    assert chosen == [pytest.approx(float(logs[0, 3])), pytest.approx(float(logs[1, 4]))]
    assert [t for t, _ in tops[0]] == logs[0].argsort(descending=True)[:5].tolist()
    assert probabilities(logits, [3, 4], 0)[1] == [[], []]

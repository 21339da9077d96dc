"""Packing changes nothing: examples of a row do not see each other, and every trained token is counted once."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.batch import Batch, make_batch, make_batches
from engine.chat.encoded import Encoded
from engine.step import batch_loss, hidden_states
from tests.model.heroes import PLACEMENT, examples, hatchling, unsettle

LENGTHS = st.lists(st.integers(2, 90), min_size=1, max_size=24)


def counted(lengths: list[int]) -> list[Encoded]:
    """Examples whose ids tell example and place apart; the second half is trained."""
    return [
        Encoded([100 * n + i for i in range(size)], [2 * i >= size for i in range(size)])
        for n, size in enumerate(lengths)
    ]


def read_back(batch: Batch) -> list[list[int]]:
    """Examples as they lie in the rows, in any order."""
    out = []
    for row in range(batch.input_ids.shape[0]):
        for segment in range(1, int(batch.segments[row].max()) + 1):
            here = batch.segments[row] == segment
            assert batch.positions[row][here].tolist() == list(range(int(here.sum())))
            out.append(batch.input_ids[row][here].tolist())
    return out


@given(LENGTHS)
def test_every_token_is_packed_once_and_every_trained_one_is_predicted_from_the_one_before(lengths: list[int]) -> None:
    items = counted(lengths)
    batch = make_batch(items)
    assert sorted(read_back(batch)) == sorted(item.ids for item in items)
    flat = batch.input_ids.flatten()
    wanted = [
        (n, item.ids[i - 1], item.ids[i])
        for n, item in enumerate(items)
        for i in range(1, len(item.ids))
        if item.trained[i]
    ]
    count = batch.trained_tokens
    found = list(zip(batch.owners.tolist(), flat[batch.sources].tolist(), batch.targets.tolist(), strict=True))
    assert found[:count] == wanted
    assert batch.weights[:count].eq(1).all()
    assert batch.weights[count:].eq(0).all()
    assert batch.tokens == sum(lengths)
    assert batch.weight_sum == count == sum(item.trained_tokens for item in items)


@given(LENGTHS, st.integers(1, 200))
def test_passes_keep_the_order_and_stay_within_their_tokens(lengths: list[int], limit: int) -> None:
    items = counted(lengths)
    parts = make_batches(items, max_tokens=limit)
    assert sum(part.examples for part in parts) == len(items)
    assert sum(part.trained_tokens for part in parts) == sum(item.trained_tokens for item in items)
    targets = [t for part in parts for t in part.targets[: part.trained_tokens].tolist()]
    assert targets == make_batch(items).targets[: len(targets)].tolist()
    assert all(part.tokens <= limit or part.examples == 1 for part in parts)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000))
def test_an_example_gives_the_same_states_packed_and_alone(seed: int) -> None:
    hero = hatchling()
    unsettle(hero)
    items = examples(hero, 9, seed=seed)
    with torch.no_grad():
        together = batch_loss(hero, make_batch(items), PLACEMENT).losses
        alone = [batch_loss(hero, make_batch([item]), PLACEMENT).losses[: item.trained_tokens] for item in items]
    assert torch.allclose(together[: sum(map(len, alone))], torch.cat(alone), atol=1e-5)


def test_changing_one_example_of_a_row_leaves_its_neighbour_bit_for_bit() -> None:
    hero = hatchling()
    unsettle(hero)
    first, second = examples(hero, 2, widths=(3, 3))
    other = Encoded([7] * len(first.ids), first.trained)
    with torch.no_grad():
        before, after = make_batch([first, second]), make_batch([other, second])
        assert before.input_ids.shape[0] == 1, "both lie in one row"
        mine = slice(first.trained_tokens, first.trained_tokens + second.trained_tokens)
        assert torch.equal(hidden_states(hero, before, PLACEMENT)[mine], hidden_states(hero, after, PLACEMENT)[mine])
        assert not torch.equal(hidden_states(hero, before, PLACEMENT)[0], hidden_states(hero, after, PLACEMENT)[0])


def test_weights_scale_an_examples_loss() -> None:
    hero = hatchling()
    items = examples(hero, 3)
    with torch.no_grad():
        plain = batch_loss(hero, make_batch(items), PLACEMENT)
        only = batch_loss(hero, make_batch(items, [0.0, 2.5, 0.0]), PLACEMENT)
        mine = slice(items[0].trained_tokens, items[0].trained_tokens + items[1].trained_tokens)
    assert torch.allclose(only.total, 2.5 * plain.losses[mine].sum())

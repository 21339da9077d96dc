"""Which examples are kept for before and after, and in which order the rest is read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from configs.loader import load_game
from engine.quests.split import epoch_order, held_out

RULES = load_game().quests
DIGESTS = st.lists(st.integers(0, 10**6).map(lambda n: f"{n:032x}"), max_size=300)


@given(digests=DIGESTS, data=st.data())
def test_copies_fall_on_one_side_and_reordering_changes_nothing(digests: list[str], data: st.DataObject) -> None:
    kept = {digests[i] for i in held_out(digests, RULES)}
    assert all((digest in kept) == (i in held_out(digests, RULES)) for i, digest in enumerate(digests))
    shuffled = data.draw(st.permutations(digests))
    assert {shuffled[i] for i in held_out(shuffled, RULES)} == kept
    assert not digests or len(kept) < len(set(digests)), "something is left to train on"


def test_the_share_is_kept_and_bounded() -> None:
    many = [f"{n:032x}" for n in range(20_000)]
    assert len(held_out(many, RULES)) == 500
    assert len(held_out(many[:1000], RULES)) == 50
    assert len(held_out(many[:8], RULES)) == 1, "a small file keeps one"
    assert len(held_out(many[:7], RULES)) == 0
    assert len(held_out(many, RULES.model_copy(update={"held_out_share": 0.0}))) == 0


@given(count=st.integers(0, 500), seed=st.integers(0, 2**63), epoch=st.integers(0, 50))
def test_an_epoch_reads_every_example_once_in_an_order_that_can_be_repeated(count: int, seed: int, epoch: int) -> None:
    order = epoch_order(count, seed, "digest", epoch)
    assert sorted(order) == list(range(count))
    assert order == epoch_order(count, seed, "digest", epoch)


def test_epochs_seeds_and_quests_have_orders_of_their_own() -> None:
    orders = {tuple(epoch_order(50, s, q, e)) for s in (1, 2) for q in ("a", "b") for e in (0, 1)}
    assert len(orders) == 8
    assert epoch_order(5, 1, "a", 0) == [4, 2, 1, 3, 0], "the order is part of an exact resume"

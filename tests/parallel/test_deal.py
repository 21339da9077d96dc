"""How a step is dealt out, and who sits where; no process is started here."""

from __future__ import annotations

import pytest
import torch

from configs.errors import BlockedError, RealmError
from configs.schema import EngineRules
from engine.batch import make_batch
from engine.chat.encoded import Encoded
from engine.parallel.deal import deal, even_parts
from engine.parallel.launch import ALONE, Seat, kind_of, seat
from engine.parallel.sharded import refuse_unproven
from tests.model.heroes import pip_config


def rules(**changed: object) -> EngineRules:
    """The engine's rules as shipped, but for ``changed``."""
    return EngineRules.model_validate(changed)


def item(length: int) -> Encoded:
    return Encoded(list(range(1, length + 1)), [False] + [True] * (length - 1))


@pytest.mark.parametrize("lengths", [[5] * 8, [60, 2, 2, 2], [2, 2, 60], [9], [3, 40, 3, 40, 3]])
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_parts_are_even_and_keep_the_order(lengths: list[int], parts: int) -> None:
    items = [item(n) for n in lengths]
    pieces = even_parts(items, parts)
    assert [one for piece in pieces for one in piece] == items
    assert 1 <= len(pieces) <= parts and all(pieces)
    assert max(sum(len(one.ids) for one in piece) for piece in pieces) <= sum(lengths) / parts + max(lengths)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_everybody_gets_as_many_passes_and_nothing_is_done_twice(count: int) -> None:
    batches = [make_batch([item(4 + n)]) for n in range(count)]
    dealt = deal(batches, 2)
    assert len(dealt[0]) == len(dealt[1])
    places = [place for share in dealt for place, _ in share if place is not None]
    assert sorted(places) == list(range(count))
    spare = [batch for share in dealt for place, batch in share if place is None]
    assert len(spare) == count % 2
    assert all(batch.weight_sum == 0 and not torch.any(batch.weights) for batch in spare)


def test_a_process_finds_its_seat_in_the_environment() -> None:
    assert seat({}) == ALONE
    told = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    assert seat(told) == Seat(3, 4, 1, 2)
    for broken in ({"WORLD_SIZE": "two"}, {"WORLD_SIZE": "2", "RANK": "2"}):
        with pytest.raises(RealmError) as error:
            seat(broken)
        assert error.value.code == "LAUNCH_BROKEN"


def test_the_rules_say_how_processes_share_the_hero_and_else_the_launcher() -> None:
    assert kind_of(rules(), {}) == "ddp"
    assert kind_of(rules(), {"ACCELERATE_USE_FSDP": "true"}) == "fsdp2"
    assert kind_of(rules(processes=2, parallel="ddp"), {"ACCELERATE_USE_FSDP": "true"}) == "ddp"


def test_several_processes_need_a_way_to_share() -> None:
    with pytest.raises(ValueError, match="ddp or fsdp2"):
        rules(processes=2)


@pytest.mark.parametrize(
    "training", [{"optimizer": "muon"}, {"optimizer": "adamw_8bit"}, {"optimizer": "adamw", "method": "qlora"}]
)
def test_what_cannot_be_cut_is_refused_under_fsdp2(training: dict[str, str]) -> None:
    with pytest.raises(BlockedError) as error:
        refuse_unproven(pip_config(**training).training)
    assert error.value.code == "NOT_SHARDED" and "engine.parallel" in error.value.fix

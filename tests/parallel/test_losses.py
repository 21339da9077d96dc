"""Several processes learn what one learns: same losses, same decisions, and either goes on where the other stopped."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.model.heroes import qwen_folder
from tests.parallel.crowd import by_one, by_two

KINDS = ("ddp", "fsdp2")
TOLERANCE = 1e-6
"""Relative, for each step's loss in fp32: sums are taken in another order."""
CLIP = 1.0
TRAINING = {"optimizer": "adamw", "learning_rate": 1e-3, "warmup_steps": 5, "max_grad_norm": CLIP, "ema_decay": 0.9}


def furthest(found: list[float], expected: list[float]) -> float:
    """The largest relative difference."""
    assert len(found) == len(expected) > 0
    return max(abs(a - b) / abs(b) for a, b in zip(found, expected, strict=True))


class Learnt:
    """The same ten steps by one process and by two, and the last six of them after every kind of resume."""

    def __init__(self, folder: Path) -> None:
        base = {"model": str(qwen_folder(folder / "model")), "training": TRAINING, "passes": 3, "evaluate": True}
        start = {**base, "steps": 10, "save_at": 4}
        rest = {**base, "steps": 6, "first": 4}
        self.one = by_one({**start, "state": str(folder / "one")})
        plans: list[dict[str, Any]] = []
        for kind in KINDS:
            plans += [
                {**start, "kind": kind, "state": str(folder / kind)},
                {**rest, "kind": kind, "resume": str(folder / "one")},
                {**rest, "kind": kind, "resume": str(folder / kind)},
            ]
        lora = {
            **base,
            "steps": 6,
            "rest_at": 2,
            "poison_at": 4,
            "training": {**TRAINING, "method": "lora", "adapter": {"r": 4, "dropout": 0.0}},
        }
        self.one_lora = by_one(lora)
        *made, ddp, fsdp2 = by_two([*plans, *({**lora, "kind": kind} for kind in KINDS)], folder)
        self.two_lora = {"ddp": ddp, "fsdp2": fsdp2}
        self.two = dict(zip(KINDS, made[0::3], strict=True))
        self.two_after_one = dict(zip(KINDS, made[1::3], strict=True))
        self.two_after_two = dict(zip(KINDS, made[2::3], strict=True))
        self.one_after_two = {k: by_one({**rest, "resume": str(folder / k)}) for k in KINDS}


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Learnt]:
    yield Learnt(tmp_path_factory.mktemp("parallel"))


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_lose_what_one_loses(learnt: Learnt, kind: str) -> None:
    one, two = learnt.one, learnt.two[kind]
    assert furthest(two["losses"], one["losses"]) <= TOLERANCE
    assert furthest(two["norms"], one["norms"]) <= TOLERANCE
    assert two["matches"] == one["matches"]
    for mine, theirs in zip(two["first"], one["first"], strict=True):
        assert mine == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_was_clipped_by_its_norm_over_all_processes(learnt: Learnt, kind: str) -> None:
    assert max(learnt.one["norms"]) > CLIP
    assert furthest(learnt.two[kind]["norms"], learnt.one["norms"]) <= TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_that_sit_exams_are_whole_on_the_first_process(learnt: Learnt, kind: str) -> None:
    assert math.isfinite(learnt.one["evaluated"])
    assert learnt.two[kind]["evaluated"] == pytest.approx(learnt.one["evaluated"], rel=TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["two_after_one", "two_after_two", "one_after_two"])
def test_a_checkpoint_goes_on_with_another_number_of_processes(learnt: Learnt, kind: str, way: str) -> None:
    resumed = getattr(learnt, way)[kind]
    assert furthest(resumed["losses"], learnt.one["losses"][4:]) <= TOLERANCE
    assert resumed["evaluated"] == pytest.approx(learnt.one["evaluated"], rel=TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_processes_as_before_repeat_every_bit(learnt: Learnt, kind: str) -> None:
    assert learnt.two_after_two[kind]["losses"] == learnt.two[kind]["losses"][4:]


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_is_infinite_in_one_process_is_refused_by_all(learnt: Learnt, kind: str) -> None:
    one, two = learnt.one_lora, learnt.two_lora[kind]
    assert one["finite"] == two["finite"] == [True, True, True, True, False, True]
    assert two["losses"][5] == pytest.approx(one["losses"][5], rel=TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_resting_gives_the_memory_of_all_processes_back_and_changes_nothing(learnt: Learnt, kind: str) -> None:
    two = learnt.two_lora[kind]
    assert two["freed"] > 0
    if kind == "fsdp2":
        assert two["freed"] < learnt.two_lora["ddp"]["freed"], "every process held all of it"
    assert furthest(two["losses"], learnt.one_lora["losses"]) <= TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_learns_beside_frozen_weights_that_are_shared_or_spread(learnt: Learnt, kind: str) -> None:
    one, two = learnt.one_lora, learnt.two_lora[kind]
    assert one["losses"][-1] < one["losses"][0]
    assert furthest(two["losses"], one["losses"]) <= TOLERANCE
    assert two["evaluated"] == pytest.approx(one["evaluated"], rel=TOLERANCE)


@pytest.mark.full
def test_fifty_steps_stay_within_a_millionth(tmp_path: Path) -> None:
    base = {"model": str(qwen_folder(tmp_path / "model")), "training": TRAINING, "steps": 50, "passes": 4}
    one = by_one(base)
    assert one["losses"][-1] < one["losses"][0] - 1
    for two in by_two([{**base, "kind": kind} for kind in KINDS], tmp_path):
        assert furthest(two["losses"], one["losses"]) <= TOLERANCE

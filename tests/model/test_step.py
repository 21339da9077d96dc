"""One optimizer step: how it is cut into passes does not matter, nothing infinite gets in, and it resumes to the bit."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode

from configs.errors import RealmError
from engine.batch import make_batch
from engine.hero.loading import load_folder
from engine.hero.model import Hero, save_folder
from engine.placement import Placement
from engine.step import StepLoop
from tests.model.heroes import PLACEMENT, batches, examples, hatchling, unsettle

MODEL = dataclasses.replace(PLACEMENT, kernel="model")


class Untouched:
    """An optimizer that only keeps the gradients it is given."""

    learning_rate = 0.0

    def __init__(self, hero: Hero) -> None:
        self.params = list(hero.model.parameters())
        self.kept: list[torch.Tensor] = []

    def zero_grad(self) -> None:
        for p in self.params:
            p.grad = None

    def step(self) -> None:
        self.kept = [p.grad.clone() for p in self.params if p.grad is not None]


@pytest.mark.parametrize("placement", [PLACEMENT, MODEL], ids=["lean", "model"])
@pytest.mark.parametrize("count", [8, 3])
def test_trap_01_the_gradient_does_not_depend_on_how_a_step_is_cut(placement: Placement, count: int) -> None:
    found = []
    for size in (count, 5, 4, 2, 1):
        hero = hatchling(placement, max_grad_norm=1000.0)
        unsettle(hero)
        items = examples(hero, count, seed=5, widths=(2, 16))
        keep = Untouched(hero)
        parts = [make_batch(items[i : i + size]) for i in range(0, count, size)]
        outcome = StepLoop(hero, placement, optimizer=keep).train(parts)  # type: ignore[arg-type]
        assert outcome.trained_tokens == sum(item.trained_tokens for item in items)
        assert len(outcome.matches) == count
        found.append((outcome.loss, keep.kept))
    for loss, gradient in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-6)
        for mine, whole in zip(gradient, found[0][1], strict=True):
            assert torch.allclose(mine, whole, atol=1e-6)


def test_both_kernels_learn_alike() -> None:
    losses = []
    for placement in (PLACEMENT, MODEL):
        loop = StepLoop(hatchling(placement), placement)
        losses.append([loop.train(step).loss for step in batches(loop.hero, 12)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0][-1] < losses[0][0] - 1


def test_the_outcome_tells_the_loss_of_the_first_example_and_who_matched() -> None:
    hero = hatchling(warmup_steps=5)
    items = examples(hero, 5)
    loop = StepLoop(hero, PLACEMENT)
    for _ in range(40):
        outcome = loop.train([make_batch(items)])
    assert outcome.matches == (True,) * 5
    assert len(outcome.token_losses) == items[0].trained_tokens
    assert outcome.tokens == sum(len(item.ids) for item in items)
    fresh = loop.train([make_batch([items[0]]), make_batch(examples(hero, 3, seed=99, widths=(20, 20)))])
    assert fresh.matches == (True, False, False, False)
    assert max(fresh.token_losses) < 1


def test_warm_up_rises_to_the_full_rate_and_stays() -> None:
    loop = StepLoop(hatchling(warmup_steps=4), PLACEMENT)
    rates = [loop.train(step).learning_rate for step in batches(loop.hero, 6, size=2)]
    assert rates == pytest.approx([3e-3 * share for share in (0.25, 0.5, 0.75, 1, 1, 1)])


@pytest.mark.parametrize("placement", [PLACEMENT, MODEL], ids=["lean", "model"])
def test_trap_18_a_step_that_is_not_finite_changes_nothing(placement: Placement) -> None:
    loop = StepLoop(hatchling(placement), placement)
    steps = batches(loop.hero, 4)
    for step in steps[:3]:
        loop.train(step)
    before, facts = loop.state()
    before = {name: tensor.clone() for name, tensor in before.items()}
    average = {name: tensor.clone() for name, tensor in loop.exam_weights().items()}
    poisoned = [dataclasses.replace(steps[3][0], weights=steps[3][0].weights * math.inf)]
    poisoned = [dataclasses.replace(poisoned[0], weight_sum=1.0)]
    outcome = loop.train(poisoned)
    assert not outcome.finite
    after, facts_after = loop.state()
    assert facts_after == facts
    for name, tensor in after.items():
        assert torch.equal(tensor, before[name]), name
    for name, tensor in loop.exam_weights().items():
        assert torch.equal(tensor, average[name]), name
    assert loop.train(steps[3]).finite


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize("ema", [0.98, None])
def test_a_saved_loop_goes_on_to_the_bit(tmp_path: Path, optimizer: str, ema: float | None) -> None:
    hero = hatchling(optimizer=optimizer, ema_decay=ema)
    loop = StepLoop(hero, PLACEMENT)
    steps = batches(hero, 10)
    for step in steps[:4]:
        loop.train(step)
    tensors, facts = loop.state()
    save_folder(hero, loop.exam_weights(), tmp_path)
    save_file(tensors, tmp_path / "state.safetensors")
    going_on = [loop.train(step).loss for step in steps[4:]]
    again = StepLoop(load_folder(hero.config, tmp_path, PLACEMENT), PLACEMENT)
    again.load(load_file(tmp_path / "state.safetensors"), facts)
    assert [again.train(step).loss for step in steps[4:]] == going_on
    for name, weight in loop.exam_weights().items():
        assert torch.equal(weight, again.exam_weights()[name]), name
    for name, weight in hero.weights().items():
        assert torch.equal(weight, again.hero.weights()[name]), name


def test_an_exam_changes_no_training_state() -> None:
    loop = StepLoop(hatchling(), PLACEMENT)
    steps = batches(loop.hero, 3)
    loop.train(steps[0])
    before = {name: tensor.clone() for name, tensor in loop.state()[0].items()}
    torch.set_float32_matmul_precision("medium")
    with loop.examined() as hero:
        assert not hero.model.training
        assert torch.get_float32_matmul_precision() == "highest"
    assert torch.get_float32_matmul_precision() == "medium"
    torch.set_float32_matmul_precision("highest")
    assert loop.evaluate(steps[1]) > 0
    for name, tensor in loop.state()[0].items():
        assert torch.equal(tensor, before[name]), name


def test_a_step_without_a_trained_token_is_refused() -> None:
    hero = hatchling()
    with pytest.raises(RealmError, match="no trained token"):
        StepLoop(hero, PLACEMENT).train([make_batch(examples(hero, 2), [0.0, 0.0])])


class Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what would make the host wait for a card: reading a number, or a shape that depends on one."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "unique")

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += any(word in str(func) for word in self.WAITING)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_no_micro_step_makes_the_host_wait_for_the_device(optimizer: str) -> None:
    hero = hatchling(MODEL, optimizer=optimizer)
    loop = StepLoop(hero, MODEL)
    items = examples(hero, 8)
    loop.train([make_batch(items)])
    found = []
    for cuts in (1, 8):
        parts = [make_batch(items[n::cuts]) for n in range(cuts)]
        with Waits() as waits:
            loop.train(parts)
        found.append(waits.count)
    assert found == [0, 0], "all numbers of a step are read in one transfer, after the last pass"

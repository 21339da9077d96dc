"""Updates within the backward pass: the weights of an ordinary step, without a gradient buffer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from configs.errors import BlockedError, RealmError
from configs.loader import load_game
from engine.batch import Batch, make_batch
from engine.chat.template import encode_messages
from engine.hero.loading import load_pretrained
from engine.hero.model import Hero
from engine.parallel.loop import ParallelLoop
from engine.placement import choose
from engine.step import StepLoop
from tests.families.folders import hero_on, make_folder
from tests.model.heroes import PLACEMENT, hatchling

UNCLIPPED: dict[str, Any] = {"method": "full", "accumulation": 1, "max_grad_norm": 1000.0}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("backward")
    return {name: make_folder(top / name.replace(" ", "-"), name) for name in ("qwen3", "qwen3 untied")}


def loop(folder: Path, **training: Any) -> StepLoop:
    config = hero_on(folder, "qwen3", **{**UNCLIPPED, **training})
    placement = choose(config, load_game().engine)
    torch.manual_seed(0)
    return StepLoop(load_pretrained(config, placement), placement)


def step(hero: Hero, number: int) -> list[Batch]:
    talks = [
        [{"role": "user", "content": f"Compute {n} + {n}"}, {"role": "assistant", "content": f"answers: {2 * n}"}]
        for n in range(number, number + 4)
    ]
    return [make_batch([encode_messages(hero, talk) for talk in talks])]


def same(one: StepLoop, other: StepLoop) -> bool:
    return all(torch.equal(w, other.hero.weights()[n]) for n, w in one.hero.weights().items())


@pytest.mark.parametrize("optimizer", ["adamw", "adamw_8bit", "sgd"])
@pytest.mark.parametrize("weights", ["float32", "bfloat16_stochastic", "bfloat16_master"])
@pytest.mark.parametrize("name", ["qwen3", "qwen3 untied"])
def test_the_weights_are_those_of_an_ordinary_step_to_the_bit(
    name: str, weights: str, optimizer: str, folders: dict[str, Path]
) -> None:
    """Head and embedding are one tensor in the first: its two gradients are added up before it moves."""
    plain = loop(folders[name], optimizer=optimizer, weights=weights)
    early = loop(folders[name], optimizer=optimizer, weights=weights, update="backward")
    for number in range(3):
        wanted, found = plain.train(step(plain.hero, number)), early.train(step(early.hero, number))
        assert found.loss == wanted.loss and found.finite
        assert found.grad_norm == pytest.approx(wanted.grad_norm, rel=1e-5 if weights == "float32" else 0.01)
        assert same(plain, early)
    tensors, facts = early.state()
    tensors = {n: t.clone() for n, t in tensors.items()}
    again = loop(folders[name], optimizer=optimizer, weights=weights, update="backward")
    for n, w in again.hero.weights().items():
        w.copy_(early.hero.weights()[n])
    again.load(tensors, facts)
    early.train(step(early.hero, 3))
    again.train(step(again.hero, 3))
    assert same(early, again), "and resumes to the bit"


@pytest.mark.parametrize("family", ["llama", "mistral", "phi3", "gemma"])
def test_the_same_in_every_family_with_blocks_computed_twice(family: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path, family)
    loops = []
    for update in ("step", "backward"):
        values = {**UNCLIPPED, "optimizer": "adamw", "gradient_checkpointing": True, "update": update}
        config = hero_on(folder, family, **values)
        placement = choose(config, load_game().engine)
        torch.manual_seed(0)
        loops.append(StepLoop(load_pretrained(config, placement), placement))
    plain, early = loops
    for number in range(2):
        assert plain.train(step(plain.hero, number)).loss == early.train(step(early.hero, number)).loss
    assert plain.placement.checkpointed_blocks and same(plain, early)


def test_updates_within_the_backward_pass_are_not_told_apart_from_it(folders: dict[str, Path]) -> None:
    here = loop(folders["qwen3"], optimizer="adamw", update="backward")
    parts = here.train(step(here.hero, 0)).parts
    assert parts.update_s is None and parts.forward_s is not None and 0 < parts.forward_s < parts.compute_s


def test_no_two_gradients_ever_wait(folders: dict[str, Path]) -> None:
    here = loop(folders["qwen3"], optimizer="adamw", update="backward")
    alive: list[int] = []
    params = here.optimizer.params
    handles = [
        p.register_post_accumulate_grad_hook(lambda _: alive.append(sum(q.grad is not None for q in params)))
        for p in params
    ]
    here.train(step(here.hero, 0))
    for handle in handles:
        handle.remove()
    assert len(alive) == len(params) and max(alive) == 1
    assert all(p.grad is None for p in params)


def test_every_gradient_is_clipped_by_itself(folders: dict[str, Path]) -> None:
    here = loop(folders["qwen3"], optimizer="sgd", update="backward", max_grad_norm=1e-3, momentum=0.0, learning_rate=1)
    before = {n: w.clone() for n, w in here.hero.weights().items()}
    outcome = here.train(step(here.hero, 0))
    assert outcome.grad_norm > 0.1, "what is shown is the norm before the clip"
    moved = {n: float((w - before[n]).norm()) for n, w in here.hero.weights().items()}
    assert max(moved.values()) == pytest.approx(1e-3, rel=0.01)


def test_trap_18_a_loss_that_is_not_finite_moves_nothing(folders: dict[str, Path]) -> None:
    here = loop(folders["qwen3"], optimizer="adamw", update="backward")
    here.train(step(here.hero, 0))
    with torch.no_grad():
        here.hero.model.get_input_embeddings().weight[5] = float("nan")
        here.hero.model.get_input_embeddings().weight[:] *= float("nan")
    before = {n: w.clone() for n, w in here.hero.weights().items()}
    updates = here.optimizer.updates
    outcome = here.train(step(here.hero, 1))
    assert not outcome.finite and here.optimizer.updates == updates
    for n, w in here.hero.weights().items():
        assert torch.equal(w.nan_to_num(), before[n].nan_to_num()), n


@pytest.mark.parametrize("optimizer", ["adamw", "adamw_8bit"])
def test_trap_18_a_gradient_that_is_not_finite_leaves_its_weight_and_those_below_alone(
    optimizer: str, folders: dict[str, Path]
) -> None:
    here = loop(folders["qwen3 untied"], optimizer=optimizer, update="backward")
    here.train(step(here.hero, 0))
    before = {n: w.clone() for n, w in here.hero.weights().items()}
    states = {n: t.clone() for n, t in here.state()[0].items()}
    here.hero.model.model.layers[1].register_full_backward_pre_hook(lambda _, given: (given[0] * float("inf"),))
    outcome = here.train(step(here.hero, 1))
    assert not outcome.finite and torch.isfinite(torch.tensor(outcome.loss))
    above = ("lm_head", "model.norm")
    for n, w in here.hero.weights().items():
        assert torch.isfinite(w).all() and torch.equal(w, before[n]) is not n.startswith(above), n
    for n, t in here.state()[0].items():
        if n.startswith("optimizer.") and not any(name in n for name in above):
            assert torch.equal(t, states[n]), n


def test_a_step_of_two_passes_is_refused(folders: dict[str, Path]) -> None:
    here = loop(folders["qwen3"], optimizer="adamw", update="backward")
    with pytest.raises(RealmError, match="a step of 2 passes") as refusal:
        here.train([*step(here.hero, 0), *step(here.hero, 1)])
    assert refusal.value.code == "ONE_PASS_ONLY"


def test_several_processes_are_refused() -> None:
    hero = hatchling(update="backward", optimizer="adamw")
    world: Any = None
    with pytest.raises(BlockedError, match="by one process only"):
        ParallelLoop(hero, PLACEMENT, world)


@pytest.mark.parametrize(
    ("values", "reason"),
    [({"accumulation": 2}, "must be 1"), ({"optimizer": "muon"}, "goes with"), ({"method": "lora"}, "goes with")],
)
def test_a_yaml_that_asks_for_what_cannot_be_is_refused(
    values: dict[str, Any], reason: str, folders: dict[str, Path]
) -> None:
    with pytest.raises(ValidationError, match=reason):
        hero_on(folders["qwen3"], "qwen3", **{**UNCLIPPED, "update": "backward", **values})

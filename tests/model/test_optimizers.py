"""Every optimizer a hero can ask for: what it does to the weights, what it keeps, and that it goes on to the bit."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from configs.errors import RealmError
from configs.training import HeroTraining
from engine.hero.loading import load_folder
from engine.hero.model import save_folder
from engine.optim.build import build_optimizer
from engine.optim.working import round_by_chance
from engine.placement import Placement, choose
from engine.step import StepLoop
from tests.model.heroes import PLACEMENT, batches, hatchling, pip_config

MODEL = dataclasses.replace(PLACEMENT, kernel="model")
HALF = dataclasses.replace(MODEL, weights="bfloat16", compute="bfloat16", attention="sdpa")
GALORE = {"method": "galore", "galore": {"rank": 8, "update_gap": 3, "scale": 0.25}}
ASKED: dict[str, dict[str, Any]] = {
    "adamw": {},
    "adamw_8bit": {},
    "paged_adamw_32bit": {},
    "paged_adamw_8bit": {},
    "muon": {},
    "sgd": {"learning_rate": 0.05},
    "galore_adamw": GALORE,
    "galore_adamw_8bit": GALORE,
}
PLACES = {
    "fp32": MODEL,
    "bf16": HALF,
    "bf16 stochastic": dataclasses.replace(HALF, rounding="stochastic"),
    "bf16 master": dataclasses.replace(HALF, rounding="master"),
}


PAIRS = [
    *((optimizer, place) for optimizer in ASKED for place in ("fp32", "bf16 stochastic")),
    *((optimizer, place) for optimizer in ("adamw", "adamw_8bit", "muon") for place in ("bf16", "bf16 master")),
]


@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
@pytest.mark.parametrize(("optimizer", "place"), PAIRS)
def test_trap_14_every_optimizer_learns_and_goes_on_to_the_bit(tmp_path: Path, optimizer: str, place: str) -> None:
    """Paged states are plain ones on a CPU: that they are paged again after a resume is to be shown on a card."""
    averaged = 0.9 if optimizer in ("adamw", "muon") else None
    hero = hatchling(PLACES[place], optimizer=optimizer, ema_decay=averaged, warmup_steps=2, **ASKED[optimizer])
    loop = StepLoop(hero, PLACES[place])
    steps = batches(hero, 12, size=4)
    losses = [loop.train(step).loss for step in steps[:7]]
    tensors, facts = loop.state()
    save_folder(hero, loop.exam_weights(), tmp_path)
    save_file(tensors, tmp_path / "state.safetensors")
    going_on = [loop.train(step).loss for step in steps[7:]]
    assert sum(going_on[-3:]) < sum(losses[:3]), "it learns"
    again = StepLoop(load_folder(hero.config, tmp_path, PLACES[place]), PLACES[place])
    again.load(load_file(tmp_path / "state.safetensors"), facts)
    assert [again.train(step).loss for step in steps[7:]] == going_on
    for name, weight in hero.weights().items():
        assert torch.equal(weight, again.hero.weights()[name]), name
    for name, weight in loop.exam_weights().items():
        assert torch.equal(weight, again.exam_weights()[name]), name


@pytest.mark.parametrize(("place", "arrives"), [("bf16", False), ("bf16 stochastic", True), ("bf16 master", True)])
def test_trap_17_small_updates_reach_bf16_weights_only_with_rounding_by_chance_or_a_master(
    place: str, arrives: bool
) -> None:
    """A thousand updates of 1e-5 of a weight: 1 % in the end, and each of them far below bf16's 0.4 %."""
    model = torch.nn.Linear(64, 64, bias=False)
    model.weight.data = torch.ones(64, 64, dtype=torch.bfloat16)
    optimizer = build_optimizer(
        Bare(model),
        training(optimizer="sgd", learning_rate=1e-5, momentum=0.0),
        rounding=PLACES[place].rounding,
    )
    for _ in range(1000):
        model.weight.grad = torch.ones_like(model.weight)
        optimizer.step()
    moved = 1 - float(model.weight.detach().float().mean())
    if place == "bf16 master":
        (master,) = (t for n, t in optimizer.state()[0].items() if n.startswith("master/"))
        assert float(1 - master.mean()) == pytest.approx(0.01, rel=0.01)
    assert moved == (pytest.approx(0.01, abs=0.003) if arrives else 0.0)


def test_rounding_by_chance_keeps_the_mean_and_never_leaves_the_neighbours() -> None:
    value = torch.full((200_000,), 1.001)
    target = torch.empty(200_000, dtype=torch.bfloat16)
    round_by_chance(target, value, torch.Generator().manual_seed(0))
    assert set(target.float().tolist()) == {1.0, 1.0078125}
    assert float(target.double().mean()) == pytest.approx(1.001, abs=1e-4)
    exact = torch.tensor([1.5, -2.0, 0.0])
    kept = torch.empty(3, dtype=torch.bfloat16)
    round_by_chance(kept, exact, torch.Generator().manual_seed(0))
    assert torch.equal(kept.float(), exact)


def test_trap_13_embeddings_keep_8_bit_states_unless_32_are_asked_for() -> None:
    found = {}
    for wide in (False, True):
        hero = hatchling(MODEL, optimizer="adamw_8bit", embedding_states_32bit=wide)
        loop = StepLoop(hero, MODEL)
        loop.train(batches(hero, 1)[0])
        found[wide] = {n: t.dtype for n, t in loop.state()[0].items() if "embed_tokens" in n and n.endswith("state1")}
    assert list(found[False].values()) == [torch.uint8]
    assert list(found[True].values()) == []
    hero = hatchling(MODEL, optimizer="adamw_8bit", embedding_states_32bit=True)
    loop = StepLoop(hero, MODEL)
    loop.train(batches(hero, 1)[0])
    names = {n: t.dtype for n, t in loop.state()[0].items() if n.startswith("optimizer.embeddings/")}
    assert names and set(names.values()) == {torch.float32}


def test_galore_is_adam_seen_through_the_gradients_strongest_directions() -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(24, 16, bias=False)
    asked = training(
        optimizer="galore_adamw",
        method="galore",
        galore={"rank": 4, "update_gap": 2, "scale": 0.5},
        learning_rate=0.1,
        weight_decay=0.1,
        warmup_steps=0,
    )
    optimizer = build_optimizer(Bare(model), asked)
    expected = model.weight.detach().clone()
    m = v = torch.zeros(4, 24)
    window = torch.zeros(0)
    for t in range(1, 6):
        grad = torch.randn(16, 24)
        model.weight.grad = grad.clone()
        if (t - 1) % 2 == 0:
            window = torch.linalg.svd(grad, full_matrices=False)[0][:, :4].T
        low = window @ grad
        m, v = 0.9 * m + 0.1 * low, 0.95 * v + 0.05 * low**2
        step = (m / (1 - 0.9**t)) / ((v / (1 - 0.95**t)).sqrt() + 1e-8)
        expected = expected * (1 - 0.1 * 0.1) - 0.1 * 0.5 * (window.T @ step)
        optimizer.step()
    assert torch.allclose(model.weight, expected, atol=1e-5)
    states = [t for n, t in optimizer.state()[0].items() if n.endswith("exp_avg")]
    assert [tuple(t.shape) for t in states] == [(4, 24)], "the states are as small as the window"


def test_galore_leaves_matrices_no_wider_than_its_rank_to_plain_adam() -> None:
    hero = hatchling(MODEL, optimizer="galore_adamw", method="galore", galore={"rank": 1024})
    loop = StepLoop(hero, MODEL)
    loop.train(batches(hero, 1)[0])
    assert not [n for n in loop.state()[0] if n.startswith("optimizer.galore/")]


def test_a_state_with_a_missing_piece_is_refused_and_names_it() -> None:
    hero, tensors, facts = trained("adamw")
    gone = "model.layers.0.mlp.up_proj.weight"
    with pytest.raises(RealmError, match=f"{gone} is missing") as refusal:
        build_optimizer(hero.model, hero.config.training).load(
            {n: t for n, t in tensors.items() if f"/{gone}/" not in n}, facts
        )
    assert refusal.value.code == "CHECKPOINT_BROKEN"


def test_a_state_of_other_weights_is_refused_and_names_one() -> None:
    hero, tensors, facts = trained("adamw")
    foreign = {**tensors, "adamw/model.layers.9.mlp.up_proj.weight/exp_avg": torch.zeros(1)}
    with pytest.raises(RealmError, match=r"unknown weight model.layers.9") as refusal:
        build_optimizer(hero.model, hero.config.training).load(foreign, facts)
    assert refusal.value.code == "CHECKPOINT_FOREIGN"


PIECES = {
    "adamw": ("up_proj.weight/exp_avg_sq", "exp_avg_sq of"),
    "adamw_8bit": ("up_proj.weight/absmax1", "absmax1 of"),
    "galore_adamw": ("up_proj.weight/window", "window of"),
}


@pytest.mark.parametrize("optimizer", PIECES)
def test_a_weights_state_without_one_of_its_pieces_or_of_another_shape_is_refused_and_named(optimizer: str) -> None:
    hero, tensors, facts = trained(optimizer, **ASKED[optimizer])
    end, named = PIECES[optimizer]
    piece = next(name for name in tensors if name.endswith(end))
    without = {n: t for n, t in tensors.items() if n != piece}
    other = {**tensors, piece: torch.zeros(3, 5)}
    for given, code in ((without, "CHECKPOINT_BROKEN"), (other, "CHECKPOINT_FOREIGN")):
        with pytest.raises(RealmError, match=named) as refusal:
            build_optimizer(hero.model, hero.config.training).load(given, facts)
        assert refusal.value.code == code


def test_trap_14_an_optimizer_that_keeps_nothing_goes_on_too() -> None:
    hero, tensors, facts = trained("sgd", momentum=0.0)
    assert tensors == {}
    again = build_optimizer(hero.model, hero.config.training)
    again.load(tensors, facts)
    assert again.updates == 2


def test_trap_14_a_weight_that_has_never_moved_has_no_state_to_miss() -> None:
    """A weight that a family has but its text never uses; or one whose only gradient so far was not finite."""
    hero = hatchling(MODEL, optimizer="adamw")
    optimizer = build_optimizer(hero.model, hero.config.training)
    for number, p in enumerate(optimizer.params):
        p.grad = torch.ones_like(p) if number else None
    optimizer.step()
    tensors, facts = optimizer.state()
    build_optimizer(hero.model, hero.config.training).load(tensors, facts)
    moved = optimizer.params[1]
    gone = next(name for name, p in hero.model.named_parameters() if p is moved)
    with pytest.raises(RealmError, match=f"{gone} is missing"):
        build_optimizer(hero.model, hero.config.training).load(
            {n: t for n, t in tensors.items() if f"/{gone}/" not in n}, facts
        )


@pytest.mark.parametrize("rounding", ["stochastic", "master"])
def test_trap_17_weights_in_fp32_beside_bf16_ones_are_never_rounded(rounding: Any) -> None:
    half, full = torch.nn.Linear(8, 8, bias=False, dtype=torch.bfloat16), torch.nn.Linear(8, 8, bias=False)
    before = full.weight.detach().clone()
    asked = training(optimizer="sgd", learning_rate=1e-5, momentum=0.0)
    optimizer = build_optimizer(Bare(torch.nn.Sequential(half, full)), asked, rounding=rounding)
    for weight in optimizer.params:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    assert torch.equal(full.weight, before - 1e-5)


@pytest.mark.parametrize("change", [{"optimizer": "sgd"}, {"optimizer": "galore_adamw", **GALORE}])
def test_a_state_of_another_way_to_learn_is_refused(change: dict[str, Any]) -> None:
    hero, tensors, facts = trained("adamw")
    with pytest.raises(RealmError, match="was trained with adamw"):
        build_optimizer(hero.model, pip_config(**change).training).load(tensors, facts)


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_states_of_the_first_version_which_counted_weights_are_still_read(optimizer: str) -> None:
    hero, tensors, facts = trained(optimizer)
    fresh = build_optimizer(hero.model, hero.config.training)
    order = {part.label: part.names for part in fresh._parts}
    old: dict[str, Tensor] = {}
    for full, tensor in tensors.items():
        label, name, key = full.split("/")
        place = order[label].index(name)
        old[f"muon.momentum.{place}" if label == "muon" else f"adamw.{place}.{key}"] = tensor
    fresh.load(old, {"kind": facts["kind"], "updates": facts["updates"]})
    for name, tensor in fresh.state()[0].items():
        assert torch.equal(tensor, tensors[name])


def test_a_rate_set_by_the_player_scales_every_part_and_is_kept() -> None:
    hero, tensors, facts = trained("muon")
    optimizer = build_optimizer(hero.model, hero.config.training)
    optimizer.load(tensors, facts)
    planned = optimizer.learning_rate
    optimizer.rate_factor = 0.25
    assert optimizer.learning_rate == pytest.approx(planned / 4)
    again = build_optimizer(hero.model, hero.config.training)
    again.load(*optimizer.state())
    assert again.learning_rate == pytest.approx(planned / 4)


@pytest.mark.parametrize(
    ("asked", "weights", "rounding"),
    [
        ("auto", "float32", "none"),
        ("float32", "float32", "none"),
        ("bfloat16", "bfloat16", "none"),
        ("bfloat16_stochastic", "bfloat16", "stochastic"),
        ("bfloat16_master", "bfloat16", "master"),
    ],
)
def test_the_yaml_decides_how_weights_are_kept(asked: str, weights: str, rounding: str) -> None:
    from configs.loader import load_game

    placement: Placement = choose(pip_config(weights=asked), load_game().engine)
    assert (placement.weights, placement.rounding) == (weights, rounding)


class Bare(torch.nn.Module):
    """A model without embeddings."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def get_input_embeddings(self) -> None:
        return None

    get_output_embeddings = get_input_embeddings


def training(**values: Any) -> HeroTraining:
    return HeroTraining.model_validate({"learning_rate": 1e-3, "warmup_steps": 0, **values})


def trained(optimizer: str, **values: Any) -> tuple[Any, dict[str, Tensor], dict[str, Any]]:
    """A hero after two steps, with its optimizer's state."""
    hero = hatchling(MODEL, optimizer=optimizer, **values)
    loop = StepLoop(hero, MODEL)
    for step in batches(hero, 2):
        loop.train(step)
    tensors, facts = loop.optimizer.state()
    return hero, {n: t.clone() for n, t in tensors.items()}, facts

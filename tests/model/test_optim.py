"""Muon is torch's Muon; the averaged weights are exactly swapped in and out."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from configs.errors import RealmError
from engine.optim.build import build_optimizer
from engine.optim.ema import AveragedWeights
from engine.optim.muon import BatchedMuon, orthogonalise
from tests.model.heroes import hatchling, pip_config

SHAPES = [(24, 24), (24, 24), (24, 60), (60, 24), (24, 60), (8, 3)]


def test_muon_follows_torchs_muon() -> None:
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(s)) for s in SHAPES]
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    mine = BatchedMuon(ours, lr=0.02, momentum=0.95, weight_decay=0.1, half=True)
    reference = torch.optim.Muon(theirs, lr=0.02, momentum=0.95, weight_decay=0.1)
    for _ in range(5):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        before = [p.detach().clone() for p in ours]
        mine.step()
        reference.step()  # type: ignore[no-untyped-call]
        for a, b, old in zip(ours, theirs, before, strict=True):
            moved = float((b - old).detach().norm())
            assert float((a - b).detach().norm()) < 0.03 * moved, "bf16 rounding apart, the same step"
            with torch.no_grad():
                b.copy_(a)


def test_fp32_orthogonalising_drives_singular_values_towards_one_and_keeps_directions() -> None:
    torch.manual_seed(0)
    wide = torch.randn(5, 24, 60)
    values = torch.linalg.svdvals(orthogonalise(wide))
    assert float(values.min()) > 0.6
    assert float(values.max()) < 1.3
    u, _, vh = torch.linalg.svd(wide, full_matrices=False)
    core = u.mT @ orthogonalise(wide) @ vh.mT
    assert torch.allclose(core, torch.diag_embed(core.diagonal(dim1=1, dim2=2)), atol=1e-3)


def test_muon_moves_the_matrices_and_adamw_the_rest() -> None:
    hero = hatchling()
    optimizer = build_optimizer(hero.model, hero.config.training)
    tensors, facts = optimizer.state()
    assert (facts["kind"], facts["updates"]) == ("muon", 0)
    assert len([name for name in tensors if name.startswith("muon/") and name.endswith("/momentum")]) == 28
    assert optimizer.learning_rate == pytest.approx(3e-3 / 50)


def test_a_state_of_another_optimizer_is_refused() -> None:
    hero = hatchling()
    tensors, facts = build_optimizer(hero.model, pip_config(optimizer="adamw").training).state()
    with pytest.raises(RealmError, match="was trained with adamw"):
        build_optimizer(hero.model, hero.config.training).load(tensors, facts)


def test_averaged_weights_follow_the_formula_and_swap_without_a_trace() -> None:
    model = torch.nn.Linear(3, 2)
    ema = AveragedWeights(model, decay=0.9)
    expected = model.weight.detach().clone()
    for t in range(30):
        with torch.no_grad():
            model.weight += torch.randn_like(model.weight)
        ema.update()
        decay = min(0.9, (1 + t) / (10 + t))
        expected = decay * expected + (1 - decay) * model.weight.detach()
    assert torch.allclose(ema.weights()["weight"], expected, atol=1e-5)
    raw = model.weight.detach().clone()
    with pytest.raises(KeyError), ema.applied():
        assert torch.allclose(model.weight, expected, atol=1e-5)
        raise KeyError("an exam that breaks")
    assert torch.equal(model.weight, raw)
    assert torch.allclose(ema.weights()["weight"], expected, atol=1e-5)


class CopiesInFull(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most fp32 copies of half-precision tensors that were alive at a time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._copies: list[weakref.ref[torch.Tensor]] = []
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if "_to_copy" in str(func) and made.dtype is torch.float32:
            self._copies.append(weakref.ref(made))
            self.most = max(self.most, sum(copy() is not None for copy in self._copies))
        return made


def test_the_average_of_half_precision_weights_copies_one_of_them_at_a_time() -> None:
    model = torch.nn.ModuleList([torch.nn.Linear(4, 4).bfloat16(), torch.nn.Linear(4, 4)])
    ema = AveragedWeights(model, decay=0.9)
    before = {name: p.detach().float().clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1.0)
    with CopiesInFull() as copies:
        ema.update()
    assert copies.most == 1
    for (name, p), average in zip(model.named_parameters(), ema._shadow, strict=True):
        assert torch.allclose(average, before[name].lerp(p.detach().float(), 0.9)), name

"""The head: losses and gradients are those of the plain loss, whatever the weights, the slices and the dtype."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from configs.errors import RealmError
from engine.head import HeadGradients, head_gradients, head_loss, head_weight, log_probabilities, slice_tokens
from tests.model.heroes import hatchling

TOLERANCE = {
    # dtype: losses (absolute), gradients (relative to the largest entry); both against the plain loss in float64
    torch.float32: (1e-5, 1e-5),
    torch.bfloat16: (0.06, 0.02),
}


def work(dtype: torch.dtype, tokens: int = 200) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(tokens, 16, generator=generator).to(dtype).requires_grad_()
    weight = torch.randn(50, 16, generator=generator).to(dtype).requires_grad_()
    targets = torch.randint(50, (tokens,), generator=generator)
    weights = torch.rand(tokens, generator=generator) * (torch.rand(tokens, generator=generator) > 0.3)
    return hidden, weight, targets, weights


def plain(hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Losses and both gradients by autograd over all logits in float64."""
    h, w = hidden.detach().double().requires_grad_(), weight.detach().double().requires_grad_()
    losses = torch.nn.functional.cross_entropy(h @ w.T, targets, reduction="none")
    to_hidden, to_weight = torch.autograd.grad((losses * weights).sum(), [h, w])
    return losses.detach(), to_hidden, to_weight


def gap(mine: Tensor, true: Tensor) -> float:
    return float((mine.double() - true).abs().max() / true.abs().max())


@pytest.fixture(params=[1, 10**9], ids=["many slices", "one slice"])
def slices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.head._SLICE_NUMBERS", {"cpu": request.param})


@pytest.mark.usefixtures("slices")
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_trap_25_weighted_losses_and_gradients_are_those_of_the_plain_loss(dtype: torch.dtype) -> None:
    hidden, weight, targets, weights = work(dtype)
    result = head_loss(hidden, weight, targets, weights)
    to_hidden, to_weight = torch.autograd.grad(result.total * 3, [hidden, weight])
    losses, true_hidden, true_weight = plain(hidden, weight, targets, weights)
    close, share = TOLERANCE[dtype]
    assert float((result.losses.double() - losses).abs().max()) < close
    assert to_hidden.dtype is to_weight.dtype is dtype
    assert gap(to_hidden / 3, true_hidden) < share
    assert gap(to_weight / 3, true_weight) < share


def test_a_token_of_weight_zero_leaves_no_trace() -> None:
    hidden, weight, targets, weights = work(torch.float32)
    absent = weights == 0
    assert absent.any() and not absent.all()
    to_hidden, to_weight = torch.autograd.grad(head_loss(hidden, weight, targets, weights).total, [hidden, weight])
    assert not to_hidden[absent].any()
    kept = ~absent
    only = head_loss(hidden[kept], weight, targets[kept], weights[kept])
    assert torch.allclose(to_weight, torch.autograd.grad(only.total, [weight])[0], atol=1e-5)


def test_a_frozen_head_gets_no_gradient_and_the_states_get_the_same() -> None:
    hidden, weight, targets, weights = work(torch.float32)
    moving = torch.autograd.grad(head_loss(hidden, weight, targets, weights).total, [hidden])[0]
    frozen = weight.detach()
    made = head_gradients(hidden, frozen, targets, weights, train_head=False)
    assert made.weight is None
    result = head_loss(hidden, frozen, targets, weights)
    assert torch.equal(torch.autograd.grad(result.total, [hidden])[0], moving)


def test_a_loss_that_is_only_looked_at_makes_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, weight, targets, weights = work(torch.float32)
    trained = head_loss(hidden, weight, targets, weights)
    made: list[HeadGradients] = []

    def watched(*args: Any, **how: Any) -> HeadGradients:
        made.append(head_gradients(*args, **how))
        return made[-1]

    monkeypatch.setattr("engine.head.head_gradients", watched)
    with torch.no_grad():
        looked = head_loss(hidden, weight, targets, weights)
    assert torch.equal(looked.losses, trained.losses) and torch.equal(looked.total, trained.total)
    assert torch.equal(looked.right, trained.right)
    assert made[0].hidden is None and made[0].weight is None


def test_the_gradient_may_be_summed_in_the_weights_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.head._SLICE_NUMBERS", {"cpu": 1})
    hidden, weight, targets, weights = work(torch.bfloat16)
    made = head_gradients(hidden, weight, targets, weights, sum_dtype=torch.bfloat16)
    assert made.weight is not None and made.weight.dtype is torch.bfloat16
    assert gap(made.weight, plain(hidden, weight, targets, weights)[2]) < 0.05


@pytest.mark.usefixtures("slices")
def test_log_probabilities_and_entropies_are_those_of_all_logits() -> None:
    hidden, weight, targets, _ = work(torch.float32)
    made = log_probabilities(hidden, weight, targets)
    logp = torch.log_softmax((hidden @ weight.T).double(), -1)
    assert torch.allclose(made.logp.double(), logp.gather(1, targets[:, None])[:, 0], atol=1e-5)
    assert torch.allclose(made.entropy.double(), -(logp.exp() * logp).sum(-1), atol=1e-5)
    assert torch.equal(made.right, logp.argmax(-1) == targets)


def test_a_loss_of_log_probabilities_takes_two_passes_and_no_logits() -> None:
    """A DPO-like loss of two summed log-probabilities: autograd over all logits gives the same gradients."""
    hidden, weight, targets, _ = work(torch.float32, tokens=24)
    half = torch.arange(24) < 12

    def loss_of(logp: Tensor) -> Tensor:
        return -torch.nn.functional.logsigmoid(0.1 * (logp[half].sum() - logp[~half].sum()))

    naive = torch.log_softmax(hidden @ weight.T, -1).gather(1, targets[:, None])[:, 0]
    true = torch.autograd.grad(loss_of(naive), [hidden, weight])
    logp = log_probabilities(hidden, weight, targets).logp.requires_grad_()
    (by_logp,) = torch.autograd.grad(loss_of(logp), [logp])
    mine = torch.autograd.grad(head_loss(hidden, weight, targets, -by_logp).total, [hidden, weight])
    for one, other in zip(mine, true, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_the_logits_of_a_large_vocabulary_exist_a_slice_at_a_time() -> None:
    assert slice_tokens(151_936, "cpu") * 151_936 <= 64 * 1024 * 1024
    assert slice_tokens(10**9, "cpu") == 64


@pytest.mark.parametrize(("name", "value"), [("final_logit_softcapping", 30.0), ("logits_scaling", 8.0)])
def test_a_model_that_bends_its_logits_is_refused(name: str, value: float) -> None:
    model: Any = hatchling().model
    head_weight(model)
    setattr(model.config, name, value)
    with pytest.raises(RealmError, match=name):
        head_weight(model)

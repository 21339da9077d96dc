"""One optimizer step: forward passes, one division by the trained tokens, clip, finite check, update, average."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from configs.errors import RealmError
from engine.batch import Batch
from engine.head import HeadResult, head_loss, head_weight
from engine.hero.model import Hero
from engine.optim.backward import updating
from engine.optim.build import HeroOptimizer, build_optimizer
from engine.optim.ema import AveragedWeights
from engine.out_of_memory import whole_update
from engine.placement import Placement
from engine.precision import exact_matmul
from engine.random_streams import random_streams, restore_random_streams
from engine.step_clock import StepClock, StepParts


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What one optimizer step did."""

    loss: float
    """Mean loss per trained token in nats, unweighted; NaN or infinite when the step was refused."""
    finite: bool
    """False: loss or gradient was not finite, and weights, optimizer and average were left alone."""
    grad_norm: float
    """Global gradient norm before the clip."""
    learning_rate: float
    """AdamW's learning rate in this step."""
    tokens: int
    trained_tokens: int
    token_losses: tuple[float, ...]
    """Loss of each trained token of the first example, in order."""
    matches: tuple[bool, ...]
    """Per example: every trained token was the most likely one."""
    parts: StepParts
    """Where the seconds of the step went."""


class TrainingPass(torch.nn.Module):
    """The forward pass of one micro-batch as one module, so that it can be wrapped for several devices.

    Args:
        hero: the model.
        placement: how it computes.
    """

    def __init__(self, hero: Hero, placement: Placement) -> None:
        super().__init__()
        self.model = hero.model
        self.placement = placement
        self.adapted = hero.base is not None
        head_weight(hero.model)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """`HeadResult` of ``batch`` as a tuple: total, losses, right."""
        with self.placement.autocast(adapted=self.adapted):
            states = self.hidden_states(batch)
            made = head_loss(states, head_weight(self.model), batch.targets, batch.weights)
        return made.total, made.losses, made.right

    def hidden_states(self, batch: Batch) -> Tensor:
        """[N, H]: the states from which the batch's trained tokens are predicted."""
        dtype = torch.float32 if self.placement.compute == "float32" else torch.bfloat16
        output: Tensor = self.model.get_decoder()(
            input_ids=batch.input_ids,
            position_ids=batch.positions,
            use_cache=False,
            **batch.visibility(self.placement.attention, dtype),
        ).last_hidden_state
        return output.flatten(0, 1).index_select(0, batch.sources)


def hidden_states(hero: Hero, batch: Batch, placement: Placement) -> Tensor:
    """[N, H]: the states from which the batch's trained tokens are predicted."""
    return TrainingPass(hero, placement).hidden_states(batch)


def batch_loss(hero: Hero, batch: Batch, placement: Placement) -> HeadResult:
    """Loss of one forward pass; its gradient flows from ``total``."""
    return HeadResult(*TrainingPass(hero, placement)(batch))


class StepLoop:
    """The hero in training: weights, optimizer, averaged weights.

    Args:
        hero: the model, on its device.
        placement: where and how it computes.
        optimizer: None: built from the hero's YAML.
        ema: None: built from the hero's YAML, where it asks for one.
    """

    repeatable = True
    """A step that ran out of memory may be tried again."""

    def __init__(
        self,
        hero: Hero,
        placement: Placement,
        optimizer: HeroOptimizer | None = None,
        ema: AveragedWeights | None = None,
    ) -> None:
        self.hero, self.placement = hero, placement
        self.trained = hero
        """Whose weights learn; another one than ``hero`` only where no process holds whole weights."""
        self.optimizer = optimizer or self.new_optimizer()
        self.ema = ema or self.new_average()
        self._lean = hero.lean if placement.kernel == "lean" else None
        self._forward = TrainingPass(hero, placement)
        self._clock = StepClock(card=placement.device == "cuda")
        self._accelerator = Accelerator(cpu=placement.device == "cpu", mixed_precision="no")

    def new_optimizer(self) -> HeroOptimizer:
        """The optimizer of the hero's YAML, which has not yet made a step."""
        placement, training = self.placement, self.hero.config.training
        return build_optimizer(self.hero.model, training, half=placement.half_orthogonal, rounding=placement.rounding)

    def new_average(self) -> AveragedWeights | None:
        """An average of the weights as they are now; None where the hero keeps none."""
        decay = self.hero.config.training.ema_decay
        return AveragedWeights(self.hero.model, decay) if decay is not None else None

    def train(self, micro_batches: Sequence[Batch]) -> StepOutcome:
        """One optimizer step over all ``micro_batches`` together.

        Raises:
            RealmError: none of them has a trained token.
        """
        weight = sum(b.weight_sum for b in micro_batches)
        if not weight > 0:
            raise RealmError(
                "this step has no trained token", fix="give every example an answer", code="NOTHING_TRAINED"
            )
        hero, optimizer = self.trained, self.optimizer
        hero.model.train()
        optimizer.zero_grad()
        self._clock.begin()
        rate = optimizer.learning_rate
        in_backward = hero.config.training.update == "backward"
        results: list[tuple[Batch, HeadResult]] = []
        if in_backward:
            with whole_update():
                results, norm = self._pass_and_update(micro_batches, weight)
        else:
            for batch in micro_batches:
                placed = self._placed(batch)
                results.append((placed, self._pass(placed, weight)))
            norm = self._accelerator.clip_grad_norm_(optimizer.params, hero.config.training.max_grad_norm)
        loss, grad_norm, finite, first, matches = _collect(results, norm)
        if finite:
            with whole_update():
                if not in_backward:
                    optimizer.step()
                if self.ema is not None:
                    self.ema.update()
        self._clock.lap("update")
        return StepOutcome(
            loss=loss,
            finite=finite,
            grad_norm=grad_norm,
            learning_rate=rate,
            tokens=sum(b.tokens for b in micro_batches),
            trained_tokens=sum(b.trained_tokens for b in micro_batches),
            token_losses=first,
            matches=matches,
            parts=self._clock.parts(update_apart=not in_backward),
        )

    def _placed(self, batch: Batch) -> Batch:
        """The batch on the device."""
        placed = batch.to(self.placement.device)
        self._clock.lap("data")
        return placed

    def _pass(self, batch: Batch, divisor: float) -> HeadResult:
        """Forward and backward; the gradient of the batch's loss over ``divisor`` is added to the weights'."""
        if self._lean is not None:
            result = self._lean.loss_and_gradients(batch, divisor)
            self._clock.lap("both")
            return result
        result = HeadResult(*self._forward(batch))
        self._clock.lap("forward")
        self._accelerator.backward(result.total / divisor)
        self._clock.lap("backward")
        return result

    def _pass_and_update(
        self, batches: Sequence[Batch], divisor: float
    ) -> tuple[list[tuple[Batch, HeadResult]], Tensor]:
        """The step's only pass, whose backward half updates the weights; the gradient's norm, NaN where the loss was not finite."""
        if len(batches) != 1:
            raise RealmError(
                f"a step of {len(batches)} passes cannot update within the backward pass",
                why="no gradient is kept, so there is nothing that a second pass could be added to",
                fix="lower `training.batch_size`, or set `training.update` to step",
                code="ONE_PASS_ONLY",
            )
        batch = self._placed(batches[0])
        result = HeadResult(*self._forward(batch))
        self._clock.lap("forward")
        if not torch.isfinite(result.total):
            return [(batch, result)], result.total.detach()
        with whole_update(), updating(self.optimizer, self.hero.config.training.max_grad_norm) as arrivals:
            self._accelerator.backward(result.total / divisor)
        self._clock.lap("backward")
        return [(batch, result)], arrivals.norm()

    @torch.no_grad()
    def evaluate(self, micro_batches: Sequence[Batch]) -> float:
        """Mean loss per trained token with the weights that sit exams; changes nothing."""
        with self.examined():
            total = sum(float(self._forward(b.to(self.placement.device))[0]) for b in micro_batches)
        return total / sum(b.weight_sum for b in micro_batches)

    @contextmanager
    def examined(self) -> Iterator[Hero]:
        """The hero as it sits exams: averaged weights where it keeps them, evaluation mode, exact products."""
        self.hero.model.eval()
        try:
            with exact_matmul():
                if self.ema is None:
                    yield self.hero
                else:
                    with self.ema.applied():
                        yield self.hero
        finally:
            self.hero.model.train()

    def close(self) -> None:
        """The last step is done."""

    def exam_weights(self) -> dict[str, Tensor]:
        """The weights that sit exams and fill a checkpoint's folder, by name."""
        return self.ema.weights() if self.ema is not None else self.trained.weights()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a checkpoint needs beside the folder of `exam_weights`: tensors, and facts as JSON.

        Where averaged weights are kept the folder holds those, and the tensors hold the raw weights in training.
        """
        tensors, facts = self.optimizer.state()
        out = {f"optimizer.{name}": tensor.contiguous() for name, tensor in tensors.items()}
        if self.ema is not None:
            out.update({f"weights.{name}": tensor.contiguous() for name, tensor in self.trained.weights().items()})
            out.update({f"average.{name}": tensor for name, tensor in self.ema.unrounded().items()})
        streams = random_streams()
        return {**out, **streams}, {
            "optimizer": facts,
            "ema_updates": None if self.ema is None else self.ema.updates,
            "streams": sorted(streams),
        }

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Continue exactly where `state` was taken; the hero must hold the weights of that checkpoint's folder."""
        if self.ema is not None:
            full = {n.removeprefix("average."): t for n, t in tensors.items() if n.startswith("average.")}
            self.ema.load({**self.trained.weights(), **full}, int(facts["ema_updates"]))
            for name, weight in self.trained.weights().items():
                weight.copy_(tensors[f"weights.{name}"])
        own = {n.removeprefix("optimizer."): t for n, t in tensors.items() if n.startswith("optimizer.")}
        self.optimizer.load(own, facts["optimizer"])
        restore_random_streams(tensors, facts.get("streams"))


def _collect(
    results: Sequence[tuple[Batch, HeadResult]], norm: Tensor
) -> tuple[float, float, bool, tuple[float, ...], tuple[bool, ...]]:
    """Loss, gradient norm, whether both are finite, losses of the first example, matches; one transfer from the device."""
    trained = sum(batch.trained_tokens for batch, _ in results)
    norm = norm.detach().float()
    sums: list[Tensor] = []
    wrongs: list[Tensor] = []
    for batch, result in results:
        sums.append(result.losses[: batch.trained_tokens].sum())
        wrong = torch.zeros(batch.examples + 1, device=result.losses.device)
        wrongs.append(wrong.index_add_(0, batch.owners, (~result.right).float())[: batch.examples])
    loss = torch.stack(sums).sum() / trained
    finite = torch.isfinite(loss) & torch.isfinite(norm)
    first = results[0][1].losses[: results[0][0].first_trained]
    numbers = torch.cat([torch.stack([loss, norm, finite.float()]), first, *wrongs]).tolist()
    rest = 3 + results[0][0].first_trained
    return numbers[0], numbers[1], bool(numbers[2]), tuple(numbers[3:rest]), tuple(n == 0 for n in numbers[rest:])

"""The step loop of one of several processes: its share of each step, one gradient, one decision, the same update everywhere.

The first process's loop is used like any `StepLoop`: each of its methods first tells the others what is about to happen, and they do their
part in `obey`. The loss is divided by the trained tokens of all processes, the gradient is clipped by its norm over all of them, and
whether a step is finite is decided from sums that are the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from configs.errors import BlockedError, RealmError
from engine.batch import Batch
from engine.head import HeadResult
from engine.hero.model import Hero
from engine.optim.ema import AveragedWeights
from engine.parallel.deal import deal
from engine.parallel.shelf import Shelf
from engine.parallel.world import Order, Verb, World
from engine.placement import Placement
from engine.step import StepLoop, StepOutcome
from engine.step_clock import StepParts

_STREAM = "random."
"""First letters of a state's random streams."""
_SPREAD = 0x9E3779B1


@dataclass(frozen=True, slots=True)
class Share:
    """What one process does in one step."""

    work: list[tuple[int | None, Batch]] = field(repr=False)
    """Forward passes with their places among the step's; None: nobody's."""
    weight: float
    """Sum of the loss weights over all processes: what every loss is divided by."""
    trained: int
    """Trained tokens over all processes."""
    rate_factor: float


@dataclass(frozen=True, slots=True)
class Found:
    """What one process saw in its share."""

    loss: float
    finite: bool
    grad_norm: float
    first: tuple[float, ...]
    """Losses of the step's first example, where this process had it."""
    matches: dict[int, tuple[bool, ...]]
    """By place of the forward pass."""
    parts: StepParts
    """Where this process's seconds went; waiting for the others counts where it waited."""


class ParallelLoop(StepLoop):
    """A hero in training on several processes, each of which holds all of it (DDP).

    Args:
        hero: the model, on this process's device; the same weights in each.
        placement: where and how it computes.
        world: the processes.
    """

    repeatable = False
    """The other processes are in the middle of the step when one fails."""

    def __init__(self, hero: Hero, placement: Placement, world: World, ema: AveragedWeights | None = None) -> None:
        if hero.config.training.update == "backward":
            raise BlockedError(
                "updates within the backward pass are made by one process only",
                why="the gradients of several processes are added up first",
                fix="set the hero's `training.update` to step, or engine.processes to 1",
                code="NOT_SHARDED",
            )
        super().__init__(hero, placement, ema=ema)
        self.world = world
        self._lean = None
        self._wrapped = self._wrap()
        self._shelf: Shelf | None = None

    def _wrap(self) -> torch.nn.Module:
        """What a training pass goes through."""
        wrapped: torch.nn.Module = self.world.accelerator.prepare_model(self._forward)
        return wrapped

    # ---------------------------------------------------------------- a step

    def train(self, micro_batches: Sequence[Batch]) -> StepOutcome:
        """One optimizer step over all ``micro_batches`` together, dealt out to all processes.

        Raises:
            RealmError: none of them has a trained token.
        """
        weight = sum(b.weight_sum for b in micro_batches)
        if not weight > 0:
            raise RealmError(
                "this step has no trained token", fix="give every example an answer", code="NOTHING_TRAINED"
            )
        trained = sum(b.trained_tokens for b in micro_batches)
        rate, factor = self.optimizer.learning_rate, self.optimizer.rate_factor
        shares = [Share(work, weight, trained, factor) for work in deal(micro_batches, self.world.size)]
        mine = self.world.orders([Order(Verb.TRAIN, share) for share in shares]).data
        found = self.world.answers(self._train(mine))
        matches = {place: right for one in found for place, right in one.matches.items()}
        return StepOutcome(
            loss=found[0].loss,
            finite=found[0].finite,
            grad_norm=found[0].grad_norm,
            learning_rate=rate,
            tokens=sum(b.tokens for b in micro_batches),
            trained_tokens=trained,
            token_losses=next(one.first for one in found if one.first),
            matches=tuple(right for place in sorted(matches) for right in matches[place]),
            parts=found[0].parts,
        )

    def _train(self, share: Share) -> Found:
        self.trained.model.train()
        self.optimizer.zero_grad()
        self.optimizer.rate_factor = share.rate_factor
        self._clock.begin()
        results: list[tuple[int | None, Batch, HeadResult]] = []
        for number, (place, batch) in enumerate(share.work, start=1):
            placed = self._placed(batch)
            with self._summing(last=number == len(share.work)):
                result = HeadResult(*self._wrapped(placed))
                self._clock.lap("forward")
                # Both wrappers take the mean over the processes; what is wanted is the sum.
                self._accelerator.backward(result.total * (self.world.size / share.weight))
                self._clock.lap("backward")
            results.append((place, placed, result))
        norm = self._clip()
        loss, losses, matches, grad_norm = self._look(results, norm, share.trained)
        finite = math.isfinite(loss) and math.isfinite(grad_norm)
        if finite:
            self.optimizer.step()
            if self.ema is not None:
                self.ema.update()
        self._clock.lap("update")
        return Found(loss, finite, grad_norm, losses, matches, self._clock.parts())

    def _summing(self, *, last: bool) -> Any:
        """Gradients are summed over the processes with the last pass of a step."""
        return nullcontext() if last else self._wrapped.no_sync()  # type: ignore[operator]

    def _clip(self) -> Tensor:
        """Clip by the norm over all processes, and return that norm."""
        norm: Tensor = torch.nn.utils.clip_grad_norm_(self.optimizer.params, self.hero.config.training.max_grad_norm)
        return norm

    def _look(
        self, results: Sequence[tuple[int | None, Batch, HeadResult]], norm: Tensor, trained: int
    ) -> tuple[float, tuple[float, ...], dict[int, tuple[bool, ...]], float]:
        """Loss, losses of the first example, matches and gradient norm by one transfer; the sums are the same in every process."""
        own = [(place, batch, result) for place, batch, result in results if place is not None]
        sums = [result.losses[: batch.trained_tokens].sum() for _, batch, result in own]
        total = self.world.sum(torch.stack(sums).sum() if sums else torch.zeros((), device=norm.device))
        first = next((result.losses[: batch.first_trained] for place, batch, result in own if place == 0), None)
        pieces = [torch.stack([total / trained, norm.float()])]
        pieces += [first] if first is not None else []
        for _, batch, result in own:
            wrong = torch.zeros(batch.examples + 1, device=norm.device)
            pieces.append(wrong.index_add_(0, batch.owners, (~result.right).float())[: batch.examples])
        numbers = torch.cat(pieces).tolist()
        loss, grad_norm = numbers[:2]
        rest = 2 + (first.numel() if first is not None else 0)
        losses = tuple(numbers[2:rest])
        matches: dict[int, tuple[bool, ...]] = {}
        for place, batch, _ in own:
            matches[place] = tuple(n == 0 for n in numbers[rest : rest + batch.examples])
            rest += batch.examples
        return loss, losses, matches, grad_norm

    # ---------------------------------------------------------------- the state

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a checkpoint needs beside the folder of `exam_weights`: whole tensors by name, whoever held their parts."""
        self.world.order(Verb.STATE)
        return self._state()

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, facts = super().state()
        out: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            whole = self._whole(tensor)
            if self.world.first:
                out[name] = whole
        streams = self.world.answers({n: t for n, t in tensors.items() if n.startswith(_STREAM)})
        for rank, theirs in enumerate(streams[1:], start=1):
            out.update({f"process{rank}.{name}": tensor for name, tensor in theirs.items()})
        return out, facts

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Continue where `state` was taken, by however many processes; the hero must hold the weights of its folder."""
        plan = [(name, tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()]
        self.world.order(Verb.LOAD, (plan, dict(facts)))
        self._load(plan, facts, tensors)

    def _load(
        self,
        plan: Sequence[tuple[str, tuple[int, ...], torch.dtype]],
        facts: Mapping[str, Any],
        tensors: Mapping[str, Tensor] | None = None,
    ) -> None:
        taken: dict[str, Tensor] = {}
        for name, shape, dtype in plan:
            whole = self.world.spread(tensors[name] if tensors is not None else None, shape, dtype)
            taken[name] = self._part(name, whole)
        rank = self.world.seat.rank
        own = f"process{rank}."
        streams = {n.removeprefix(own): t for n, t in taken.items() if n.startswith(own)}
        super().load({**{n: t for n, t in taken.items() if not n.startswith("process")}, **streams}, facts)
        if rank and not streams:
            torch.manual_seed((torch.initial_seed() + rank * _SPREAD + self.optimizer.updates) % 2**63)

    def _part(self, name: str, whole: Tensor) -> Tensor:
        """What this process keeps of a state's tensor."""
        return whole

    def _whole(self, part: Tensor) -> Tensor:
        """A state's tensor from what each process keeps of it."""
        return part

    # ---------------------------------------------------------------- rest

    def shelve(self) -> int:
        """Give back the memory of weights and optimizer in every process, until `unshelve`; the bytes of all together."""
        self.world.order(Verb.SHELVE)
        return sum(self.world.answers(self._shelve()))

    def _shelve(self) -> int:
        self.optimizer.zero_grad()
        tensors: list[Tensor] = [*self.trained.model.parameters(), *self.optimizer.state()[0].values()]
        if self.ema is not None:
            tensors += [*self.ema.weights().values(), *self.ema.unrounded().values()]
        card = self.placement.device == "cuda"
        held = torch.cuda.memory_reserved() if card else 0
        self._shelf = Shelf(tensors)
        if card:
            del tensors
            torch.cuda.empty_cache()
        return held - torch.cuda.memory_reserved() if card else self._shelf.bytes

    def unshelve(self) -> None:
        """Take the memory again; everything is as it was."""
        self.world.order(Verb.UNSHELVE)
        self._unshelve()

    def _unshelve(self) -> None:
        if self._shelf is not None:
            self._shelf.give_back()
        self._shelf = None

    def close(self) -> None:
        """Let the other processes end."""
        self.world.order(Verb.STOP)
        self.world.close()

    # ---------------------------------------------------------------- the other processes

    def obey(self, order: Order) -> None:
        """Do this process's part of what the first one does."""
        if order.verb is Verb.TRAIN:
            self.world.answers(self._train(order.data))
        elif order.verb is Verb.STATE:
            self._state()
        elif order.verb is Verb.LOAD:
            self._load(*order.data)
        elif order.verb is Verb.SHELVE:
            self.world.answers(self._shelve())
        elif order.verb is Verb.UNSHELVE:
            self._unshelve()
        else:
            raise ValueError(f"nobody does {order.verb} here")

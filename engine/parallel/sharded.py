"""A hero whose weights, gradients and optimizer state are spread over the processes (FSDP2).

Each process trains on a copy of the model of which it holds one part. Exams, answers and checkpoints need whole weights: they are put together
on the first process for as long as they are needed, in the hero that the game knows, which is a hollow model in between.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from configs.errors import BlockedError
from configs.training import HeroTraining
from engine.hero.checkpointing import blocks_of
from engine.hero.model import Hero
from engine.parallel.loop import ParallelLoop
from engine.parallel.world import Order, Verb, World
from engine.placement import Placement
from engine.precision import exact_matmul
from engine.step import TrainingPass

_SHARDED_OPTIMIZERS = ("adamw", "sgd")
_SHARDED_METHODS = ("full", "lora")


def _weight_of(name: str) -> str:
    """The weight that a tensor of a state belongs to: ``optimizer.adamw/<weight>/exp_avg``, ``weights.<weight>``."""
    return name.split("/")[1] if "/" in name else name.partition(".")[2]


def _taken_from(hero: Hero, device: str) -> Any:
    """A copy of the hero's model that takes over its weights; the hero's own stays behind hollow on ``device``, every shape in place."""
    named = dict(hero.model.named_parameters())
    weights = {name: p.data for name, p in named.items()}
    for p in named.values():
        p.data = torch.empty(0, dtype=p.dtype)
    model = copy.deepcopy(hero.model)
    hero.model.to(device)
    for name, p in model.named_parameters():
        p.data = weights[name]
    for name, p in named.items():
        p.data = torch.zeros(1, dtype=p.dtype, device=device).expand(weights[name].shape)
    return model


def refuse_unproven(training: HeroTraining) -> None:
    """Methods and optimizers that are not known to be right on parts of weights are not tried.

    Raises:
        BlockedError: this one is not.
    """
    why = ""
    if training.optimizer == "muon":
        why = "Muon orthogonalises whole matrices, and every process holds a part of each"
    elif training.optimizer not in _SHARDED_OPTIMIZERS:
        why = f"{training.optimizer} keeps states in blocks that would be cut differently"
    elif training.method not in _SHARDED_METHODS:
        why = f"{training.method} keeps weights in a form that cannot be cut"
    if why:
        raise BlockedError(
            f"{training.method} with {training.optimizer} does not train under fsdp2",
            why=why,
            fix="set engine.parallel to ddp, or the hero's optimizer to adamw",
            code="NOT_SHARDED",
        )


class ShardedLoop(ParallelLoop):
    """A hero in training on several processes, each of which holds a part of it.

    Args:
        hero: with whole weights, the same in each process; afterwards it is hollow, and `examined` fills it on the first process.
        placement: where and how it computes.
        world: the processes.
    """

    def __init__(self, hero: Hero, placement: Placement, world: World) -> None:
        refuse_unproven(hero.config.training)
        model = _taken_from(hero, placement.device)
        trained = replace(hero, model=model, lean=None)
        forward = TrainingPass(trained, placement)
        mesh = init_device_mesh(world.device, (world.size,))
        for block in blocks_of(model):
            fully_shard(block, mesh=mesh)
        fully_shard(forward, mesh=mesh)
        self._shards: dict[str, DTensor] = {n: p for n, p in model.named_parameters() if isinstance(p, DTensor)}
        super().__init__(trained, placement, world)
        self._forward, self._wrapped = TrainingPass(hero, placement), forward
        self.hero = hero

    def _wrap(self) -> torch.nn.Module:
        return self._forward

    def _summing(self, *, last: bool) -> AbstractContextManager[None]:
        """Every pass sums: nobody has room for whole gradients."""
        return nullcontext()

    def _clip(self) -> Tensor:
        norm = super()._clip()
        return norm.full_tensor() if isinstance(norm, DTensor) else norm

    # ---------------------------------------------------------------- whole weights, for a while

    @contextmanager
    def examined(self) -> Iterator[Hero]:
        """The hero as it sits exams, whole, on the first process."""
        self.world.order(Verb.EXAM)
        whole = self._exam()
        named = dict(self.hero.model.named_parameters())
        hollow = {name: p.data for name, p in named.items()}
        for name, p in named.items():
            p.data = whole[name]
        del whole
        self.hero.model.eval()
        try:
            with exact_matmul():
                yield self.hero
        finally:
            for name, p in named.items():
                p.data = hollow[name]

    def _exam(self) -> dict[str, Tensor]:
        """Every weight as exams see it, on the first process's device."""
        learnt = super().exam_weights()
        held: dict[str, Tensor] = {}
        for name, p in self.trained.model.named_parameters():
            part = learnt.get(name, p.detach())
            whole = part.full_tensor() if isinstance(part, DTensor) else part
            if self.world.first:
                held[name] = whole
        return held

    def exam_weights(self) -> dict[str, Tensor]:
        self.world.order(Verb.WEIGHTS)
        return self._weights()

    def _weights(self) -> dict[str, Tensor]:
        held: dict[str, Tensor] = {}
        for name, tensor in super().exam_weights().items():
            whole = self._whole(tensor)
            if self.world.first:
                held[name] = whole
        return held

    def _whole(self, part: Tensor) -> Tensor:
        return part.full_tensor().cpu() if isinstance(part, DTensor) else part

    def _part(self, name: str, whole: Tensor) -> Tensor:
        own = self._shards.get(_weight_of(name))
        if own is None or own.shape != whole.shape:
            return whole
        placed = whole.to(self.placement.device)
        return distribute_tensor(placed, own.device_mesh, own.placements, src_data_rank=None)

    def obey(self, order: Order) -> None:
        if order.verb is Verb.WEIGHTS:
            self._weights()
        elif order.verb is Verb.EXAM:
            self._exam()
        else:
            super().obey(order)

"""The processes of a test: each runs this module with a plan, the first trains and writes down what came of it.

A plan is a JSON file: ``kind``, ``model`` (a folder), ``training`` (laid over the hero's), ``steps``, ``passes`` (forward passes in a step),
``save_at`` and ``state`` (a folder to save to after that step), ``resume`` (a folder to go on from), ``first`` (number of the first step),
``evaluate``, ``poison_at`` (a step whose last pass weighs infinitely), ``rest_at`` (a step after which memory is given back and taken again).
The outcome is ``out``.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor

from configs.schema import HeroConfig
from engine.batch import Batch, make_batch
from engine.hero.loading import load_folder
from engine.hero.model import save_folder
from engine.parallel.deal import even_parts
from engine.parallel.launch import seat
from engine.parallel.loop import ParallelLoop
from engine.parallel.sharded import ShardedLoop
from engine.parallel.world import Verb, World
from engine.step import StepLoop, StepOutcome
from tests.model.heroes import PLACEMENT, dio_config, examples

PLACE = dataclasses.replace(PLACEMENT, kernel="model", attention="sdpa")


def config_of(plan: dict[str, Any]) -> HeroConfig:
    """DIO over the plan's model, with the plan's training."""
    data = dio_config(Path(plan["model"])).model_dump()
    data["training"].update(plan["training"])
    return HeroConfig.model_validate(data)


def step_batches(loop: StepLoop, number: int, passes: int) -> list[Batch]:
    """The forward passes of step ``number``: the same examples however many there are."""
    items = examples(loop.hero, 8, seed=number, widths=(2, 12))
    return [make_batch(part) for part in even_parts(items, passes)]


def carry_out(loop: StepLoop, plan: dict[str, Any]) -> dict[str, Any]:
    """Do what the plan says on ``loop``."""
    resume = plan.get("resume")
    if resume:
        loop.load(load_file(Path(resume) / "state.safetensors"), json.loads((Path(resume) / "facts.json").read_text()))
    outcomes: list[StepOutcome] = []
    freed = 0
    for number in range(plan.get("first", 0), plan.get("first", 0) + plan["steps"]):
        batches = step_batches(loop, number, plan["passes"])
        if number == plan.get("poison_at"):
            batches[-1] = dataclasses.replace(batches[-1], weights=batches[-1].weights * math.inf)
        outcomes.append(loop.train(batches))
        if number == plan.get("rest_at") and isinstance(loop, ParallelLoop):
            freed = loop.shelve()
            assert all(part_of(p).untyped_storage().nbytes() == 0 for p in loop.trained.model.parameters())
            loop.unshelve()
        if number + 1 == plan.get("save_at"):
            write(loop, Path(plan["state"]))
    found: dict[str, Any] = {
        "freed": freed,
        "finite": [o.finite for o in outcomes],
        "losses": [o.loss for o in outcomes],
        "norms": [o.grad_norm for o in outcomes],
        "first": [list(o.token_losses) for o in outcomes],
        "matches": [list(o.matches) for o in outcomes],
    }
    if plan.get("evaluate"):
        found["evaluated"] = loop.evaluate(step_batches(loop, 10_000, 3))
    return found


def part_of(tensor: torch.Tensor) -> torch.Tensor:
    """What this process holds of it."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def write(loop: StepLoop, folder: Path) -> None:
    """A checkpoint without the ceremony."""
    tensors, facts = loop.state()
    save_folder(loop.hero, loop.exam_weights(), folder)
    save_file({n: t.contiguous().clone() for n, t in tensors.items()}, folder / "state.safetensors")
    (folder / "facts.json").write_text(json.dumps(facts))


def main(path: Path) -> None:
    """One process's part."""
    plans = json.loads(path.read_text())
    PLACE.apply()
    world = World(seat())
    world.settle("cpu")
    for plan in plans:
        kind: type[ParallelLoop] = ShardedLoop if plan["kind"] == "fsdp2" else ParallelLoop
        torch.manual_seed(7)
        loop = kind(load_folder(config_of(plan), Path(plan.get("resume") or plan["model"]), PLACE), PLACE, world)
        if world.first:
            found = carry_out(loop, plan)
            world.order(Verb.STOP)
            Path(plan["out"]).write_text(json.dumps(found))
            continue
        while (order := world.hear()).verb is not Verb.STOP:
            loop.obey(order)
    world.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Is it the same training? Losses, gradients and drift of the step loop beside trl.SFTTrainer's, fp32 on the CPU.

    python -m benchmarks.parity [--models pip medium] [--steps 50] [--json FILE]

Both train the same weights on the same examples of uneven length, AdamW (fused), one thread, eager attention, exact products.
SFTTrainer pads each batch; the engine packs it in its own way. Three questions per model:

- From the same weights: before each of SFTTrainer's steps its weights are copied to the engine, and both take the loss and
  the gradient of the same examples. Given are the largest gap of the losses, and the largest distance between the whole gradients,
  as a share of the gradient's length.
- Left alone: both train from the same start; rounding differs and training amplifies it. Given is how far the losses drift apart.
- Packed or not: the engine's gradient of packed rows beside that of the same examples one by one, and beside transformers' modules
  on padded rows.

Takes about ten minutes on a quiet core.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from torch import Tensor

from benchmarks.figures import table
from benchmarks.options import parser
from benchmarks.race import material
from engine.batch import make_batch, make_batches
from engine.chat.encoded import Encoded
from engine.hero.model import Hero
from engine.placement import Placement
from engine.step import StepLoop

EXAMPLES = {"pip": 8, "medium": 2}
"""Examples of one step."""


class Ours:
    """The engine over a model's folder, in exact products."""

    def __init__(self, name: str, folder: Path, *, kernel: str = "lean") -> None:
        config = material.config(name, folder, precision="float32")
        self.placement: Placement = replace(
            material.placement(config), kernel=kernel, attention="eager", matmul="highest"
        )
        self.hero: Hero = material.read(name, folder, config, self.placement)
        self.loop = StepLoop(self.hero, self.placement)

    def gradient(self, groups: list[list[Encoded]], *, row_tokens: int = 64) -> tuple[float, dict[str, Tensor]]:
        """Mean loss per trained token, and its gradient by name, of the examples of all groups together; nothing is updated."""
        batches = [make_batch(group, row_tokens=row_tokens) for group in groups]
        weight = sum(batch.weight_sum for batch in batches)
        self.loop.optimizer.zero_grad()
        total = sum(float(self.loop._pass(batch, weight).total.detach()) for batch in batches)
        found = {n: p.grad.clone() for n, p in self.hero.model.named_parameters() if p.grad is not None}
        self.loop.optimizer.zero_grad()
        return total / weight, found


def distance(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    """Length of the difference of two whole gradients, as a share of the first one's length."""
    apart = sum(float((first[n].double() - second[n].double()).square().sum()) for n in first)
    whole = sum(float(g.double().square().sum()) for g in first.values())
    return float((apart / whole) ** 0.5)


def beside_trl(name: str, folder: Path, items: list[Encoded], steps: int) -> dict[str, Any]:
    """SFTTrainer's steps with the engine looking at the same weights and examples before each."""
    from trl import SFTTrainer

    from benchmarks.race.sft import build, settings

    ours, size = Ours(name, folder), EXAMPLES[name]
    mine = dict(ours.hero.model.named_parameters())
    looked: list[dict[str, float]] = []

    class Compared(SFTTrainer):  # type: ignore[misc]
        def training_step(self, model: Any, *given: Any, **named: Any) -> Any:
            with torch.no_grad():
                for key, weight in model.named_parameters():
                    mine[key].copy_(weight)
            first = len(looked) * size
            loss, gradient = ours.gradient([items[first : first + size]])
            theirs = super().training_step(model, *given, **named)
            wanted = {key: weight.grad for key, weight in model.named_parameters()}
            apart = distance(wanted, gradient)
            looked.append({"ours": loss, "trl": float(theirs), "gap": abs(loss - float(theirs)), "gradients": apart})
            return theirs

    options = settings(size, train_sampling_strategy="sequential", max_length=None, bf16=False, max_steps=steps)
    trainer = build(folder, "eager", items, options, Compared)
    trainer.train()
    return {
        "steps": looked,
        "largest gap": max(one["gap"] for one in looked),
        "gradients": max(o["gradients"] for o in looked),
    }


def left_alone(name: str, folder: Path, items: list[Encoded], theirs: list[float]) -> dict[str, Any]:
    """The engine's own run beside the losses of SFTTrainer's."""
    ours, size = Ours(name, folder), EXAMPLES[name]
    losses = []
    for step in range(len(theirs)):
        batches = make_batches(items[step * size : (step + 1) * size], max_tokens=65_536)
        losses.append(ours.loop.train(batches).loss)
    gaps = [abs(a - b) for a, b in zip(losses, theirs, strict=True)]
    return {"ours": losses, "gaps": gaps, "largest gap": max(gaps), "in the first ten": max(gaps[:10])}


def packed_or_not(name: str, folder: Path, items: list[Encoded]) -> dict[str, Any]:
    """The same examples in shared rows, one by one, and on padded rows through transformers' modules."""
    ours = Ours(name, folder)
    loss, packed = ours.gradient([items])
    alone, single = ours.gradient([[one] for one in items], row_tokens=16)
    padded, modules = Ours(name, folder, kernel="model").gradient([[one] for one in items], row_tokens=16)
    return {
        "examples": len(items),
        "loss packed": loss,
        "gap to one by one": abs(loss - alone),
        "gradient, one by one": distance(single, packed),
        "gap to modules": abs(loss - padded),
        "gradient, modules": distance(modules, packed),
    }


def main(arguments: list[str]) -> int:
    """Compare, print, write."""
    command = parser("parity", __doc__)
    command.add_argument("--models", nargs="+", choices=list(material.MODELS), default=list(material.MODELS))
    command.add_argument("--steps", type=int, default=50)
    options = command.parse_args(arguments)
    if importlib.util.find_spec("trl") is None:
        print('trl is not installed here. Way out: pip install -e ".[bench]"', file=sys.stderr)
        return 3
    torch.set_num_threads(1)
    facts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="realm-parity-") as folder:
        for name in options.models:
            path = material.write(name, Path(folder))
            items = material.uneven(name, max(8, options.steps * EXAMPLES[name]))
            same = beside_trl(name, path, items, options.steps)
            alone = left_alone(name, path, items, [one["trl"] for one in same["steps"]])
            facts[name] = {
                "about": material.MODELS[name].about,
                "from the same weights": same,
                "left alone": alone,
                "packed or not": packed_or_not(name, path, items[:8]),
            }
    table(f"Losses and gradients beside SFTTrainer's, {options.steps} steps, fp32", rows(facts))
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1))
    return 0


def rows(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """One line per model."""
    return [
        {
            "model": name,
            "same weights: loss gap": found["from the same weights"]["largest gap"],
            "gradient": found["from the same weights"]["gradients"],
            "left alone, 10 steps": found["left alone"]["in the first ten"],
            "all steps": found["left alone"]["largest gap"],
            "packed or one by one: gap": found["packed or not"]["gap to one by one"],
            "gradients": found["packed or not"]["gradient, one by one"],
            "to modules": found["packed or not"]["gradient, modules"],
        }
        for name, found in facts.items()
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""How long a checkpoint holds up the steps, how large it is, and how long waking from it takes.

    python -m benchmarks.checkpoint [--models pip 0.6b] [--saves 5] [--weights bfloat16] [--json FILE]

Each model trains on forged problems and is saved again and again in the middle of it, as the engine does: its state is copied at a
step's boundary (*held*), then it trains on while a thread writes. Beside it stands what the same save takes when training
waits for all of it (*on the spot*, synced to the disk). *Step* is the median of steps with nothing under way, *step beside* of those
while a thread wrote. *Waking* reads the folder back: digests, weights, state.

The 0.6B model has the shape of Qwen3-0.6B, random weights and PIP's small tokenizer; its steps here are single short passes, so a step of
its real training is longer than the one it is compared with. AdamW's moments have the weights' precision. Takes about 5 minutes and, in
bfloat16, 10 GB of memory and of disk.
"""

from __future__ import annotations

import gc
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers.models.qwen3 import Qwen3Config, Qwen3ForCausalLM

from benchmarks.figures import table
from benchmarks.options import parser
from configs.loader import load_game, load_hero
from configs.schema import HeroConfig
from engine.curriculum.state import CurriculumState
from engine.curriculum.state import start as start_curriculum
from engine.hero.loading import load_folder
from engine.hero.model import Hero, finish, make_hatchling, save_folder
from engine.placement import Placement, choose
from engine.step import StepLoop
from engine.trainer.background import Background
from engine.trainer.checkpoints import TrainerState, WrittenCheckpoint, read_state, write_checkpoint
from engine.trainer.practice import Forge
from engine.trainer.snapshot import HostRoom, bytes_of
from skills.registry import get_skill

SEED = 1
STEPS_BETWEEN = 3
"""Steps with nothing under way before each save."""


@dataclass
class Life:
    """A hero that trains."""

    name: str
    config: HeroConfig
    placement: Placement
    hero: Hero
    loop: StepLoop
    forge: Forge
    state: CurriculumState
    step: int = 0

    def train(self) -> float:
        """One step; its seconds."""
        self.step += 1
        began = time.perf_counter()
        self.loop.train(self.forge.round(self.state, self.step).batches)
        return time.perf_counter() - began

    def writer(self, parent: Path, name: str, state: TrainerState, weights: Any) -> Callable[[], WrittenCheckpoint]:
        """What puts a checkpoint on the disk."""
        return lambda: write_checkpoint(parent, name, lambda path: save_folder(self.hero, weights, path), state, {})


def wake(name: str, weights: str) -> Life:
    """PIP as it is shipped, or a model of Qwen3-0.6B's shape with random weights of one precision."""
    rules = load_game({"engine": {"device": "cpu"}})
    pip = load_hero("pip")
    special = [token for skill in pip.skills for token in get_skill(skill).special_tokens()]
    placement = choose(pip, rules.engine)
    placement.apply()
    config, hero = pip, make_hatchling(pip, placement, seed=SEED, special=special)
    if name == "0.6b":
        training = pip.training.model_copy(update={"optimizer": "adamw", "ema_decay": None, "batch_size": 8})
        config = pip.model_copy(update={"training": training})
        placement = replace(
            placement,
            weights=weights,
            compute=weights,
            kernel="model",
            attention="sdpa",
            threads=1,
            half_orthogonal=False,
        )
        hero = finish(config, _random_model(weights), hero.tokenizer, placement)
    skill, mix = next(iter(config.skills.items()))
    state = start_curriculum(skill, mix, get_skill(skill).config.max_level, rules.exams)
    forge = Forge(hero, rules, SEED, 0.0)
    return Life(name, config, placement, hero, StepLoop(hero, placement), forge, state)


def _random_model(weights: str) -> Any:
    shape = load_hero("dio").model.dimensions
    assert shape is not None
    torch.manual_seed(SEED)
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, weights))
    try:
        return Qwen3ForCausalLM(
            Qwen3Config(
                vocab_size=shape.vocab_size,
                hidden_size=shape.hidden_size,
                num_hidden_layers=shape.layers,
                num_attention_heads=shape.heads,
                num_key_value_heads=shape.kv_heads,
                head_dim=shape.head_dim,
                intermediate_size=shape.intermediate_size,
                max_position_embeddings=4096,
                tie_word_embeddings=True,
                attn_implementation="sdpa",
            )
        )
    finally:
        torch.set_default_dtype(before)


def measure(life: Life, saves: int, parent: Path) -> dict[str, Any]:
    """A row of the table."""
    room = HostRoom()
    quiet, beside, held, written_s, spot, waking = [], [], [], [], [], []
    size = state_bytes = 0
    for _ in range(2):
        life.train()
    for number in range(saves):
        quiet += [life.train() for _ in range(STEPS_BETWEEN)]
        began = time.perf_counter()
        tensors, facts = life.loop.state()
        weights = life.loop.exam_weights()
        state_bytes = bytes_of(weights, tensors)
        copy = room.copy(weights, tensors)
        values = json.loads(json.dumps({"loop": facts}))
        held.append(time.perf_counter() - began)
        work = Background(
            life.writer(parent, f"beside-{number}", TrainerState(copy.state, values), copy.weights), "write"
        )
        while not work.done:
            took = life.train()
            beside.append(took)
        made = work.result()
        written_s.append(time.perf_counter() - began)
        size = made.bytes
        del copy, work
        began = time.perf_counter()
        life.writer(parent, f"spot-{number}", TrainerState(tensors, values), weights)()
        spot.append(time.perf_counter() - began)
        waking.append(_wake_from(life, made.path))
        for folder in parent.iterdir():
            shutil.rmtree(folder)
    step, hold = statistics.median(quiet), statistics.median(held)
    return {
        "model": life.name,
        "parameters": life.hero.parameters,
        "weights": life.placement.weights,
        "optimizer": life.config.training.optimizer,
        "saves": saves,
        "copied MB": round(state_bytes / 1e6, 1),
        "on disk MB": round(size / 1e6, 1),
        "step ms": round(1000 * step, 1),
        "held ms": round(1000 * hold, 1),
        "held, steps": round(hold / step, 3),
        "longest held ms": round(1000 * max(held), 1),
        "whole on disk after s": round(statistics.median(written_s), 2),
        "step beside ms": round(1000 * statistics.median(beside), 1) if beside else None,
        "longest step beside ms": round(1000 * max(beside), 1) if beside else None,
        "on the spot s": round(statistics.median(spot), 2),
        "waking s": round(statistics.median(waking), 2),
    }


def _wake_from(life: Life, path: Path) -> float:
    """Seconds until a checkpoint's digests are compared and its weights and state are in memory."""
    began = time.perf_counter()
    state = read_state(path)
    hero = load_folder(life.config, path, life.placement)
    took = time.perf_counter() - began
    assert state.tensors and hero.parameters == life.hero.parameters
    return took


def main(arguments: list[str]) -> int:
    """Print the table; write it as JSON where asked."""
    command = parser("checkpoint", __doc__)
    command.add_argument("--models", nargs="+", choices=("pip", "0.6b"), default=["pip", "0.6b"])
    command.add_argument("--saves", type=int, default=5)
    command.add_argument("--weights", choices=("bfloat16", "float32"), default="bfloat16", help="of the 0.6B model")
    command.add_argument("--folder", type=Path, help="where to write; default: the system's temporary folder")
    options = command.parse_args(arguments)
    rows = []
    for name in options.models:
        with tempfile.TemporaryDirectory(prefix="realm-bench-", dir=options.folder) as folder:
            rows.append(measure(wake(name, options.weights), options.saves, Path(folder)))
        gc.collect()
    table("A checkpoint while the hero trains", rows)
    if options.json:
        options.json.write_text(json.dumps({"models": rows, "threads": torch.get_num_threads()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

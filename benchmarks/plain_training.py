"""PIP trained without a game: one uniform mix of levels, no exams, no curriculum; set aside when its processor time reaches a mark.

    python -m benchmarks.plain_training WAY LEVELS SEED FOLDER MINUTES...

WAY is ``engine`` (this engine's step, PIP's own optimizer and averaged weights) or ``trl`` (SFTTrainer with AdamW). Levels 1 to
LEVELS and the operations of PIP's mix are drawn equally often. Prints a line of JSON for every mark.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from configs.loader import load_game, load_hero
from configs.schema import HeroConfig
from engine.chat.encoded import Encoded
from engine.chat.template import encode_messages
from engine.curriculum.state import start
from engine.hero.model import Hero, save_folder
from engine.parallel.waking import Waking
from engine.placement import Placement, choose
from engine.trainer.practice import Forge
from skills.contract import Skill
from skills.registry import get_skill

SKILL = "bin"
RATE = 3e-3
"""Learning rate of AdamW for SFTTrainer: what a model of this size, from random weights, learns well with."""


class Marks:
    """Sets the weights aside at every mark of processor time of this process, imports included."""

    def __init__(self, minutes: list[float], folder: Path) -> None:
        self._left, self._folder = sorted(minutes), folder

    def look(self, step: int, save: Callable[[Path], None]) -> bool:
        """Set aside what is due; False when the last mark is behind."""
        while self._left and time.process_time() >= 60 * self._left[0]:
            minutes = self._left.pop(0)
            path = self._folder / f"{minutes:g}"
            save(path)
            print(json.dumps({"minutes": minutes, "step": step, "folder": str(path)}), flush=True)
        return bool(self._left)


def with_engine(config: HeroConfig, placement: Placement, levels: int, seed: int, marks: Marks) -> None:
    """The engine's own step on the uniform mix."""
    rules = load_game(
        {"curriculum": {"first_horizon": levels, "horizon": levels, "horizon_beyond": 0, "weight_floor": 1.0}}
    )
    loop = Waking(config, placement, None, seed).loop(None)
    forge = Forge(loop.hero, rules, seed, 0.0)
    state = start(SKILL, config.skills[SKILL], get_skill(SKILL).config.max_level, rules.exams)

    def save(path: Path) -> None:
        with loop.examined() as hero:
            save_folder(hero, hero.weights(), path)

    step = 0
    while marks.look(step, save):
        step += 1
        loop.train(forge.round(state, step).batches)


def uniform(hero: Hero, skill: Skill, mix: str, levels: int, seed: int) -> Iterator[Encoded]:
    """Training examples without end, every level and operation equally often."""
    rng = random.Random(seed)
    while True:
        level = 1 + rng.randrange(levels)
        operation = rng.choice(skill.operations(level, mix))
        problem = skill.generate(level, rng.getrandbits(48), "train", mix, operation=operation)
        asked = {"role": "user", "content": problem.prompt}
        yield encode_messages(hero, [asked, {"role": "assistant", "content": problem.answer}])


def with_trl(config: HeroConfig, placement: Placement, levels: int, seed: int, marks: Marks) -> None:
    """SFTTrainer on the same mix, from the same kind of newborn model."""
    from datasets import IterableDataset
    from transformers import AutoModelForCausalLM, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from benchmarks.race.sft import settings

    placement.apply()
    newborn = Waking(config, placement, None, seed).hero(placement)
    folder = marks._folder / "newborn"
    save_folder(newborn, newborn.weights(), folder)
    skill, mix = get_skill(SKILL), config.skills[SKILL]

    def rows() -> Iterator[dict[str, Any]]:
        for one in uniform(newborn, skill, mix, levels, seed):
            labels = [i if t else -100 for i, t in zip(one.ids, one.trained, strict=True)]
            yield {"input_ids": one.ids, "labels": labels}

    class AtMarks(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            def save(path: Path) -> None:
                save_folder(newborn, dict(model.state_dict()), path)

            control.should_training_stop = not marks.look(state.global_step, save)

    options = settings(config.training.batch_size, max_length=None, max_steps=1_000_000) | {
        "learning_rate": RATE,
        "adam_beta2": 0.98,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": 50,
        "seed": seed,
    }
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager"),
        args=SFTConfig(**options),
        train_dataset=IterableDataset.from_generator(rows),
        processing_class=newborn.tokenizer,
        callbacks=[AtMarks()],
    )
    trainer.train()


def main(arguments: list[str]) -> int:
    """One run."""
    way, levels, seed, folder, *minutes = arguments
    torch.set_num_threads(1)
    config = load_hero("pip")
    placement = choose(config, load_game().engine.model_copy(update={"device": "cpu"}))
    run = {"engine": with_engine, "trl": with_trl}[way]
    run(config, placement, int(levels), int(seed), Marks([float(m) for m in minutes], Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Steps/s and losses of the game's step loop beside trl.SFTTrainer: same newborn PIP, optimizer, examples and order.

    python -m benchmarks.against_trl [--rounds 11] [--steps 100] [--warm-up 10] [--parity 50] [--level 4] [--json FILE]

Both run in one process on the CPU, one thread each: fp32, eager attention, AdamW (fused) at a constant rate, global clip. A
round runs every contestant once, in changing order; each starts with new weights on the same examples, already tokenised
for all of them. What a contestant does with a batch (padding or packing it, its metrics) is its own and counts. Steps/s are taken
between the first step after the warm-up and the last, so that setting up counts for nobody. TRL runs with its defaults but
for what makes it slower here: gradient checkpointing, bf16 and logging are off.

Takes about rounds x steps x 0.35 s on a laptop core.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from benchmarks.figures import paired_ratio, table, written
from benchmarks.options import parser
from configs.loader import load_game, load_hero
from configs.schema import HeroConfig
from engine.batch import make_batches
from engine.chat.encoded import Encoded
from engine.curriculum.state import start
from engine.hero.model import Hero, make_hatchling
from engine.placement import Placement, choose
from engine.step import StepLoop
from engine.trainer.practice import Forge
from skills.registry import get_skill

SEED = 0
TRL = "trl.SFTTrainer"
OURS = "ours"
MODULES = "ours, transformers' modules"
MUON = "ours, Muon and averaged weights"
GAME = "ours, as the game trains PIP"
CONTESTANTS = (OURS, TRL, MODULES, MUON, GAME)


class Setting:
    """PIP, the placements and the examples of the race.

    All contestants compute in fp32 products (`Setting.placement`) but the last one, which is the game's whole step: PIP's own
    optimizer and precision, and every problem forged and tokenised when it is needed.
    """

    def __init__(self, steps: int, level: int, threads: int) -> None:
        rules, hero = load_game(), load_hero("pip")
        rules = rules.model_copy(update={"engine": rules.engine.model_copy(update={"device": "cpu"})})
        self.special = [token for skill in hero.skills for token in get_skill(skill).special_tokens()]
        fp32 = _changed(hero, precision="float32")
        same = _changed(fp32, optimizer="adamw", warmup_steps=0, ema_decay=None)
        self.placement = replace(choose(fp32, rules.engine), threads=threads)
        modules = replace(self.placement, kernel="model")
        game = replace(choose(hero, rules.engine), threads=threads)
        self.entered: dict[str, tuple[HeroConfig, Placement]] = {
            OURS: (same, self.placement),
            TRL: (same, modules),
            MODULES: (same, modules),
            MUON: (fp32, self.placement),
            GAME: (hero, game),
        }
        self.training = same.training
        self.forge = Forge(self.newborn(GAME), rules, SEED, 0.0)
        skill, mix = next(iter(hero.skills.items()))
        self.state = start(skill, mix, get_skill(skill).config.max_level, rules.exams, mastered=level)
        self.count = hero.training.batch_size * hero.training.accumulation
        self.rows: list[list[Encoded]] = [self.forge.draw(self.state, step, self.count)[1] for step in range(steps)]
        self.forged = steps

    def newborn(self, contestant: str) -> Hero:
        """PIP with its first weights, the same every time; the process is set up for this contestant."""
        config, placement = self.entered[contestant]
        placement.apply()
        return make_hatchling(config, placement, seed=SEED, special=self.special)


def _changed(hero: HeroConfig, **training: Any) -> HeroConfig:
    """The hero with other training values."""
    return hero.model_copy(update={"training": hero.training.model_copy(update=training)})


def run_ours(setting: Setting, contestant: str, steps: int) -> tuple[list[float], list[float]]:
    """When each step ended, in seconds, and its loss."""
    loop = StepLoop(setting.newborn(contestant), setting.entered[contestant][1])
    limit = setting.training.batch_tokens
    ends, losses = [], []
    for step in range(steps):
        if contestant == GAME:
            batches = setting.forge.round(setting.state, setting.forged).batches
            setting.forged += 1
        else:
            batches = make_batches(setting.rows[step], max_tokens=limit, row_tokens=loop.hero.row_tokens)
        losses.append(loop.train(batches).loss)
        ends.append(time.perf_counter())
    return ends, losses


def run_trl(setting: Setting, steps: int, folder: str, *, keep_losses: bool = False) -> tuple[list[float], list[float]]:
    """The same of ``SFTTrainer``; losses only where they are kept, which costs it time."""
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    ends: list[float] = []
    losses: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    class Kept(SFTTrainer):  # type: ignore[misc]
        def compute_loss(self, *given: Any, **named: Any) -> Any:
            loss = super().compute_loss(*given, **named)
            losses.append(float(loss.detach()))
            return loss

    hero, training = setting.newborn(TRL), setting.training
    examples = [
        {"input_ids": one.ids, "labels": [i if t else -100 for i, t in zip(one.ids, one.trained, strict=True)]}
        for row in setting.rows[:steps]
        for one in row
    ]
    config = SFTConfig(
        output_dir=folder,
        max_steps=steps,
        per_device_train_batch_size=setting.count,
        optim="adamw_torch_fused",
        learning_rate=training.learning_rate,
        lr_scheduler_type="constant",
        adam_beta1=training.betas[0],
        adam_beta2=training.betas[1],
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        use_cpu=True,
        bf16=False,
        activation_checkpointing=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        train_sampling_strategy="sequential",
        dataloader_pin_memory=False,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=SEED,
    )
    trainer = (Kept if keep_losses else SFTTrainer)(
        model=hero.model,
        args=config,
        train_dataset=Dataset.from_list(examples),
        processing_class=hero.tokenizer,
        callbacks=[Clock()],
    )
    trainer.remove_callback(PrinterCallback)
    if trainer.model.is_activation_checkpointing or trainer.model.config._attn_implementation != "eager":
        raise SystemExit("SFTTrainer changed the model's setting: the comparison would not be one")
    trainer.train()
    return ends, losses


def rate(ends: list[float], warm_up: int) -> float:
    """Steps a second after the first ``warm_up`` steps."""
    timed = ends[warm_up:]
    return (len(timed) - 1) / (timed[-1] - timed[0])


def race(setting: Setting, rounds: int, steps: int, warm_up: int, folder: str) -> dict[str, list[float]]:
    """Steps/s of every contestant in every round."""
    order = random.Random(SEED)
    rates: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for number in range(rounds):
        for name in order.sample(CONTESTANTS, len(CONTESTANTS)):
            ends, _ = run_trl(setting, steps, folder) if name == TRL else run_ours(setting, name, steps)
            rates[name].append(rate(ends, warm_up))
        print(f"round {number + 1}: " + ", ".join(f"{n} {rates[n][-1]:.1f}" for n in CONTESTANTS), flush=True)
    return rates


def parity(setting: Setting, steps: int, folder: str) -> dict[str, Any]:
    """Loss of every step, ours beside SFTTrainer's; rounding differs, and training amplifies it step by step."""
    theirs = run_trl(setting, steps, folder, keep_losses=True)[1]
    ours = run_ours(setting, OURS, steps)[1]
    modules = run_ours(setting, MODULES, steps)[1]
    gaps = [abs(a - b) for a, b in zip(ours, theirs, strict=True)]
    own = [abs(a - b) for a, b in zip(ours, modules, strict=True)]
    shown = sorted({1, 2, 5, 10, 20, *range(50, steps + 1, 50), steps} & set(range(1, steps + 1)))
    return {
        "steps": [
            {"step": n, "ours": ours[n - 1], "trl": theirs[n - 1], "gap": gaps[n - 1], "gap_to_modules": own[n - 1]}
            for n in shown
        ],
        "largest_gap": max(gaps),
        "largest_gap_in_first_10": max(gaps[:10]),
        "ours": ours,
        "trl": theirs,
    }


def summary(rates: dict[str, list[float]]) -> list[dict[str, Any]]:
    """A row for each contestant: its speed, and how many times SFTTrainer's that is."""
    theirs = rates[TRL]
    rows = []
    for name, own in rates.items():
        found = paired_ratio(list(zip(own, theirs, strict=True)))
        rows.append(
            {
                "loop": name,
                "steps/s (median)": round(statistics.median(own), 2),
                "min": round(min(own), 2),
                "max": round(max(own), 2),
                "times SFTTrainer": round(statistics.median(own) / statistics.median(theirs), 3),
                "95 % of the paired ratio": None if name == TRL else found["interval"],
            }
        )
    return rows


def main(arguments: list[str]) -> int:
    """Print the tables; write them as JSON where asked. 3 when trl is not installed."""
    command = parser("against_trl", __doc__)
    command.add_argument("--rounds", type=int, default=11, help="how often every contestant runs")
    command.add_argument("--steps", type=int, default=100, help="optimizer steps of one run")
    command.add_argument("--warm-up", type=int, default=10, help="of which this many are not timed")
    command.add_argument("--parity", type=int, default=50, help="steps over which losses are compared")
    command.add_argument("--level", type=int, default=4, help="mastered level whose problems are practised")
    command.add_argument("--threads", type=int, default=1)
    options = command.parse_args(arguments)
    if options.steps < options.warm_up + 3:
        command.error("--steps must be at least three more than --warm-up")
    if importlib.util.find_spec("trl") is None:
        print('trl is not installed here. Way out: pip install -e ".[bench]"', file=sys.stderr)
        return 3
    setting = Setting(max(options.steps, options.parity), options.level, options.threads)
    with tempfile.TemporaryDirectory(prefix="realm-trl-") as folder:
        losses = parity(setting, options.parity, folder)
        rates = race(setting, options.rounds, options.steps, options.warm_up, folder)
    tokens = [sum(len(one.ids) for one in row) for row in setting.rows]
    facts: dict[str, Any] = {
        "setting": {
            "placement": setting.placement.as_dict(),
            "game_placement": setting.entered[GAME][1].as_dict(),
            "examples_per_step": setting.count,
            "tokens_per_step": round(statistics.fmean(tokens), 1),
            "longest_example": max(len(one.ids) for row in setting.rows for one in row),
            "optimizer": "AdamW, fused",
            "learning_rate": setting.training.learning_rate,
        },
        "summary": summary(rates),
        "rates": rates,
        "parity": losses,
    }
    table(f"Steps/s, {options.rounds} interleaved rounds of {options.steps} steps", facts["summary"])
    print(
        f"  {setting.count} examples and {written(facts['setting']['tokens_per_step'])} tokens a step, AdamW fused but"
        f" where Muon is named; fp32 ({setting.placement.matmul}), eager, {setting.placement.threads} thread\n"
        f"  as the game trains PIP: {setting.entered[GAME][0].training.optimizer}, products at"
        f" {setting.entered[GAME][1].matmul!r}, problems forged as it goes"
    )
    table("Loss of the same step (gap_to_modules: to our loop over transformers' modules)", losses["steps"])
    print(f"  largest gap in {options.parity} steps: {losses['largest_gap']:.2e}")
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""One contestant of one case in a process of its own: trains some steps and prints what it took as JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

from benchmarks.gpu.cases import CASES, GIB, Case, Example, flops, steps_of
from benchmarks.gpu.models import bare_model, dimensions, hero_of, our_hero, quantise, tokenizer

OURS, TRL, TRL_LIGER = "ours", "SFTTrainer", "SFTTrainer, Liger"
CONTESTANTS = (OURS, TRL, TRL_LIGER)


@dataclass
class Clock:
    """When each step ended."""

    ends: list[float] = field(default_factory=list)

    def tick(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())


def run_ours(case: Case, work: list[list[Example]], clock: Clock) -> dict[str, Any]:
    """The engine's step loop."""
    from engine.batch import make_batches
    from engine.chat.encoded import Encoded
    from engine.step import StepLoop

    hero, placement = our_hero(case)
    loop = StepLoop(hero, placement)
    losses = []
    for step in work:
        items = [Encoded(e.ids, [False] * e.masked + [True] * (len(e.ids) - e.masked)) for e in step]
        batches = make_batches(items, max_tokens=case.batch_tokens, row_tokens=hero.row_tokens)
        losses.append(loop.train(batches).loss)
        clock.tick()
    return {"placement": placement.as_dict(), "losses": losses}


def run_trl(case: Case, work: list[list[Example]], clock: Clock, *, liger: bool) -> dict[str, Any]:
    """``SFTTrainer`` with its chunked loss, on the same examples in the same order."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Ends(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.tick()

    hero = hero_of(case)
    training, cuda = hero.training, torch.cuda.is_available()
    dtype = torch.bfloat16 if cuda and case.name != "0.6b-full" else torch.float32
    model = bare_model(dimensions(case), "cuda" if cuda else "cpu", dtype, "sdpa")
    adapter = None
    if training.method == "qlora":
        quantise(model, torch.bfloat16)
        adapter = LoraConfig(
            r=training.adapter.r,
            lora_alpha=training.adapter.alpha,
            lora_dropout=training.adapter.dropout,
            target_modules=list(training.adapter.target_modules),
            task_type="CAUSAL_LM",
        )
    optimizers = {"adamw": "adamw_torch_fused"}
    rows = [{"input_ids": e.ids, "labels": [-100] * e.masked + e.ids[e.masked :]} for step in work for e in step]
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            max_steps=len(work),
            per_device_train_batch_size=case.batch_size,
            gradient_accumulation_steps=case.examples // case.batch_size,
            optim=optimizers.get(training.optimizer, training.optimizer),
            learning_rate=training.learning_rate,
            lr_scheduler_type="constant",
            max_grad_norm=training.max_grad_norm,
            bf16=cuda,
            use_cpu=not cuda,
            gradient_checkpointing=cuda,
            use_liger_kernel=liger,
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = SFTTrainer(
            model=model,
            args=config,
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer(),
            peft_config=adapter,
            callbacks=[Ends()],
        )
        found = trainer.train()
    return {"losses": [found.training_loss]}


RUNS: dict[str, Callable[[Case, list[list[Example]], Clock], dict[str, Any]]] = {
    OURS: run_ours,
    TRL: lambda case, work, clock: run_trl(case, work, clock, liger=False),
    TRL_LIGER: lambda case, work, clock: run_trl(case, work, clock, liger=True),
}


def measure(case: Case, contestant: str, steps: int, warm_up: int) -> dict[str, Any]:
    """Speed, memory and losses of one contestant."""
    cuda = torch.cuda.is_available()
    if cuda and case.cap_gib is not None:
        torch.cuda.set_per_process_memory_fraction(case.cap_gib * GIB / torch.cuda.mem_get_info()[1])
    shape = dimensions(case)
    work = steps_of(case, shape.vocab_size, steps)
    clock = Clock()
    facts = RUNS[contestant](case, work, clock)
    timed, took = work[warm_up:], clock.ends[-1] - clock.ends[warm_up - 1]
    examples = [example for step in timed for example in step]
    frozen = hero_of(case).training.adapted
    return {
        **facts,
        "trained_tokens_per_s": sum(len(e.ids) - e.masked for e in examples) / took,
        "tokens_per_s": sum(len(e.ids) for e in examples) / took,
        "tflops": sum(flops(shape, e, frozen=frozen) for e in examples) / took / 1e12,
        "seconds_per_step": took / len(timed),
        "peak_device_gib": torch.cuda.max_memory_allocated() / GIB if cuda else None,
        "reserved_device_gib": torch.cuda.max_memory_reserved() / GIB if cuda else None,
        "peak_host_gib": _host_peak() / GIB,
        "steps": len(timed),
    }


def _host_peak() -> int:
    """The most memory of this process so far; the kernel's own count, which a parent's size does not enter."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def main(arguments: list[str]) -> int:
    """``case contestant steps warm-up``; one line of JSON."""
    name, contestant, steps, warm_up = arguments
    case = next(case for case in CASES if case.name == name)
    print(json.dumps(measure(case, contestant, int(steps), int(warm_up))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

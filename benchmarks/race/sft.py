"""``SFTTrainer`` as a contestant: set up as its documentation says, measured between its own callbacks."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from benchmarks.race import material
from benchmarks.race.contestants import Contestant
from engine.chat.encoded import Encoded


def columns(items: list[Encoded]) -> Dataset:
    """Tokenised examples with labels, as SFTTrainer takes them."""
    return Dataset.from_list(
        [
            {"input_ids": one.ids, "labels": [i if t else -100 for i, t in zip(one.ids, one.trained, strict=True)]}
            for one in items
        ]
    )


def settings(batch: int, **more: Any) -> dict[str, Any]:
    """What every run of SFTTrainer has in common: AdamW at a constant rate, and nothing that would only slow it down."""
    return {
        "output_dir": tempfile.mkdtemp(prefix="realm-sft-"),
        "per_device_train_batch_size": batch,
        "optim": "adamw_torch_fused",
        "learning_rate": 1e-4,
        "lr_scheduler_type": "constant",
        "adam_beta1": 0.9,
        "adam_beta2": 0.95,
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "use_cpu": True,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
        "logging_strategy": "no",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": material.SEED,
        **more,
    }


def batching(kind: str, batch: int, items: list[Encoded]) -> dict[str, Any]:
    """SFTTrainer's arguments for one way to fill a batch; packed rows carry as many tokens a step as the others' examples."""
    if kind == "padded":
        return {"per_device_train_batch_size": batch, "train_sampling_strategy": "sequential", "max_length": None}
    if kind == "grouped":
        return {"per_device_train_batch_size": batch, "train_sampling_strategy": "group_by_length", "max_length": None}
    mean = sum(len(one.ids) for one in items) / len(items)
    rows = max(1, round(batch * mean / material.CONTEXT))
    return {
        "per_device_train_batch_size": rows,
        "packing": True,
        "packing_strategy": kind,
        "max_length": material.CONTEXT,
    }


def build(
    folder: Path, attention: str, items: list[Encoded], options: dict[str, Any], kind: type[Any] | None = None
) -> Any:
    """A trainer over the folder's model, in fp32 weights."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention)
    trainer = (kind or SFTTrainer)(
        model=model,
        args=SFTConfig(**options),
        train_dataset=columns(items),
        processing_class=AutoTokenizer.from_pretrained(folder),
    )
    trainer.remove_callback(PrinterCallback)
    if trainer.model.is_activation_checkpointing or trainer.model.config._attn_implementation != attention:
        raise SystemExit("SFTTrainer changed the model's setting: the comparison would not be one")
    return trainer


def run(spec: dict[str, Any], who: Contestant, watch: Any, turn_type: type[Any], wait: Callable[[], None]) -> None:
    """Train until nobody asks for another turn."""
    from benchmarks.race.racer import say

    torch.set_float32_matmul_precision("highest")
    if spec["even"]:
        steps = material.even(spec["model"])
        items = [one for step in steps for one in step]
        options = settings(len(steps[0]), train_sampling_strategy="sequential", max_length=None)
    else:
        items = material.uneven(spec["model"], spec["items"])
        options = settings(spec["batch"]) | batching(who.batching, spec["batch"], items)
    options |= {"bf16": who.precision == "bfloat16", "num_train_epochs": 100_000}
    turn = turn_type()
    began = [0.0, 0.0]

    class Turns(TrainerCallback):  # type: ignore[misc]
        def on_epoch_begin(self, *_: Any, **__: Any) -> None:
            nonlocal turn
            wait()
            turn = turn_type()
            began[:] = time.perf_counter(), time.process_time()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            turn.steps += 1

        def on_epoch_end(self, *_: Any, **__: Any) -> None:
            turn.wall, turn.processor = time.perf_counter() - began[0], time.process_time() - began[1]
            say(turn, watch)

    class Counted(SFTTrainer):  # type: ignore[misc]
        def compute_loss(self, model: Any, inputs: Any, *given: Any, **named: Any) -> Any:
            labels, mask = inputs["labels"], inputs.get("attention_mask")
            turn.trained += int((labels[:, 1:] != -100).sum())
            turn.tokens += labels.numel() if mask is None else int(mask.sum())
            loss = super().compute_loss(model, inputs, *given, **named)
            turn.losses.append(float(loss.detach()))
            return loss

    trainer = build(Path(spec["folder"]), who.attention, items, options, Counted)
    trainer.add_callback(Turns())
    if watch is not None:
        watch_parts(watch, trainer)
    print('{"placement": null}', flush=True)
    trainer.train()


def watch_parts(watch: Any, trainer: Any) -> None:
    """Count forward and backward of the layers as model, the scoring of tokens as head, clip and update as optimizer."""
    import trl.trainer.utils as parts

    scored = parts._ChunkedLogProbFunction
    scored.forward = staticmethod(watch.around("head", scored.forward))
    scored.backward = staticmethod(watch.around("head", scored.backward))
    backbone = trainer.model.model
    backbone.forward = watch.around("model", backbone.forward)
    accelerator = trainer.accelerator
    accelerator.backward = watch.around("model", accelerator.backward)
    accelerator.clip_grad_norm_ = watch.around("optimizer", accelerator.clip_grad_norm_)
    trainer.model.zero_grad = watch.around("optimizer", trainer.model.zero_grad)
    make = trainer.create_optimizer

    def made(*given: Any, **named: Any) -> Any:
        optimizer = make(*given, **named)
        optimizer.step = watch.around("optimizer", optimizer.step)
        return optimizer

    trainer.create_optimizer = made

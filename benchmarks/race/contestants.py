"""Who races: the engine in its forms, and ``SFTTrainer`` in those its documentation names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way to train the model."""

    name: str
    trainer: str
    """``ours`` or ``trl``."""
    precision: str = "float32"
    """``float32``; ``auto``: what the engine chooses by itself; ``bfloat16``: SFTTrainer's default."""
    kernel: str = "lean"
    """Ours: ``lean`` or ``model`` (transformers' modules)."""
    attention: str = "sdpa"
    batching: str = "padded"
    """SFTTrainer's: ``padded``, ``grouped``, ``bfd`` or ``wrapped``; ours packs by itself."""


SAME = (
    Contestant("ours", "ours"),
    Contestant("ours, transformers' modules", "ours", kernel="model", attention="eager"),
    Contestant("SFTTrainer, eager", "trl", attention="eager"),
    Contestant("SFTTrainer, sdpa", "trl"),
)
"""Identical rows, fp32."""

OWN = (
    Contestant("ours", "ours", precision="auto"),
    Contestant("ours, fp32", "ours"),
    *(
        Contestant(f"SFTTrainer, {batching}, {short}", "trl", precision, batching=batching)
        for batching in ("padded", "grouped", "bfd", "wrapped")
        for precision, short in (("bfloat16", "bf16"), ("float32", "fp32"))
    ),
)
"""Each as its documentation sets it up; sdpa is SFTTrainer's default."""

"""The names of ways to train, where nothing else of the configuration is wanted (help pages, for one)."""

from __future__ import annotations

from typing import Literal

Method = Literal["full", "lora", "dora", "qlora", "lora_8bit", "galore"]
OptimizerName = Literal[
    "adamw", "adamw_8bit", "paged_adamw_32bit", "paged_adamw_8bit", "galore_adamw", "galore_adamw_8bit", "muon", "sgd"
]

"""How a hero learns, as data: method, optimizer, precision, schedule, adapter, and what its examples look like."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from configs.base import Model
from configs.ways import Method, OptimizerName

WeightsFormat = Literal["auto", "float32", "bfloat16", "bfloat16_stochastic", "bfloat16_master"]
ADAPTER_METHODS: tuple[Method, ...] = ("lora", "dora", "qlora", "lora_8bit")


class Adapter(Model):
    """The small matrices that learn beside frozen weights."""

    r: int = Field(16, ge=1, le=1024, description="rank")
    alpha: float = Field(32, gt=0, le=4096, description="the update is scaled by alpha / r")
    dropout: float = Field(0.05, ge=0, lt=1, description="dropout before the adapter")
    target_modules: tuple[str, ...] = Field(
        ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        min_length=1,
        description="linear layers that get one; a family that fuses some of them names its own",
    )
    double_quant: bool = Field(True, description="qlora: the scales of the 4-bit base are quantised too")


class GaLore(Model):
    """Gradients projected onto a low rank before the optimizer sees them."""

    rank: int = Field(1024, ge=1, le=8192, description="rank of the projection")
    update_gap: int = Field(200, ge=1, le=100_000, description="steps between two projections")
    scale: float = Field(0.25, gt=0, le=100, description="factor of the projected update")


class HeroTraining(Model):
    """How the hero learns."""

    method: Method = Field("full", description="which weights move, and how")
    optimizer: OptimizerName = Field("adamw", description="muon: matrices by Muon, the rest by AdamW")
    update: Literal["step", "backward"] = Field(
        "step",
        description="backward: each weight moves within the backward pass and no gradient is kept; a step is then one pass, and each weight's gradient is clipped by itself",
    )
    weights: WeightsFormat = Field(
        "auto",
        description="bfloat16_stochastic rounds updates by chance, bfloat16_master keeps an fp32 copy; plain bfloat16 loses small updates",
    )
    adapter: Adapter = Field(default_factory=lambda: Adapter.model_validate({}))
    galore: GaLore = Field(default_factory=lambda: GaLore.model_validate({}))
    learning_rate: float = Field(gt=0, le=1, description="of AdamW (with muon: of embeddings and norms)")
    muon_learning_rate: float = Field(0.02, gt=0, le=1, description="of Muon's matrices")
    muon_momentum: float = Field(0.95, ge=0, lt=1, description="Muon's momentum")
    muon_weight_decay: float = Field(0.1, ge=0, le=1, description="Muon's weight decay")
    embedding_states_32bit: bool = Field(
        False, description="8-bit optimizers: embedding and head keep 32-bit states (2.3 GB more for a 4B hero)"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD's momentum")
    betas: tuple[float, float] = Field((0.9, 0.95), description="AdamW's betas")
    epsilon: float = Field(1e-8, gt=0, le=1, description="AdamW's epsilon")
    weight_decay: float = Field(0.0, ge=0, le=1, description="AdamW's and SGD's weight decay")
    schedule: Literal["constant", "linear", "cosine", "wsd"] = Field(
        "constant", description="learning rate after the warm-up; wsd: constant, then a linear end"
    )
    schedule_steps: int | None = Field(
        None, ge=1, description="optimizer steps over which linear, cosine and wsd run; afterwards the rate stays low"
    )
    decay_share: float = Field(0.1, gt=0, le=1, description="wsd: share of `schedule_steps` in which the rate falls")
    min_rate_share: float = Field(0.1, ge=0, le=1, description="lowest rate of a falling schedule, of the full one")
    warmup_steps: int = Field(50, ge=0, le=100_000, description="linear warm-up")
    batch_size: int = Field(32, ge=1, le=4096, description="examples in one forward pass")
    batch_tokens: int = Field(
        4096, ge=64, le=1_048_576, description="most tokens in one forward pass, padding not counted"
    )
    accumulation: int = Field(1, ge=1, le=1024, description="forward passes in one optimizer step")
    max_grad_norm: float = Field(1.0, gt=0, le=1000, description="global gradient clip")
    ema_decay: float | None = Field(None, gt=0, lt=1, description="averaged weights that sit exams; null: none")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="arithmetic; auto: bf16 where it is native"
    )
    gradient_checkpointing: bool | Literal["auto"] | int = Field(
        "auto",
        description="blocks whose activations are computed twice: true all, a number that many, auto as few as fit",
    )
    threads: int | None = Field(None, ge=1, le=256, description="CPU threads; null: chosen by model size")

    @property
    def adapted(self) -> bool:
        """An adapter learns; the weights themselves are frozen."""
        return self.method in ADAPTER_METHODS

    @model_validator(mode="after")
    def _consistent(self) -> HeroTraining:
        galore = self.optimizer.startswith("galore")
        if (self.method == "galore") != galore:
            raise ValueError(f"method {self.method} does not go with optimizer {self.optimizer}: galore needs both")
        if self.update == "backward":
            if self.method != "full" or self.optimizer not in ("adamw", "adamw_8bit", "sgd"):
                raise ValueError("update backward goes with method full and optimizer adamw, adamw_8bit or sgd")
            if self.accumulation != 1:
                raise ValueError("update backward keeps no gradient to add another to: `accumulation` must be 1")
        if self.schedule != "constant" and self.schedule_steps is None:
            raise ValueError(f"schedule {self.schedule} needs `schedule_steps`")
        if self.schedule_steps is not None and self.warmup_steps >= self.schedule_steps:
            raise ValueError("`warmup_steps` must be fewer than `schedule_steps`")
        return self


class HeroData(Model):
    """What the hero's examples look like."""

    profile: Literal["plain_sft", "emoji_think", "regime3"] = Field(
        "plain_sft", description="how each example is transformed before it is trained"
    )
    stance: Literal["alternating", "thoughtful", "quick"] = Field(
        "alternating", description="emoji_think: which examples reason before they answer; alternating: every second"
    )
    thinking: bool = Field(
        False, description="models that can think: train reasoning that stands apart (`reasoning_content`) as thoughts"
    )
    long_examples: Literal["drop", "truncate"] = Field(
        "drop", description="examples beyond the context; both are counted in the quest's token ledger"
    )
    long_answers: bool = Field(False, description="code or long answers: a masked share of 15-95 % is healthy")

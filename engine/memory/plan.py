"""Plans: which dtypes, how many tokens in a pass and how many blocks computed twice make a hero fit a card."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from configs.schema import Dimensions, MemoryRules
from configs.training import HeroTraining
from engine.memory import shape
from engine.memory.estimate import ALL_BLOCKS, GIB, Estimate, Setting, corrected, estimate

FULL_BYTES_PER_PARAMETER = 16
"""fp32 weights, gradients and two moments."""
LEAST_TOKENS = 64

Verdict = Literal["fits", "tight", "too large"]
Prefer = Literal["balanced", "quality", "efficiency", "full"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The way of training that fits best."""

    estimate: Estimate
    card_bytes: int
    verdict: Verdict
    room_bytes: int
    """What may be planned for: a little less than the card has."""
    tokens_wanted: int
    """Tokens of a pass that the YAML allows."""
    blocks: int
    """Blocks of the model."""

    @property
    def setting(self) -> Setting:
        return self.estimate.setting

    @property
    def blocks_twice(self) -> int:
        """Blocks whose activations are computed twice."""
        return self.blocks if self.setting.checkpointed == ALL_BLOCKS else min(self.setting.checkpointed, self.blocks)

    @property
    def passes_more(self) -> int:
        """How many times as many passes a step takes as the YAML's token budget would need."""
        return -(-self.tokens_wanted // self.setting.tokens)


def precision(
    training: HeroTraining, size_b: float, device: str, memory_bytes: int | None, rules: MemoryRules
) -> tuple[str, str]:
    """dtype of the weights and of the arithmetic.

    On a card weights are fp32 while weights, gradients and moments take no more than `MemoryRules.master_share` of it; bf16 beyond.
    """
    wanted = training.precision
    exact = wanted == "float32" or (wanted == "auto" and device != "cuda")
    compute = "float32" if exact else "bfloat16"
    if training.weights != "auto":
        return ("float32" if training.weights == "float32" else "bfloat16", compute)
    if training.adapted:
        return ("bfloat16" if device == "cuda" else "float32", compute)
    if device != "cuda" or exact or memory_bytes is None:
        return "float32", compute
    fits = size_b * 1e9 * FULL_BYTES_PER_PARAMETER <= memory_bytes * rules.master_share
    return ("float32" if fits else "bfloat16", compute)


def plan(
    d: Dimensions,
    training: HeroTraining,
    card_bytes: int,
    rules: MemoryRules,
    *,
    context: int,
    device: str = "cuda",
    ratio: float | None = None,
) -> Plan:
    """The cheapest way that fits: no block computed twice if possible, then as many as needed, then fewer tokens in a pass.

    Args:
        d: of the model.
        training: as the YAML says.
        card_bytes: memory of the device.
        rules: what is taken for granted.
        context: longest example; a pass never holds less.
        device: ``cuda`` or ``cpu``.
        ratio: measured over estimated on this machine.
    """
    weights, compute = precision(training, shape.parameters(d) / 1e9, device, card_bytes, rules)
    wanted = training.batch_tokens
    tokens, least = wanted, min(wanted, max(LEAST_TOKENS, context))
    room = int(card_bytes * rules.warn_share)
    while True:
        setting = Setting(weights, compute, tokens)
        made = _fewest_twice(d, training, setting, rules, room, ratio)
        if made.peak <= room or tokens <= least:
            return Plan(made, card_bytes, verdict_of(made, card_bytes, room), room, wanted, d.layers)
        tokens = max(least, tokens // 2)


def verdict_of(made: Estimate, card_bytes: int, room_bytes: int) -> Verdict:
    """Whether an estimate fits: within the room, only within the card, or neither."""
    return "fits" if made.peak <= room_bytes else "tight" if made.peak <= card_bytes else "too large"


def checkpointed_blocks(
    d: Dimensions, training: HeroTraining, budget_bytes: int, setting: Setting, rules: MemoryRules
) -> int:
    """Fewest blocks to compute twice so that training stays within the budget; all of them where even that is not enough."""
    made = _fewest_twice(d, training, replace(setting, checkpointed=0), rules, budget_bytes, None)
    return made.setting.checkpointed


def _fewest_twice(
    d: Dimensions,
    training: HeroTraining,
    setting: Setting,
    rules: MemoryRules,
    room: float,
    ratio: float | None,
) -> Estimate:
    """The estimate with as few blocks computed twice as ``room`` needs, or as the YAML says."""
    wanted = training.gradient_checkpointing
    if wanted != "auto":
        fixed = ALL_BLOCKS if wanted is True else int(wanted)
        return corrected(estimate(d, training, replace(setting, checkpointed=fixed), rules), ratio)

    def at(count: int) -> Estimate:
        return corrected(estimate(d, training, replace(setting, checkpointed=count), rules), ratio)

    low, high = 0, d.layers
    if at(low).peak <= room:
        return at(low)
    while high - low > 1:
        middle = (low + high) // 2
        if at(middle).peak <= room:
            high = middle
        else:
            low = middle
    return at(high)


def suggest(size_b: float, card_gib: float, prefer: Prefer = "balanced") -> str:
    """Id of the memory profile for a model of this size on a card of this memory."""
    if card_gib >= 48:
        return "24gb_full_small" if size_b <= 8 else "24gb_lora" if size_b <= 13 else "24gb_qlora"
    if card_gib < 24:
        return "24gb_qlora_8bit_opt"
    if size_b <= 2:
        return "24gb_full_small"
    if size_b <= 4.5:
        return "24gb_full_paged"
    if size_b <= 7.7:
        return {"quality": "24gb_lora_paged", "full": "24gb_full_8bit_opt"}.get(prefer, "24gb_lora")
    if size_b <= 8.5:
        return {"quality": "24gb_lora_8bit_base", "efficiency": "24gb_qlora_8bit_opt"}.get(prefer, "24gb_qlora")
    return "24gb_qlora_8bit_opt"


def gib(count: float) -> float:
    """Bytes as GiB."""
    return count / GIB

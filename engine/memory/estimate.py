"""The memory of training, part by part, at the two moments when most of it is taken: the end of a forward pass, and the update.

Figures follow the engine's own code: what a block keeps for its backward pass, the slices of `engine.head`, the working copies of
`engine.optim.working`. tests/memory counts the same bytes in real models.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from configs.schema import Dimensions, MemoryRules
from configs.training import HeroTraining
from engine.memory import shape

GIB = 1024**3
ALL_BLOCKS = -1
SLICE_NUMBERS = 160 * 1024 * 1024
"""Logits that the head makes at a time on a card."""
COPY_NUMBERS = 64 * 1024 * 1024
"""Weights whose fp32 working copies exist at a time while an update is rounded into bf16."""
_NF4 = 0.5
_SCALES = 4 / 64
_DOUBLE_QUANT_SCALES = 1 / 64 + 4 / (64 * 256)
_STATE_SCALES = 4 / 256
_EIGHT_BIT = ("adamw_8bit", "paged_adamw_8bit", "galore_adamw_8bit")
_PAGED = ("paged_adamw_32bit", "paged_adamw_8bit")

RESIDENT_STATES = "states, paged"

Place = Literal["card", "host"]
When = Literal["always", "forward", "update"]


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that takes memory."""

    name: str
    bytes: int
    when: When
    """Held all the time, or only towards the end of a forward pass, or only in the update."""
    place: Place = "card"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a hero would be trained."""

    weights: str
    """`float32` or `bfloat16`."""
    compute: str
    """The same, of the arithmetic."""
    tokens: int
    """Tokens in one forward pass, padding included."""
    checkpointed: int = 0
    """Blocks whose activations are computed twice; `ALL_BLOCKS`: all."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The parts, and what they come to."""

    parts: tuple[Part, ...]
    setting: Setting
    parameters: int
    trained: int
    correction: float = 1.0
    """Measured over estimated on this machine; 1 where nothing was measured."""

    def at(self, when: When, place: Place = "card") -> int:
        """Bytes of the parts of one moment."""
        return sum(p.bytes for p in self.parts if p.when == when and p.place == place)

    @property
    def peak(self) -> int:
        """Most bytes on the card at a time, corrected by what was measured."""
        return round(self.correction * (self.at("always") + max(self.at("forward"), self.at("update"))))

    @property
    def decisive(self) -> When:
        """The moment of the peak."""
        return "forward" if self.at("forward") >= self.at("update") else "update"

    @property
    def host(self) -> int:
        """Bytes that wait in the host's memory."""
        return sum(p.bytes for p in self.parts if p.place == "host")

    @property
    def paged_resident(self) -> int:
        """Bytes of paged states that are taken to be on the card."""
        return sum(p.bytes for p in self.parts if p.name == RESIDENT_STATES)

    @property
    def worst(self) -> int:
        """The classic bound: 14 bytes for every weight that moves, 2 for one that does not, a pass beside; never below the peak."""
        still = self.parameters - self.trained
        return max(self.peak, 14 * self.trained + 2 * still + self.at("forward"))


def estimate(d: Dimensions, training: HeroTraining, setting: Setting, rules: MemoryRules) -> Estimate:
    """What training takes.

    Args:
        d: of the model.
        training: method, optimizer, adapter.
        setting: dtypes, tokens of a pass, blocks that are computed twice.
        rules: what is taken for granted.
    """
    parts = [*_weights(d, training, setting), *_states(d, training, setting, rules)]
    parts += [*_forward(d, training, setting), *_update(d, training, setting)]
    moving = max(sum(p.bytes for p in parts if p.when == when) for when in ("forward", "update"))
    overhead = max(moving * rules.overhead_share, rules.overhead_gib * GIB)
    parts.append(Part("context", round(overhead), "always", note="device, kernels, allocator's slack"))
    moved = shape.trained_parameters(d, training)
    everything = shape.parameters(d) + (moved if training.adapted else 0)
    return Estimate(tuple(p for p in parts if p.bytes), setting, everything, moved)


def quick_gb(size_b: float, batch: int, length: int, *, checkpointing: bool) -> float:
    """The rule of thumb in GB: weights, gradients and states by size alone, activations by batch and length."""
    return size_b * (0.5 + 0.6 + 0.25) + batch * 0.8 * (length / 2048) * (0.35 if checkpointing else 1.0)


def frozen_weight_bytes(training: HeroTraining) -> float:
    """Bytes of one weight of a block's linear layer that does not move, its scales included."""
    if training.method == "qlora":
        return _NF4 + (_DOUBLE_QUANT_SCALES if training.adapter.double_quant else _SCALES)
    return 1.0 if training.method == "lora_8bit" else 0.0


def _weights(d: Dimensions, training: HeroTraining, setting: Setting) -> list[Part]:
    each = _bytes(setting.weights)
    matrices, everything = shape.matrix_parameters(d), shape.parameters(d)
    moved = shape.trained_parameters(d, training)
    if not training.adapted:
        parts = [Part("weights", everything * each, "always", note=_words(setting.weights))]
        if setting.weights == "bfloat16" and training.weights == "bfloat16_master":
            parts.append(Part("fp32 copy", everything * 4, "always", note="the true weights"))
        if training.update == "backward":
            # The largest one; that of a shared head waits for the embedding's.
            widest = d.vocab_size * d.hidden_size * (2 if d.tied else 1)
            parts.append(Part("gradients", widest * each, "always", note="one weight at a time"))
        else:
            parts.append(Part("gradients", everything * each, "always", note=_words(setting.weights)))
    else:
        quantised = frozen_weight_bytes(training)
        if quantised:
            note = "4 bits" if training.method == "qlora" else "8 bits"
            parts = [
                Part("weights", round(matrices * quantised), "always", note=f"the blocks, in {note}"),
                Part(
                    "embedding", (everything - matrices) * each, "always", note=f"and head, {_words(setting.weights)}"
                ),
            ]
        else:
            parts = [Part("weights", everything * each, "always", note=f"{_words(setting.weights)}, standing still")]
        parts.append(Part("adapter", moved * 4, "always", note=f"rank {training.adapter.r}, fp32"))
        parts.append(Part("gradients", moved * 4, "always", note="of the adapter"))
    if training.ema_decay is not None:
        parts.append(Part("average", moved * 4, "always", note="averaged weights, fp32"))
    return parts


def state_bytes(training: HeroTraining, setting: Setting) -> float:
    """Bytes of optimizer state for one weight that the optimizer sees whole (muon: of a matrix)."""
    half = setting.weights == "bfloat16" and training.weights == "bfloat16" and not training.adapted
    if training.optimizer == "sgd":
        return (2 if half else 4) if training.momentum else 0
    if training.optimizer == "muon":
        return 4
    if training.optimizer in _EIGHT_BIT:
        return 2 * (1 + _STATE_SCALES)
    return 4 if half else 8


def _states(d: Dimensions, training: HeroTraining, setting: Setting, rules: MemoryRules) -> list[Part]:
    each = state_bytes(training, setting)
    seen = shape.trained_parameters(d, training)
    parts: list[Part] = []
    total = 0.0
    if training.optimizer in _EIGHT_BIT and training.embedding_states_32bit and not training.adapted:
        total += 8 * shape.outer_parameters(d)
        seen -= shape.outer_parameters(d)
    if training.optimizer == "muon" and not training.adapted:
        total += 8 * (seen - shape.matrix_parameters(d))
        seen = shape.matrix_parameters(d)
    elif training.method == "galore":
        narrow, window = _galore(d, training)
        inside = _seen_through(d, training)
        total += narrow * each
        seen -= inside
        parts.append(Part("lens", (narrow + window) * 4, "always", note=f"projections of rank {training.galore.rank}"))
    total += seen * each
    if training.optimizer in _PAGED:
        resident = round(total * rules.paged_resident)
        parts.append(Part(RESIDENT_STATES, resident, "always", note="the share on the card at a time"))
        parts.append(Part("states, host", round(total) - resident, "always", "host", "move when they are needed"))
    else:
        parts.append(Part("states", round(total), "always", note=training.optimizer))
    return parts


def _seen_through(d: Dimensions, training: HeroTraining) -> int:
    """Weights of matrices wider than GaLore's rank both ways."""
    rank = training.galore.rank
    return d.layers * sum(a * b for a, b in shape.block_matrices(d).values() if min(a, b) > rank)


def _galore(d: Dimensions, training: HeroTraining) -> tuple[int, int]:
    """Numbers of the projected weights, and of the projections."""
    rank = training.galore.rank
    pairs = [pair for pair in shape.block_matrices(d).values() if min(pair) > rank]
    return d.layers * sum(max(p) * rank for p in pairs), d.layers * sum(min(p) * rank for p in pairs)


def block_bytes_per_token(d: Dimensions, training: HeroTraining, setting: Setting) -> int:
    """Bytes that one block keeps of one token until its backward pass: norms' inputs, the layers' inputs, attention, feed-forward."""
    c = _bytes(setting.compute)
    residual = 4 if setting.weights == "float32" else c
    mixed = setting.weights == "float32" and setting.compute == "bfloat16"
    h, i = d.hidden_size, d.intermediate_size
    query, key = d.heads * d.head_dim, d.kv_heads * d.head_dim
    attention = c * (2 * query + 2 * key) + 4 * d.heads
    norms = 2 * (4 * h + 4)
    narrow = 4 * (query + key) + 4 * (d.heads + d.kv_heads)
    if not training.adapted:
        inputs = c * h * (5 if mixed else 2)
        return norms + 2 * residual * h + inputs + narrow + c * (query + key) + attention + 4 * c * i
    dropout = 1 if training.adapter.dropout else 0
    matrices = shape.adapted_matrices(d, training)
    adapters = sum(a * (c + dropout) + c * training.adapter.r for a, _ in matrices)
    return norms + narrow + attention + 3 * c * i + adapters


def _forward(d: Dimensions, training: HeroTraining, setting: Setting) -> list[Part]:
    c = _bytes(setting.compute)
    residual = 4 if setting.weights == "float32" else c
    block = block_bytes_per_token(d, training, setting) * setting.tokens
    twice = d.layers if setting.checkpointed == ALL_BLOCKS else min(setting.checkpointed, d.layers)
    kept = twice * residual * d.hidden_size * setting.tokens + max((d.layers - twice) * block, block)
    work = (4 * d.intermediate_size + 8 * d.hidden_size) * c * setting.tokens
    note = f"{setting.tokens:,} tokens" + (f", {twice}/{d.layers} blocks twice" if twice else "")
    parts = [Part("activations", kept + work, "forward", note=note), *_head(d, training, setting)]
    if setting.weights == "float32" and setting.compute == "bfloat16":
        copies = 2 * (shape.matrix_parameters(d) + d.vocab_size * d.hidden_size)
        parts.append(Part("casts", copies, "forward", note="bf16 copies of the weights"))
    if training.method in ("qlora", "lora_8bit"):
        largest = max(a * b for a, b in shape.block_matrices(d).values())
        parts.append(Part("unpacking", 2 * c * largest, "forward", note="one layer's weights at a time"))
    return parts


def _head(d: Dimensions, training: HeroTraining, setting: Setting) -> list[Part]:
    together = min(setting.tokens, max(64, SLICE_NUMBERS // d.vocab_size))
    logits = 8 * together * d.vocab_size + _bytes(setting.compute) * setting.tokens * d.hidden_size
    parts = [Part("head slice", logits, "forward", note=f"logits of {together:,} tokens at a time")]
    if not training.adapted:
        sums = (4 + _bytes(setting.compute)) * d.vocab_size * d.hidden_size
        parts.append(Part("head gradient", sums, "forward", note="summed in fp32"))
    return parts


def _update(d: Dimensions, training: HeroTraining, setting: Setting) -> list[Part]:
    rounded = setting.weights == "bfloat16" and not training.adapted and training.weights != "bfloat16"
    if not rounded:
        return []
    largest = max(d.vocab_size * d.hidden_size, *(a * b for a, b in shape.block_matrices(d).values()))
    numbers = min(shape.parameters(d), max(COPY_NUMBERS, largest))
    return [Part("working copies", 12 * numbers, "update", note="fp32, a group of weights at a time")]


def _bytes(dtype: str) -> int:
    return 4 if dtype == "float32" else 2


def _words(dtype: str) -> str:
    return "fp32" if dtype == "float32" else "bf16"


def corrected(made: Estimate, ratio: float | None) -> Estimate:
    """The estimate with what was measured on this machine; None: as it is."""
    return made if ratio is None else replace(made, correction=ratio)

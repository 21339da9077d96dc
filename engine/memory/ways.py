"""Three ways to move every weight of a model whose moments do not fit beside it, with what each costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from configs.schema import Dimensions, MemoryRules
from configs.training import HeroTraining
from engine.memory import shape
from engine.memory.estimate import Part
from engine.memory.plan import Plan, plan, verdict_of

_FOUR_BIT_STATES = 2 * (0.5 + 4 / 128)
"""Bytes of two moments of one weight in 4 bits, with a scale for every 128."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way, planned for one card."""

    id: str
    name: str
    plan: Plan
    runs: bool
    """Whether this engine can train so."""
    cost: str
    profile: str = ""
    """What sets it up; empty where the engine cannot run it."""


def full_ways(d: Dimensions, training: HeroTraining, card_bytes: int, rules: MemoryRules, *, context: int) -> list[Way]:
    """The ways of a full fine-tune in bf16; arguments as in `engine.memory.plan.plan`."""

    def planned(**changes: Any) -> Plan:
        same = {"method": "full", "weights": "bfloat16_stochastic", "gradient_checkpointing": "auto"}
        wanted = HeroTraining.model_validate({**training.model_dump(), **same, **changes})
        return plan(d, wanted, card_bytes, rules, context=context)

    everything = shape.parameters(d)
    paged = planned(optimizer="paged_adamw_8bit")
    on_card = planned(optimizer="adamw_8bit", gradient_checkpointing=True, batch_tokens=context)
    in_backward = planned(
        optimizer="adamw_8bit", update="backward", accumulation=1, gradient_checkpointing=True, batch_tokens=context
    )
    four_bits = Part("states", round(everything * _FOUR_BIT_STATES), "always", note="4 bits")
    return [
        Way(
            "paged",
            "8-bit moments, paged",
            paged,
            True,
            f"{paged.estimate.host / 1e9:.0f} GB cross the bus and back at every update; more passes in a step make that rare",
            "24gb_full_paged",
        ),
        Way(
            "in-backward",
            "update within the backward pass",
            in_backward,
            True,
            "a step is a single pass, and no clip knows the whole gradient: `update: backward`, `accumulation: 1`",
        ),
        Way("four-bit", "4-bit moments", _with(on_card, "states", four_bits), False, "coarser moments"),
    ]


def _with(made: Plan, name: str, part: Part) -> Plan:
    """The plan with another part in the place of the one of that name."""
    parts = tuple(part if p.name == name else p for p in made.estimate.parts)
    changed = replace(made.estimate, parts=parts)
    return replace(made, estimate=changed, verdict=verdict_of(changed, made.card_bytes, made.room_bytes))

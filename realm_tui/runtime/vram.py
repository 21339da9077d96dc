"""What training a hero takes on a card: the plan, its parts, other ways, and what this machine taught."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from configs.errors import UsageError
from configs.loader import Layer, find_hero, hero_layers, hero_of, load_game, load_hero
from configs.physics import memory_profile
from configs.reading import nearest
from configs.schema import HeroConfig, MemoryRules
from configs.training import HeroTraining
from engine.memory.calibration import Measured, machine_key, measured_on, ratio_of
from engine.memory.estimate import GIB, quick_gb
from engine.memory.plan import Plan, Prefer, plan, suggest
from engine.memory.shape import dimensions_of
from engine.memory.ways import Way, full_ways
from realm_tui.runtime.machine import Graphics, graphics

FULL_OPTIMIZER = "adamw"
GALORE_OPTIMIZER = "galore_adamw_8bit"


@dataclass(frozen=True, slots=True)
class Device:
    """What a plan is made for."""

    name: str
    bytes: int
    kind: str
    """``cuda`` or ``cpu``."""
    here: bool
    """It is this machine's own."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the player changes for the question; None: as the hero's YAML says."""

    method: str | None = None
    optimizer: str | None = None
    length: int | None = None
    batch: int | None = None
    prefer: Prefer = "balanced"


@dataclass(frozen=True, slots=True)
class Report:
    """The answer."""

    hero: HeroConfig
    device: Device
    plan: Plan
    rules: MemoryRules
    measured: Measured | None
    ways: tuple[Way, ...]
    suggestion: str
    """A memory profile."""
    suggested: Plan
    rule_of_thumb_gb: float

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; sizes in bytes."""
        made, setting = self.plan.estimate, self.plan.setting
        training = self.hero.training
        return {
            "hero": self.hero.id,
            "device": asdict(self.device),
            "method": training.method,
            "optimizer": training.optimizer,
            "parameters": made.parameters,
            "trained_parameters": made.trained,
            "weights": setting.weights,
            "compute": setting.compute,
            "pass_tokens": setting.tokens,
            "pass_tokens_wanted": self.plan.tokens_wanted,
            "checkpointed_blocks": self.plan.blocks_twice,
            "parts": [asdict(p) for p in made.parts],
            "peak_bytes": made.peak,
            "peak_when": made.decisive,
            "host_bytes": made.host,
            "worst_bytes": made.worst,
            "tolerance": self.rules.tolerance,
            "verdict": self.plan.verdict,
            "correction": made.correction,
            "measured": asdict(self.measured) if self.measured else None,
            "rule_of_thumb_gb": round(self.rule_of_thumb_gb, 1),
            "ways": [
                {
                    "id": w.id,
                    "name": w.name,
                    "peak_bytes": w.plan.estimate.peak,
                    "host_bytes": w.plan.estimate.host,
                    "verdict": w.plan.verdict,
                    "runs": w.runs,
                    "cost": w.cost,
                    "profile": w.profile or None,
                }
                for w in self.ways
            ],
            "suggestion": {
                "profile": self.suggestion,
                "peak_bytes": self.suggested.estimate.peak,
                "verdict": self.suggested.verdict,
            },
        }


def device_for(card: str | None, rules: MemoryRules) -> Device:
    """The card that is named, or this machine's own, or its memory where it has none.

    Raises:
        UsageError: no card of that name is known.
    """
    own: Graphics | None = graphics()
    if card is not None:
        size = rules.card_gib(card)
        if size is None:
            near = nearest(card, list(rules.cards))
            raise UsageError(
                f"no card is called {card!r}",
                why=f"the nearest name is {near}" if near else "",
                fix=f"choose one of {', '.join(rules.cards)}, or give its memory in GiB, e.g. `--card 24`",
                code="CARD_UNKNOWN",
            )
        return Device(_card_name(card, size), round(size * GIB), "cuda", False)
    if own is not None:
        return Device(own.name, own.memory_bytes, "cuda", True)
    import psutil

    return Device("this machine's CPU", psutil.virtual_memory().total, "cpu", True)


def _card_name(card: str, size: float) -> str:
    bare = card.replace(".", "", 1)
    if not bare.isdigit():
        return card.upper()
    return f"a card of {size:g} GiB" if size == float(card) else f"an RTX {card}"


def report(hero: HeroConfig, device: Device, prefer: Prefer = "balanced") -> Report:
    """The plan for ``hero`` on ``device``, with what else could be done there."""
    rules = load_game().memory
    d, training = dimensions_of(hero), hero.training
    measured = measured_on(machine_key(device.name, device.bytes), training) if device.here else None
    context = hero.model.context_length
    made = plan(d, training, device.bytes, rules, context=context, device=device.kind, ratio=ratio_of(measured, rules))
    size_b = made.estimate.parameters / 1e9
    profile = suggest(size_b, device.bytes / GIB, prefer)
    other = with_profile(hero, profile)
    ways: list[Way] = []
    if training.method == "full" and device.kind == "cuda" and hero.model.source == "pretrained":
        ways = full_ways(d, training, device.bytes, rules, context=context)
    return Report(
        hero=hero,
        device=device,
        plan=made,
        rules=rules,
        measured=measured,
        ways=tuple(ways),
        suggestion=profile,
        suggested=plan(dimensions_of(other), other.training, device.bytes, rules, context=other.model.context_length),
        rule_of_thumb_gb=quick_gb(
            hero.model.size_b, training.batch_size, context, checkpointing=made.setting.checkpointed != 0
        ),
    )


def asked_hero(which: str, asked: Asked) -> HeroConfig:
    """A hero of the roster with what the player asked for laid on top."""
    found = find_hero(which)
    layers = hero_layers(found)
    plain = load_hero(found)
    over = changes(plain, asked)
    if not over:
        return plain
    return hero_of([*layers, Layer("command line", over)], f"hero {found} with what was asked for")


def changes(hero: HeroConfig, asked: Asked) -> dict[str, Any]:
    """What was asked for as a layer; an optimizer is chosen where the method needs another one.

    Raises:
        UsageError: the model cannot read that many tokens.
    """
    training: dict[str, Any] = {}
    model: dict[str, Any] = {}
    if asked.method is not None:
        training["method"] = asked.method
        has_lens = hero.training.optimizer.startswith("galore")
        if asked.optimizer is None and (asked.method == "galore") != has_lens:
            training["optimizer"] = GALORE_OPTIMIZER if asked.method == "galore" else FULL_OPTIMIZER
    if asked.optimizer is not None:
        training["optimizer"] = asked.optimizer
    if asked.length is not None:
        most = dimensions_of(hero).max_context
        if asked.length > most:
            raise UsageError(
                f"{hero.name}'s model reads {most} tokens, not {asked.length}",
                fix=f"choose a length of at most {most}",
                code="CONTEXT_TOO_LONG",
            )
        model["context_length"] = asked.length
    if asked.length is not None or asked.batch is not None:
        batch = asked.batch or hero.training.batch_size
        training["batch_size"] = batch
        training["batch_tokens"] = max(64, batch * (asked.length or hero.model.context_length))
    return {key: value for key, value in (("training", training), ("model", model)) if value}


def with_profile(hero: HeroConfig, profile: str) -> HeroConfig:
    """``hero`` as a memory profile would train it."""
    layer = memory_profile(profile)
    training = HeroTraining.model_validate({**hero.training.model_dump(), **layer.training})
    length = min(hero.model.context_length, layer.context_length)
    model = hero.model.model_copy(update={"context_length": length})
    return hero.model_copy(update={"training": training, "model": model, "memory_profile": profile})

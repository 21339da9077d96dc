"""What the settings show: every rule with its meaning, the memory a hero's training takes, and what a reset would take away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, get_args

from configs.errors import RealmError
from configs.loader import hero_ids, load_hero
from configs.physics import memory_profiles
from configs.schema import MemoryRules
from configs.ways import Method, OptimizerName
from engine.memory.plan import Prefer
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.rules import Rule, rules_in_force
from realm_tui.runtime.starting_over import would_go
from realm_tui.runtime.vram import Asked, Device, Report, asked_hero, device_for, report, with_profile
from saves.reset import DEPTHS, Depth, Reset

Section = Literal["rules", "memory", "danger"]
SECTIONS: tuple[Section, ...] = ("rules", "memory", "danger")
LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
Field = Literal["hero", "card", "profile", "method", "optimizer", "length", "batch", "prefer"]
FIELDS: tuple[Field, ...] = get_args(Field)


@dataclass(frozen=True, slots=True)
class Question:
    """What the memory calculator is asked; None: as the hero's YAML, or this machine, says."""

    hero: str
    card: str | None = None
    profile: str | None = None
    """A memory profile; it decides method and optimizer."""
    method: str | None = None
    optimizer: str | None = None
    length: int | None = None
    batch: int | None = None
    prefer: Prefer = "balanced"

    @property
    def asked(self) -> Asked:
        """The part that changes the hero."""
        return Asked(self.method, self.optimizer, self.length, self.batch, self.prefer)


@dataclass(frozen=True, slots=True)
class Calculation:
    """The calculator's answer, or why there is none."""

    question: Question
    report: Report | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class ResetPlan:
    """What one depth would take away, or why it cannot be done."""

    depth: Depth
    plan: Reset | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class SettingsView:
    """Everything on the settings screen; sections that are not looked at stay empty."""

    save: str
    rules: tuple[Rule, ...] = ()
    rules_trouble: str = ""
    """Why the rules cannot be read; those the screen started with stay in force."""
    calculation: Calculation | None = None
    resets: tuple[ResetPlan, ...] = ()


def settings_view(save: OpenedSave, section: Section, question: Question | None = None) -> SettingsView:
    """What a section shows.

    Args:
        save: an open save.
        section: which one.
        question: what the calculator is asked; None: the save's hero as it is.
    """
    name = save.folder.name
    if section == "rules":
        try:
            return SettingsView(name, rules=tuple(rules_in_force(name)))
        except RealmError as error:
            return SettingsView(name, rules_trouble=error.text())
    if section == "memory":
        return SettingsView(name, calculation=calculate(question or Question(save.hero.id), save.rules.memory))
    return SettingsView(name, resets=tuple(_plan(save, depth) for depth in DEPTHS))


def calculate(question: Question, rules: MemoryRules) -> Calculation:
    """The memory plan for a question; a question that cannot be answered says why."""
    try:
        device = _own_device() if question.card is None else device_for(question.card, rules)
        hero = asked_hero(question.hero, question.asked)
        if question.profile is not None:
            hero = with_profile(hero, question.profile)
        return Calculation(question, report(hero, device, question.prefer))
    except RealmError as error:
        return Calculation(question, None, error.text())


@cache
def _own_device() -> Device:
    """This machine's card, asked once: its driver takes a moment to answer."""
    from configs.loader import load_game

    return device_for(None, load_game().memory)


def turned(question: Question, field: Field, by: int, rules: MemoryRules) -> Question:
    """The question with one field moved on by ``by`` choices, around at either end."""
    choices = _choices(question, field, rules)
    at = getattr(question, field)
    place = choices.index(at) if at in choices else 0
    change: dict[str, Any] = {field: choices[(place + by) % len(choices)]}
    changed = replace(question, **change)
    if field == "hero":
        return replace(Question(changed.hero), card=question.card, prefer=question.prefer)
    if field == "profile" and changed.profile is not None:
        return replace(changed, method=None, optimizer=None)
    if field in ("method", "optimizer"):
        return replace(changed, profile=None)
    return changed


def _choices(question: Question, field: Field, rules: MemoryRules) -> tuple[object, ...]:
    match field:
        case "hero":
            return tuple(hero_ids())
        case "card":
            return (None, *rules.cards)
        case "profile":
            return (None, *memory_profiles()) if load_hero(question.hero).model.source == "pretrained" else (None,)
        case "method":
            return (None, *get_args(Method))
        case "optimizer":
            return (None, *get_args(OptimizerName))
        case "length":
            return (None, *(n for n in LENGTHS if n <= _longest(question.hero)))
        case "batch":
            return (None, *BATCHES)
        case "prefer":
            return get_args(Prefer)


def _longest(hero: str) -> int:
    """Tokens the hero's model can read, as far as that is known."""
    from engine.memory.shape import dimensions_of

    try:
        return dimensions_of(load_hero(hero)).max_context
    except RealmError:
        # What is wrong with the hero is said by the calculation itself.
        return LENGTHS[-1]


def _plan(save: OpenedSave, depth: Depth) -> ResetPlan:
    try:
        return ResetPlan(depth, would_go(save, depth))
    except RealmError as error:
        return ResetPlan(depth, None, error.text())

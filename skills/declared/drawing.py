"""Draws the slots of a declared operation, and reads them back from a prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import Any

from configs.declared import SLOT, ChoiceSlot, DeclaredOperation, IntSlot, LettersSlot, ListSlot, Slot
from skills.declared.expression import text

FACT = "_fact"


def at_level(levels: Mapping[int, Any], level: int) -> Any:
    """What a table that says something from some levels on says at ``level``."""
    return levels[max(known for known in levels if known <= max(level, 1))]


def draw(slot: Slot, random: Random, level: int) -> Any:
    """A value for a slot at a level."""
    if isinstance(slot, IntSlot):
        return random.randint(*at_level(slot.levels, level))
    if isinstance(slot, ChoiceSlot):
        return random.choice(at_level(slot.levels, level))
    if isinstance(slot, LettersSlot):
        return "".join(random.choice(slot.alphabet) for _ in range(random.randint(*at_level(slot.levels, level))))
    return [random.randint(*slot.values) for _ in range(random.randint(*at_level(slot.length, level)))]


def shown(slot: Slot, value: Any) -> str:
    """A value as a prompt shows it."""
    return slot.separator.join(str(v) for v in value) if isinstance(slot, ListSlot) else text(value)


def known(operation: DeclaredOperation, values: Mapping[str, Any]) -> dict[str, Any]:
    """What expressions may name: the slots, and the facts known of them."""
    facts = {
        f"{name}{FACT}": slot.facts[values[name]]
        for name, slot in operation.slots.items()
        if isinstance(slot, ChoiceSlot) and values[name] in slot.facts
    }
    return {**values, **facts}


def worded(operation: DeclaredOperation, template: str, values: Mapping[str, Any]) -> str:
    """A template with its slots filled."""
    return SLOT.sub(lambda found: shown(operation.slots[found[1]], values[found[1]]), template)


def canonical(operation: DeclaredOperation, values: Mapping[str, Any]) -> str:
    """The problem without its wording."""
    return "|".join(
        f"{name}={shown(slot, values[name])}"
        for name, slot in operation.slots.items()
        if not (isinstance(slot, ChoiceSlot) and slot.wording)
    )


def read_back(operation: DeclaredOperation, prompt: str) -> dict[str, Any] | None:
    """The slots that a prompt of this operation shows; None when no template fits it.

    A choice may be a word that is on no list: another name is the same problem.
    """
    for template in operation.templates:
        parts = SLOT.split(template)
        pattern, seen = "", set[str]()
        for position, part in enumerate(parts):
            if position % 2 == 0:
                pattern += re.escape(part)
            elif part in seen:
                pattern += f"(?P={part})"
            else:
                seen.add(part)
                pattern += f"(?P<{part}>{_pattern(operation.slots[part])})"
        found = re.fullmatch(pattern, prompt)
        if found:
            return {name: _read(operation.slots[name], found[name]) for name in operation.slots}
    return None


def _pattern(slot: Slot) -> str:
    if isinstance(slot, IntSlot):
        return r"-?\d+"
    if isinstance(slot, ListSlot):
        return rf"-?\d+(?:{re.escape(slot.separator)}-?\d+)*"
    if isinstance(slot, LettersSlot):
        return r"[^\W\d_]+"
    texts = sorted({t for values in slot.levels.values() for t in values}, key=lambda t: (-len(t), t))
    listed = "|".join(re.escape(t) for t in texts)
    return listed if slot.facts else rf"{listed}|[^\W\d_]+"


def _read(slot: Slot, said: str) -> Any:
    if isinstance(slot, IntSlot):
        return int(said)
    if isinstance(slot, ListSlot):
        return [int(v) for v in said.split(slot.separator)]
    return said

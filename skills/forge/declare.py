"""Writes explained clusters down as a declared skill: operations, slots with their levels, conditions."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from configs.declared import DeclaredSkill
from configs.errors import BlockedError
from skills.declared.expression import ExpressionError, evaluate, read
from skills.forge.decompose import primitives_of
from skills.forge.fitting import Found, uses
from skills.forge.ladder import choice_levels, int_levels, length_levels
from skills.forge.templates import SlotKind

LEVELS = 5
FINITE_BELOW = 10_000
"""Problems of the last level below which an operation is marked as finite."""
_FIRST_LEVEL = 400
"""Problems of the first level where the samples span as many: a fifth of them are held out, 64 make an exam."""
_TELLING = 12
"""Samples from which something that never happened counts as excluded."""
_LETTERS = ("reverse(", "sorted(", "len(", "count(", "split(", "first(", "last(", "[1:]", "[:-1]", " in ")


def declaration(skill_id: str, name: str, found: Sequence[Found], levels: int = LEVELS) -> dict[str, Any]:
    """The declared skill as its YAML says it.

    Raises:
        BlockedError: nothing was explained.
    """
    if not found:
        raise BlockedError(
            "no sample could be explained",
            why="no template with an answer that follows from its slots was found",
            fix="give samples whose answers can be computed from the question, more of each wording",
            code="NOTHING_EXPLAINED",
        )
    ordered = sorted(found, key=lambda f: (f.explained.size, -len(f.rows), f.templates[0]))
    operations: dict[str, Any] = {}
    for position, one in enumerate(ordered):
        key = _operation_name(one, operations)
        operations[key] = operation_of(one, levels, first=1 + position * (levels - 1) // (2 * len(ordered)))
    return {
        "id": skill_id,
        "name": name,
        "description": f"{name}, learnt from samples: {len(operations)} operation{'s' * (len(operations) > 1)}.",
        "version": "1.0.0",
        "category": "math" if all(_numeric(one) for one in found) else "reasoning",
        "max_level": levels,
        "operations": operations,
    }


def _numeric(one: Found) -> bool:
    return all(row.sample.answer.removeprefix("-").isdigit() for row in one.rows)


def _operation_name(one: Found, taken: Mapping[str, Any]) -> str:
    words = re.findall(r"[a-z]+", re.sub(r"\{\w+\}", " ", one.templates[0]).lower())
    common = {
        "the",
        "a",
        "an",
        "is",
        "are",
        "of",
        "what",
        "how",
        "many",
        "much",
        "to",
        "and",
        "in",
        "does",
        "do",
        "by",
        "with",
    }
    stem = "_".join([w for w in words if w not in common][:3] or words[:2]) or "operation"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    return name


def operation_of(one: Found, levels: int, first: int) -> dict[str, Any]:
    slots = {name: _slot(one, name, kind, levels) for name, kind in one.kinds.items()}
    where = _conditions(one)
    operation: dict[str, Any] = {"templates": list(dict.fromkeys(one.templates)), "slots": slots, "answer": one.answer}
    if where:
        operation["where"] = where
    if one.plain and _numeric(one):
        operation["compare"] = "number"
    if drawn_on := primitives_of(one.explained.source, one.kinds):
        operation["primitives"] = list(drawn_on)
    if first > 1:
        operation["first_level"] = first
    if _space(slots) < FINITE_BELOW:
        operation["finite"] = True
    return operation


def _slot(one: Found, name: str, kind: SlotKind, levels: int) -> dict[str, Any]:
    values = [row.values[name] for row in one.rows]
    if kind == "int":
        values = [row.values[n] for row in one.rows for n in _alike(one, name)]
        numbers = sum(k == "int" for k in one.kinds.values())
        return {"kind": "int", "levels": int_levels(values, levels, round(_FIRST_LEVEL ** (1 / numbers)))}
    if kind == "list":
        members = [v for value in values for v in value]
        return {
            "kind": "list",
            "length": length_levels([len(v) for v in values], levels),
            "values": [min(members), max(members)],
            "separator": one.separator,
        }
    known = one.explained.facts.get(name)
    lower = all(v.isalpha() and v.islower() for v in values)
    if known is None and lower and uses(one, name) and any(form in one.answer for form in _LETTERS):
        return {
            "kind": "letters",
            "alphabet": "".join(sorted({c for v in values for c in v})),
            "levels": length_levels([len(v) for v in values], levels),
        }
    slot: dict[str, Any] = {"kind": "choice", "levels": choice_levels(values, levels)}
    if known is not None:
        slot["facts"] = {word: known[word] for word in sorted(known)}
    elif not uses(one, name):
        slot["wording"] = True
    return slot


def _space(slots: Mapping[str, Mapping[str, Any]]) -> int:
    """At most so many problems on the last level, counted up to `FINITE_BELOW`."""
    total = 1
    for slot in slots.values():
        if slot["kind"] == "int":
            low, high = slot["levels"][max(slot["levels"])]
            total *= high - low + 1
        elif slot["kind"] == "choice" and not slot.get("wording"):
            total *= len(slot["levels"][max(slot["levels"])])
        elif slot["kind"] == "letters":
            total *= len(slot["alphabet"]) ** slot["levels"][max(slot["levels"])][1]
        elif slot["kind"] == "list":
            total *= (slot["values"][1] - slot["values"][0] + 1) ** slot["length"][max(slot["length"])][1]
    return min(total, FINITE_BELOW)


def _alike(one: Found, name: str) -> list[str]:
    """The number slots that share one range with ``name``: those compared with each other, or a constant answer would often be right."""
    compared = {
        side.id
        for node in ast.walk(read(one.explained.source))
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Name) and one.kinds.get(side.id) == "int"
    }
    return sorted(compared) if name in compared else [name]


def _conditions(one: Found) -> str:
    """What holds in every sample and would not hold by chance: no negative result, no remainder, no tie."""
    values = [row.values for row in one.rows]
    if len(values) < _TELLING:
        return ""
    ints = [n for n, k in one.kinds.items() if k == "int"]
    answer = one.explained.source
    found = []
    for a in ints:
        for b in ints:
            if a == b:
                continue
            if f"{a} - {b}" in answer and "abs(" not in answer:
                found.append(f"{a} >= {b}")
            if f"{a} // {b}" in answer or f"{a} % {b}" in answer:
                found.append(f"{b} != 0")
            if f"{a} // {b}" in answer:
                found.append(f"{a} % {b} == 0")
            if f"{a} > {b}" in answer or f"{a} < {b}" in answer:
                found.append(f"{a} != {b}")
    if "split" not in answer and (letters := [n for n, k in one.kinds.items() if k == "word"]) and len(letters) > 1:
        found += [f"{a} != {b}" for a, b in pairwise(letters) if f"{a} if" in answer or f"{b} if" in answer]
    return " and ".join(c for c in dict.fromkeys(found) if all(_holds(c, row) for row in values))


def _holds(condition: str, values: Mapping[str, Any]) -> bool:
    try:
        return bool(evaluate(condition, values))
    except ExpressionError:
        return False


def valid(data: Mapping[str, Any]) -> DeclaredSkill:
    """A declaration as the game reads it."""
    return DeclaredSkill.model_validate(dict(data))

"""Makes a skill of its declaration."""

from __future__ import annotations

import re
from functools import partial
from random import Random

from configs.catalogue import primitive_id
from configs.declared import DeclaredOperation, DeclaredSkill
from configs.errors import RealmError
from configs.schema import SkillConfig
from skills.answers import final_answer, text_score, without_thinking
from skills.contract import Outcome, Problem, Result
from skills.declared.drawing import canonical, draw, known, worded
from skills.declared.expression import evaluate, names, read, text
from skills.split import definition_digest
from skills.streams import Kind, Made, StreamSkill

_DRAWS = 500
"""Draws of the slots before a condition counts as never true."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:/\d+)?")
_TRIAL = 8
"""Problems made of each operation and level before a skill counts as usable."""


def build(declared: DeclaredSkill) -> StreamSkill:
    """The skill of a declaration.

    Raises:
        RealmError: an expression cannot be used, or a condition is never true.
    """
    kinds = [
        Kind(name, partial(make, name, operation), _number_score if operation.compare == "number" else text_score,
             finite=operation.finite)
        for name, operation in declared.operations.items()
    ]  # fmt: skip
    for name, operation in declared.operations.items():
        _check(name, operation)
        for level in {operation.first_level, declared.max_level}:
            for trial in range(_TRIAL):
                make(name, operation, Random(f"trial|{trial}"), level)
    return StreamSkill(described(declared), kinds)


def make(name: str, operation: DeclaredOperation, random: Random, level: int) -> Made:
    """One problem of an operation."""
    template = random.choice(operation.templates)
    for _ in range(_DRAWS):
        values = {slot_name: draw(slot, random, level) for slot_name, slot in operation.slots.items()}
        facts = known(operation, values)
        if operation.where and not evaluate(operation.where, facts):
            continue
        return Made(
            canonical(operation, values),
            worded(operation, template, values),
            text(evaluate(operation.answer, facts)),
            primitives=tuple(primitive_id(p) for p in operation.primitives),
        )
    raise RealmError(
        f"the operation {name} makes no problem at level {level}",
        why=f"{operation.where} was true of none of {_DRAWS} draws",
        fix="widen its slots or its condition",
        code="GENERATOR_STUCK",
    )


def described(declared: DeclaredSkill) -> SkillConfig:
    """What the YAML of a skill with a module would say."""
    asked = {name: operation.model_dump(mode="json") for name, operation in declared.operations.items()}
    mix = {
        "description": "Every operation of the declaration.",
        "operations": {name: operation.first_level for name, operation in declared.operations.items()},
        "tiers": {f"1-{declared.max_level}": {"easy": 100}},
    }
    return SkillConfig.model_validate(
        {
            "id": declared.id,
            "name": declared.name,
            "rpg_name": declared.name,
            "version": f"{declared.version}+{definition_digest(asked)}",
            "description": declared.description or declared.name,
            "category": declared.category,
            "display": {"icon": declared.icon, "colour": declared.colour, "short_name": declared.id[:8].upper()},
            "max_level": declared.max_level,
            "level_names": {},
            "mixes": {"full": mix, "hatchling": mix},
        }
    )


def _check(name: str, operation: DeclaredOperation) -> None:
    for primitive in operation.primitives:
        primitive_id(primitive)
    facts = {f"{slot}_fact" for slot in operation.slots}
    for source in filter(None, (operation.where, operation.answer)):
        read(source)
        strange = sorted(names(source) - set(operation.slots) - facts)
        if strange:
            raise RealmError(
                f"the operation {name} names {', '.join(strange)}, which is no slot of it",
                why=f"in {source!r}",
                fix=f"use its slots: {', '.join(operation.slots)}",
                code="BAD_EXPRESSION",
            )


def _number_score(problem: Problem, answer: str) -> Outcome:
    """As `text_score`, and HIT where the last number of the final answer is the right one."""
    first = text_score(problem, answer)
    said = without_thinking(answer)
    if first.correct or first.result is Result.CRIT_MISS or said is None:
        return first
    found = _NUMBER.findall(final_answer(said))
    if found and found[-1] == problem.answer:
        return Outcome(Result.HIT, "the right number")
    return first

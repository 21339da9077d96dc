"""Joins the catalogue with its generators: every entry has one, and every generator has an entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from random import Random
from types import MappingProxyType

from configs.catalogue import PASSIVES, Primitive, passive_primitives, primitives, tracks
from configs.drill_words import drill_words
from configs.errors import RealmError
from configs.schema import SkillMix, SkillPrimitive
from skills.streams import Kind, Made

RUNGS = 10
"""Rungs of every ladder; one that ends earlier (`Kind.top`) stays on its last."""
MODULES = (
    "skills.primitives.unified_sequence",
    "skills.primitives.unified_logic",
    "skills.primitives.unified_memory",
    "skills.primitives.unified_format",
    "skills.primitives.unified_attention",
    "skills.primitives.unified_transform",
    "skills.primitives.passive_sequence",
    "skills.primitives.passive_memory",
    "skills.primitives.passive_language",
    "skills.primitives.passive_words",
    "skills.primitives.passive_combinatorics",
    "skills.primitives.micro_arithmetic",
    "skills.primitives.micro_binary",
    "skills.primitives.micro_logic",
    "skills.primitives.micro_string",
    "skills.primitives.micro_code",
)
"""Modules with generators; each has ``KINDS``, whose names are ids of the catalogue."""


@cache
def kinds() -> Mapping[str, Kind]:
    """The generator of every primitive, in the order of the catalogue.

    Raises:
        RealmError: an entry has no generator, or a generator no entry, or the words of the drills cannot be read.
    """
    # Read here, so that a broken file of the player disables the drills with its reason and no training meets it.
    drill_words()
    made: dict[str, Kind] = {}
    for module in MODULES:
        for kind in import_module(module).KINDS:
            made[kind.name] = kind
    known = primitives()
    if odd := sorted(set(made) ^ set(known)):
        raise RealmError(
            "the catalogue of primitives and its generators differ",
            why=f"only one side knows {', '.join(odd)}",
            fix="add the entry in configs/primitives, or the generator",
            code="CONFIG_INVALID",
        )
    return MappingProxyType({name: _joined(made[name], known[name]) for name in known})


def mixes() -> dict[str, SkillMix]:
    """The published mixes of the drills: all, the hatchling's, the unified ones, one a track, one a passive."""
    known = primitives().values()
    out = {
        "full": _mix("Every primitive.", [p.id for p in known]),
        "hatchling": SkillMix.model_validate(
            {
                "description": "Primitives that a small new model can learn.",
                "operations": {p.id: p.hatchling for p in known if p.hatchling is not None},
                "not_yet": tuple(p.id for p in known if p.hatchling is None),
            }
        ),
        "unified": _mix("The unified primitives.", [p.id for p in known if p.unified]),
    }
    for track, description in tracks().items():
        out[f"track_{track}"] = _mix(description, [p.id for p in known if p.track == track])
    for passive in PASSIVES:
        if asked := passive_primitives(passive):
            out[f"passive_{passive}"] = _mix(f"The passive {passive}.", asked)
    return out


def described() -> tuple[SkillPrimitive, ...]:
    """Every entry, in the form in which skills publish their primitives."""
    return tuple(
        SkillPrimitive(
            name=p.id,
            difficulty=p.difficulty,
            prerequisites=p.prerequisites,
            description=p.description,
            track=p.track,
            version=p.version,
            tags=p.tags,
        )
        for p in primitives().values()
    )


def _mix(description: str, asked: list[str] | tuple[str, ...]) -> SkillMix:
    return SkillMix.model_validate({"description": description, "operations": dict.fromkeys(asked, 1)})


def _joined(kind: Kind, entry: Primitive) -> Kind:
    """``kind`` as the catalogue describes it; its problems report under the id."""
    own, make = (entry.id,), kind.make

    def reported(random: Random, level: int) -> Made:
        made = make(random, level)
        return replace(made, primitives=own + made.primitives)

    return replace(kind, make=reported, finite=entry.finite)

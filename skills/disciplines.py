"""Disciplines as skills: the drills of one field under one name, with thresholds of their own for every level."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from configs.discipline import Discipline, disciplines
from configs.errors import BlockedError
from configs.loader import load_skill
from configs.schema import SkillConfig
from skills.contract import Skill
from skills.primitives.catalogue import described, kinds
from skills.streams import StreamSkill


def provided() -> Mapping[str, Callable[[], Skill]]:
    """Each discipline's id with what makes its skill; a locked one raises its reason."""
    return {discipline_id: _maker(discipline_id, found) for discipline_id, found in disciplines().items()}


def listed() -> frozenset[str]:
    """All of them are shown among the skills without being asked for."""
    return frozenset(disciplines())


def _maker(discipline_id: str, found: Discipline) -> Callable[[], Skill]:
    return lambda: _made(discipline_id, found)


def _made(discipline_id: str, found: Discipline) -> Skill:
    if found.locked:
        raise BlockedError(
            f"the discipline {found.rpg_name} is locked",
            why=found.locked,
            fix="add a skill for it in a package of your own (entry point `realm.skills`)",
            code="DISCIPLINE_LOCKED",
        )
    drills = load_skill("prim")
    asked = found.asked()
    tracked = tuple(p for p in described() if p.name in asked)
    config = SkillConfig.model_validate(
        {
            "id": discipline_id,
            "name": found.name,
            "rpg_name": found.rpg_name,
            "version": found.version,
            "description": found.description,
            "rpg_description": found.rpg_description,
            "category": found.category,
            "display": found.display,
            "max_level": len(found.accuracy_thresholds),
            "level_names": drills.level_names,
            "mixes": {"full": {"description": found.description, "operations": asked}},
            "primitives": tracked,
            "accuracy_thresholds": found.accuracy_thresholds,
            "tags": ("discipline",),
        }
    )
    chosen = [kind for name, kind in kinds().items() if name in asked]
    # One split with the drills: what is trained there is never an exam problem here, and the other way round.
    return StreamSkill(config, chosen, domain=drills.id)

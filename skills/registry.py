"""Finds skills by id or alias, and disables one whose module and YAML disagree."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from configs.errors import RealmError, UsageError
from configs.loader import load_skill
from skills.contract import Skill

_MODULES = {"bin": "skills.bin"}
_ALIASES = {"binary": "bin", "binary_arithmetic": "bin"}


def skill_ids() -> tuple[str, ...]:
    """Every skill that can be trained."""
    return tuple(_MODULES)


@cache
def get_skill(name: str) -> Skill:
    """The skill called ``name`` (an id or an alias)."""
    skill_id = _ALIASES.get(name, name)
    if skill_id not in _MODULES:
        raise UsageError(
            f"no skill is called {name!r}", fix=f"choose one of {', '.join(_MODULES)}", code="UNKNOWN_SKILL"
        )
    config = load_skill(skill_id)
    module = import_module(_MODULES[skill_id])
    for fact, ours, theirs in (
        ("version_mismatch", module.VERSION, config.version),
        ("level_mismatch", module.MAX_LEVEL, config.max_level),
    ):
        if ours != theirs:
            raise RealmError(
                f"skill {skill_id} is disabled: {fact}",
                why=f"the module says {ours}, the YAML says {theirs}",
                fix="install matching versions",
                code=fact.upper(),
            )
    skill: Skill = module.build(config)
    return skill

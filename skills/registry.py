"""Finds skills by id or alias: shipped ones, plug-ins of other packages, and whatever a provider makes. A broken one is disabled.

A skill is one YAML and one module. The module gives ``VERSION``, ``MAX_LEVEL`` and ``build(config)``; the YAML is
``configs/skills/<id>.yaml``, or ``skill.yaml`` beside the module of a plug-in (entry point group ``realm.skills``, named by its id).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from configs.errors import RealmError, UsageError
from configs.loader import load_skill, shipped_skill_ids
from configs.reading import nearest, parse, read_yaml
from configs.schema import SkillConfig
from skills.careful import CarefulSkill
from skills.contract import Skill
from skills.judging import guarded

GROUP = "realm.skills"
PROVIDERS: tuple[str, ...] = ("skills.disciplines", "skills.gym", "skills.declared")
"""Modules that make skills themselves: ``provided()`` gives id to a function that makes the skill, ``listed()`` the ids that are shown."""
LOAD_LIMIT_S = 20.0
"""Time for a plug-in to load."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a skill comes from."""

    aliases: tuple[str, ...]
    make: Callable[[], Skill]
    listed: bool = True


@cache
def _sources() -> Mapping[str, _Source]:
    found: dict[str, _Source] = {}
    for skill_id in shipped_skill_ids():
        found[skill_id] = _Source(load_skill(skill_id).aliases, _shipped(skill_id))
    for provider in PROVIDERS:
        module = import_module(provider)
        made: Mapping[str, Callable[[], Skill]] = module.provided()
        listed: Collection[str] = module.listed() if hasattr(module, "listed") else ()
        for skill_id, make in made.items():
            found.setdefault(skill_id, _Source((), make, listed=skill_id in listed))
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, _Source((), _plugged(point)))
    return MappingProxyType(found)


def forget() -> None:
    """Look for skills anew: a file of the player has changed."""
    _sources.cache_clear()
    _made.cache_clear()
    get_skill.cache_clear()


def skill_ids(*, every: bool = False) -> tuple[str, ...]:
    """The skills that can be trained: shipped ones and plug-ins; with ``every`` also those that providers make."""
    return tuple(i for i, source in _sources().items() if (every or source.listed) and _made(i)[0] is not None)


def disabled() -> Mapping[str, RealmError]:
    """Skills that were found and cannot be used, each with the reason."""
    errors = {i: _made(i)[1] for i, source in _sources().items() if source.listed}
    return {i: error for i, error in errors.items() if error is not None}


def skill_id(name: str) -> str:
    """The id meant by an id or an alias; only ids are ever stored.

    Raises:
        UsageError: no skill is called so; names the nearest.
    """
    if name in shipped_skill_ids():  # nothing goes before these, so the providers need not be asked
        return name
    sources = _sources()
    if name in sources:
        return name
    for found, source in sources.items():
        if name in source.aliases:
            return found
    near = nearest(name, [*sources, *(a for s in sources.values() for a in s.aliases)])
    listed = [i for i, source in sources.items() if source.listed]
    raise UsageError(
        f"no skill is called {name!r}",
        why=f"the nearest name is {near}" if near else "",
        fix=f"choose one of {', '.join(listed)}",
        code="UNKNOWN_SKILL",
    )


@cache
def get_skill(name: str) -> Skill:
    """The skill called ``name`` (an id or an alias).

    Raises:
        UsageError: there is none.
        RealmError: it is disabled, with the reason.
    """
    skill, error = _made(skill_id(name))
    if skill is None:
        assert error is not None
        raise error
    return skill


@cache
def _made(skill_id: str) -> tuple[Skill | None, RealmError | None]:
    try:
        make = _shipped(skill_id) if skill_id in shipped_skill_ids() else _sources()[skill_id].make
        return make(), None
    except RealmError as error:
        return None, error


def _shipped(skill_id: str) -> Callable[[], Skill]:
    return lambda: built(import_module(f"skills.{skill_id}"), load_skill(skill_id))


def _plugged(point: EntryPoint) -> Callable[[], Skill]:
    def make() -> Skill:
        def load() -> Skill:
            module = point.load()
            described = files(module.__package__ or module.__name__) / "skill.yaml"
            config = parse(SkillConfig, read_yaml(described), f"skill {point.name}", [described])
            if config.id != point.name:
                raise RealmError(
                    f"skill {point.name} is disabled: id_mismatch",
                    why=f"its YAML calls it {config.id}",
                    fix="install matching versions",
                    code="ID_MISMATCH",
                )
            return CarefulSkill(built(module, config))

        return guarded(point.name, "itself", load, limit_s=LOAD_LIMIT_S)

    return make


def built(module: Any, config: SkillConfig) -> Skill:
    """The skill of a module, if module and YAML agree.

    Raises:
        RealmError: version or number of levels differ.
    """
    for fact, ours, theirs in (
        ("version_mismatch", module.VERSION, config.version),
        ("level_mismatch", module.MAX_LEVEL, config.max_level),
    ):
        if ours != theirs:
            raise RealmError(
                f"skill {config.id} is disabled: {fact}",
                why=f"the module says {ours}, the YAML says {theirs}",
                fix="install matching versions",
                code=fact.upper(),
            )
    skill: Skill = module.build(config)
    return skill

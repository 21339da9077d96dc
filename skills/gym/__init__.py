"""A hundred more disciplines: the tasks of the package reasoning-gym (extra ``gym``) as skills ``gym_<task>``.

The package is asked for single items only. Seeds come from a hash, so that no two streams overlap; the split is made of the
problem without its wording; both ends of every range move with the level; only full marks are correct. Which tasks are fit to be
a skill, and why the others are not, stands in ``configs/gym.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from configs.errors import BlockedError
from configs.gym import GymConfig, load_gym
from configs.schema import SkillConfig
from skills.contract import Skill
from skills.gym.scoring import scorer_of
from skills.gym.tasks import Task
from skills.split import definition_digest
from skills.streams import Kind, StreamSkill

PREFIX = "gym_"
_MATHS = ("algebra", "arithmetic", "geometry", "probability")


def installed_version() -> str | None:
    """The installed version of the package; None when it is not there."""
    try:
        return version(load_gym().package)
    except PackageNotFoundError:
        return None


def provided() -> Mapping[str, Callable[[], Skill]]:
    """Every task that is a skill, with what makes it; without the package each is refused with the way to get it."""
    return {f"{PREFIX}{name}": partial(make, name) for name in load_gym().tasks}


def make(name: str) -> Skill:
    """The skill of one task.

    Raises:
        BlockedError: the package is missing, or is another version than the one whose tasks were measured.
    """
    table = load_gym()
    found = installed_version()
    if found is None:
        raise BlockedError(
            f"skill {PREFIX}{name} needs the package {table.package}",
            fix="install the game with its extra `gym`: pip install 'realm-of-training[gym]'",
            code="GYM_MISSING",
        )
    if found != table.version:
        raise BlockedError(
            f"skill {PREFIX}{name} is disabled: version_mismatch",
            why=f"{table.package} {found} is installed, its tasks were measured in {table.version}; another version makes others",
            fix=f"pip install {table.package}=={table.version}",
            code="VERSION_MISMATCH",
        )
    task = Task(name, table.tasks[name], table.limits)
    kind = Kind(name, task.make, scorer_of(task), finite=table.tasks[name].finite)
    return StreamSkill(described(table, name), [kind])


def described(table: GymConfig, name: str) -> SkillConfig:
    """What a skill's YAML would say of a task."""
    task = table.tasks[name]
    title = task.name or name.replace("_", " ").capitalize()
    levels = len(task.rungs)
    mix = {
        "description": f"The items of {table.package}'s task {name}.",
        "operations": {name: 1},
        "tiers": {f"1-{levels}": {"easy": 100}},
    }
    return SkillConfig.model_validate(
        {
            "id": f"{PREFIX}{name}",
            "name": title,
            "rpg_name": f"Gymnasium: {title}",
            "version": f"{table.version}+{definition_digest([task.model_dump(mode='json'), table.limits.model_dump()])}",
            "description": f"{title}: a task of the package {table.package}, {levels} levels of its own curriculum.",
            "category": "math" if task.area in _MATHS else "reasoning",
            "display": {"icon": "🏋", "colour": "#94A3B8", "short_name": name[:8].upper()},
            "max_level": levels,
            "level_names": {level: f"rung {rung}" for level, rung in enumerate(task.rungs, 1)},
            "mixes": {"full": mix, "hatchling": mix} if task.hatchling else {"full": mix},
        }
    )

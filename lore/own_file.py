"""Rules of the game under the player's own file: it may change what is shipped and add to it; a broken one changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Generic, TypeVar

from configs.base import Model
from configs.errors import RealmError
from configs.paths import config_dir
from configs.reading import merged, parse, read_yaml

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class InForce(Generic[M]):
    """Rules in force."""

    rules: M
    problem: RealmError | None = None
    """Why the player's file is not among them; None: it is, or there is none."""


def in_force(model: type[M], name: str) -> InForce[M]:
    """The shipped ``lore/NAME`` under the player's ``config/NAME``.

    Args:
        model: the schema.
        name: file name, the same in both places.

    Returns:
        The rules; where the player's file is broken the shipped ones, with the file, the line and the reason.
    """
    return _in_force(model, name)  # type: ignore[return-value]  # the cache forgets which model came in


@cache
def _in_force(model: type[Model], name: str) -> InForce[Model]:
    shipped = resources.files("lore") / name
    base = read_yaml(shipped)
    mine = config_dir() / name
    if mine.is_file():
        try:
            return InForce(parse(model, merged(base, read_yaml(mine)), str(mine), files=(shipped, mine)))
        except RealmError as error:
            return InForce(parse(model, base, f"the shipped {name}", files=(shipped,)), error)
    return InForce(parse(model, base, f"the shipped {name}", files=(shipped,)))


def forget() -> None:
    """Read the files again when they are next asked for."""
    _in_force.cache_clear()

"""Rules of the game under the player's own file: it may change what is shipped and add to it; a broken one changes nothing."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator

from configs.base import Model
from configs.errors import RealmError
from configs.paths import config_dir
from configs.reading import merged, parse, read_yaml

M = TypeVar("M", bound=Model)


def _drawable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has characters that cannot be drawn")
    return text


def _narrow(icon: str) -> str:
    if unicodedata.east_asian_width(icon) in "WF" or unicodedata.combining(icon):
        raise ValueError("takes more or less than one cell")
    return icon


Words = Annotated[str, AfterValidator(_drawable)]
"""Text of a file that is drawn as it stands: no control characters, nothing that turns the line round."""
Icon = Annotated[str, AfterValidator(_drawable), AfterValidator(_narrow)]
"""One character of one cell."""


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

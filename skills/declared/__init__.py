"""Skills that are data: a player's `config/skills/<id>.yaml` (see `configs.declared`).

A proposal of the Skill Forge can be looked at and measured; only what a person accepted is listed and trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from configs.declared import own_skill_files, read_declared
from configs.discipline import disciplines
from configs.errors import BlockedError, RealmError
from configs.loader import shipped_skill_ids
from configs.reading import read_yaml
from skills.contract import Skill
from skills.declared.skill import build
from skills.judging import guarded

LOAD_LIMIT_S = 10.0


def provided() -> Mapping[str, Callable[[], Skill]]:
    """Every declared skill by id, with what makes it."""
    taken = taken_ids()
    return {
        f"{skill_id}_own" if skill_id in taken else skill_id: partial(make, path)
        for skill_id, path in own_skill_files().items()
    }


def listed() -> frozenset[str]:
    """The declared skills that are listed: accepted ones, and broken ones with their reason."""
    taken = taken_ids()
    return frozenset(
        f"{skill_id}_own" if skill_id in taken else skill_id
        for skill_id, path in own_skill_files().items()
        if _state(path) == "accepted"
    )


def taken_ids() -> frozenset[str]:
    """Ids that belong to the game."""
    return frozenset({*shipped_skill_ids(), *disciplines()})


def make(path: Path) -> Skill:
    """The skill declared in a file.

    Raises:
        RealmError: the file is not valid, its id is another than its name or belongs to the game, or it makes no problems.
    """
    declared = read_declared(path)
    if declared.id != path.stem or declared.id in taken_ids():
        raise RealmError(
            f"skill {path.stem} is disabled: id_mismatch",
            why="a shipped skill is called so" if declared.id == path.stem else f"{path} calls it {declared.id}",
            fix="give the file and the skill one name that is still free",
            code="ID_MISMATCH",
        )
    if declared.review.state == "rejected":
        raise BlockedError(
            f"skill {declared.id} was rejected in its review",
            why=declared.review.note,
            fix=f"`realm skill review {declared.id} --accept` if it is wanted after all",
            code="SKILL_REJECTED",
        )
    return guarded(declared.id, "itself", lambda: build(declared), limit_s=LOAD_LIMIT_S)


def _state(path: Path) -> str:
    try:
        review = read_yaml(path).get("review")
    except RealmError:
        return "accepted"
    return str(review.get("state", "accepted")) if isinstance(review, dict) else "accepted"

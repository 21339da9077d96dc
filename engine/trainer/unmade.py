"""What happens when a skill makes no training problem, or none short enough: it is said by name, and never ends the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from configs.errors import RealmError
from saves import incidents

if TYPE_CHECKING:
    from engine.trainer.game import Game

UNMADE = ("GENERATOR_FAILED", "CONTEXT_TOO_SHORT")
"""Codes of errors that leave a step without a problem."""
MEND = "mend the skill's module, or leave it out (`realm curriculum set --disable`); then resume"


def report_unmade(game: Game, skill: str, failures: Sequence[str], *, blocks: bool = False, fix: str = MEND) -> None:
    """Say that problems of a skill could not be made; the step was trained without them, or not at all.

    Args:
        game: the run.
        skill: whose generator failed.
        failures: why, one for each problem.
        blocks: none could be made, and training waits.
        fix: the way out.
    """
    incidents.raise_incident(
        game.conn,
        "generator_failed",
        category="data",
        severity="high" if blocks else "medium",
        title=f"{skill} could not make {'any' if blocks else len(failures)} of a step's problems",
        fix=fix,
        detail={"skill": skill, "failures": sorted(set(failures))[:5]},
        blocks=blocks,
        run_id=game.run_id,
        step=game.values.step,
    )


def report_left(game: Game, skill: str, name: str, error: RealmError) -> None:
    """Say that a drill was left, because a skill made no problem of it for its hero; training goes on without it."""
    incidents.raise_incident(
        game.conn,
        "generator_failed",
        category="data",
        severity="medium",
        title=f"{name} was left: {error.what}",
        fix=f"{error.fix}; then order it again (`realm primitive drill`)" if error.fix else MEND,
        detail={"skill": skill, "failures": [error.text()]},
        run_id=game.run_id,
        step=game.values.step,
    )


def nothing_made(game: Game, skill: str, error: RealmError) -> None:
    """Block training, because a skill made no problem for its hero at all; `resume` tries again."""
    fix = MEND if error.code == "GENERATOR_FAILED" else f"{error.fix}; then resume"
    report_unmade(game, skill, [error.text()], blocks=True, fix=fix)
    game.blocked = error

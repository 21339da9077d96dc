"""What happens when a skill cannot make its training problems: it is said by name, and never ends the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from configs.errors import RealmError
from saves import incidents

if TYPE_CHECKING:
    from engine.trainer.game import Game

GENERATOR_FAILED = "GENERATOR_FAILED"


def report_unmade(game: Game, skill: str, failures: Sequence[str], *, blocks: bool = False) -> None:
    """Say that problems of a skill could not be made; the step was trained without them, or not at all.

    Args:
        game: the run.
        skill: whose generator failed.
        failures: why, one for each problem.
        blocks: none could be made, and training waits.
    """
    incidents.raise_incident(
        game.conn,
        "generator_failed",
        category="data",
        severity="high" if blocks else "medium",
        title=f"{skill} could not make {'any' if blocks else len(failures)} of a step's problems",
        fix="mend the skill's module, or leave it out (`realm curriculum set --disable`); then resume",
        detail={"skill": skill, "failures": sorted(set(failures))[:5]},
        blocks=blocks,
        run_id=game.run_id,
        step=game.values.step,
    )


def nothing_made(game: Game, skill: str, error: RealmError) -> None:
    """Block training, because a skill made no problem at all; `resume` tries again."""
    report_unmade(game, skill, [error.text()], blocks=True)
    game.blocked = error

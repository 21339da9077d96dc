"""A bout of sparring by the hero in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from configs.errors import UsageError
from engine.curriculum.bouts import bout_of

if TYPE_CHECKING:
    from engine.trainer.game import Game


def bout(game: Game, args: dict[str, Any]) -> dict[str, Any]:
    """Ask ``rounds`` problems of a level and tell the failures; the caller puts the examined weights into the model.

    Args:
        game: whose hero spars.
        args: ``skill`` (default: the one whose turn it is), and what `engine.curriculum.bouts.bout_of` reads.

    Returns:
        As `engine.curriculum.bouts.Bout.told` says.
    """
    name = str(args.get("skill") or game.focus().skill)
    if name not in game.values.curricula:
        raise UsageError(f"this hero does not train {name}", fix="see `realm skill list`", code="UNKNOWN_SKILL")
    skill, _ = game.forge.skills[name]
    wanted = bout_of(game.values.curricula[name], skill, game.rules.quests, args, step=game.values.step)
    asked = game.exams.examiner().bout(skill, wanted.problems(), f"sparring in {name.upper()} L{wanted.level}")
    return wanted.told(asked)

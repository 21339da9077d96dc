"""What a player may change while the hero trains: learning rate, curriculum, shares of skills and of replay, training level.

A change takes effect with the next step. It is kept in the counters and journaled, so that a resumed run makes it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from configs.errors import UsageError
from engine.curriculum.state import Pin, pinned
from engine.trainer.practice import describe

if TYPE_CHECKING:
    from engine.trainer.game import Game

MAX_RATE_FACTOR = 10.0
MAX_REPLAY_SHARE = 0.9
MAX_WEIGHT = 1000.0
KNOWN = ("rate", "weights", "replay", "pin", "skill", "curriculum")


def steer(game: Game, args: Mapping[str, Any]) -> dict[str, Any]:
    """Change what ``args`` names; null gives a setting back to the hero's YAML. All of it or, on an error, nothing.

    Args:
        game: the run.
        args: ``rate`` (factor of the learning rate), ``weights`` (skill to share of the steps), ``replay`` (share of forged
            problems beside a player's quest), ``pin`` with ``skill`` (training level), ``curriculum`` (see
            `engine.curriculum.presets.changed`), which takes the place of ``weights``.

    Returns:
        What holds from the next step on.

    Raises:
        UsageError: a setting is unknown or out of bounds.
    """
    unknown = sorted(set(args) - set(KNOWN))
    if unknown:
        raise UsageError(
            f"set knows no {unknown[0]!r}",
            fix=f"use one of {', '.join(KNOWN)} (`realm set --help`)",
            code="BAD_ARGUMENT",
        )
    values = game.values
    rate = _number("rate", args["rate"], 0.0, MAX_RATE_FACTOR) if "rate" in args else values.rate_factor
    replay = _number("replay", args["replay"], 0.0, MAX_REPLAY_SHARE, least=True) if "replay" in args else values.replay
    weights = _weights(game, args["weights"]) if "weights" in args else values.weights
    settings = values.settings
    if args.get("curriculum") is not None:
        settings, weights = game.course.changed(args["curriculum"]), None
    skill = str(args.get("skill") or game.focus().skill)
    if skill not in values.curricula:
        raise UsageError(f"this hero does not train {skill}", fix="see `realm skill list`", code="UNKNOWN_SKILL")
    state = values.curricula[skill]
    if "pin" in args:
        state = pinned(state, _pin(args["pin"]))
    values.rate_factor, values.replay, values.weights = rate, replay, weights
    values.curricula[skill] = state
    values.settings = settings
    game.course.apply()
    if values.drill is not None and values.drill.order is None and "pin" in args:
        values.drill.name = describe(values.curricula[values.drill.skill])
    game.show_curriculum()
    game.steer()
    return {
        "rate_factor": 1.0 if rate is None else rate,
        "learning_rate": game.loop.optimizer.learning_rate,
        "weights": weights,
        "replay_share": game.replay_share,
        "skill": skill,
        "training": state.training,
        "curriculum": {"settings": game.course.settings.as_dict(), "next": game.course.decision().as_dict()},
    }


def _number(name: str, value: Any, low: float, high: float, *, least: bool = False) -> float | None:
    """A number above ``low`` (``least``: or equal to it) and at most ``high``; None for null."""
    if value is None:
        return None
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not low <= value <= high or (value == low and not least):
        raise UsageError(
            f"{value!r} is no {name}",
            fix=f"give a number {'from' if least else 'above'} {low:g} {'to' if least else 'and at most'} {high:g}",
            code="BAD_ARGUMENT",
        )
    return float(value)


def _weights(game: Game, given: Any) -> dict[str, float] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping) or not given:
        raise UsageError("weights are shares by skill", fix="for instance bin=2", code="BAD_ARGUMENT")
    known = game.values.curricula
    for skill in given:
        if skill not in known:
            raise UsageError(
                f"this hero does not train {skill}", fix=f"it trains {', '.join(known)}", code="UNKNOWN_SKILL"
            )
    weights = {skill: _number("weight", w, 0.0, MAX_WEIGHT, least=True) or 0.0 for skill, w in given.items()}
    if not any(weights.values()):
        raise UsageError("some skill must train", fix="give one of them a weight above 0", code="BAD_ARGUMENT")
    return weights


def _pin(value: Any) -> Pin:
    if not (value is None or value == "max" or (isinstance(value, int) and not isinstance(value, bool))):
        raise UsageError(f"{value!r} is no level", fix="give a number, max, or null", code="BAD_ARGUMENT")
    pin: Pin = value
    return pin

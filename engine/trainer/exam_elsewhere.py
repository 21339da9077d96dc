"""Exams on command that a saved form sits elsewhere, while training goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from configs.errors import UsageError
from engine.curriculum.asked import BASE
from engine.trainer.examiner import LIVE
from engine.trainer.plan_asked import Later, PlanAsked
from engine.trainer.promotion import find_form

if TYPE_CHECKING:
    from engine.trainer.game import Game


def wanted_elsewhere(game: Game, args: Mapping[str, Any]) -> PlanAsked | None:
    """What an exam order asks of the hero of this step elsewhere; None: it is sat here.

    Args:
        game: the run.
        args: as `engine.trainer.exam_orders.examine` reads them. ``elsewhere`` true: nowhere but elsewhere; false: here; left out: where
            this run's exams are asked, but for those that only this machine can hold.

    Raises:
        UsageError: what is asked does not exist, or can only be asked here.
        BlockedError: it is to be asked elsewhere, and there is no such place.
    """
    wish = args.get("elsewhere")
    if wish is not None and not isinstance(wish, bool):
        raise UsageError(f"{wish!r} is no yes or no", fix="say true or false", code="BAD_ARGUMENT")
    if wish is False or (wish is None and not game.outside.on):
        return None
    why = _only_here(game, args)
    if why and wish is None:
        return None
    if why:
        raise UsageError(f"this exam is held on this machine: {why}", fix="leave elsewhere out", code="EXAM_ONLY_HERE")
    if wish:
        game.outside.check_places()
    return _asked(game, args)


def _only_here(game: Game, args: Mapping[str, Any]) -> str:
    """Why an exam cannot be asked elsewhere; empty: it can."""
    if args.get("trial") is not None:
        return "a trial is decided at once"
    name, who, against = args.get("plan"), str(args.get("form") or LIVE), args.get("against")
    if against is not None:
        saved = not {who, str(against)} & {LIVE, BASE}
        return "" if saved and name is None else "elsewhere only two saved forms are compared, on questions of a level"
    if who != LIVE:
        return "elsewhere the newest form of the hero in training is examined, or two saved ones on the same questions"
    if name is not None and game.exam_plan.entry(str(name)).follows.compare:
        return f"{name} compares two forms on one machine"
    return ""


def _asked(game: Game, args: Mapping[str, Any]) -> PlanAsked:
    from engine.trainer.exam_orders import of_level

    step, name = game.values.step, args.get("plan")
    if args.get("against") is not None:
        forms = tuple(find_form(game.conn, str(args[which])) for which in ("against", "form"))
        if forms[0].digest == forms[1].digest:
            raise UsageError(
                f"{forms[0].name} and {forms[1].name} are one form",
                fix="name two forms with different weights (`realm ledger list`)",
                code="BAD_ARGUMENT",
            )
        question = Later(of_level(game, args))
        return PlanAsked("", step, (question, question), (0, 0), commanded=True, forms=tuple(f.name for f in forms))
    if name is None:
        return PlanAsked("", step, (Later(of_level(game, args)),), (0,), commanded=True)
    return game.exam_plan.asked_on_command(str(name))


def told(asked: PlanAsked) -> dict[str, Any]:
    """The answer to the order: what waits, in words and as the journal keeps it for a run that repeats it."""
    plans = asked.plans[:1] if asked.forms else asked.plans
    return {
        "waits": {
            "sitting": asked.name,
            "forms": list(asked.forms) or None,
            "entry": asked.entry or None,
            "step": asked.step,
            "questions": sum(p.items for p in asked.plans),
            "levels": [{"skill": p.skill, "mix": p.mix, "level": p.level, "items": p.items} for p in plans],
        },
        "asked": asked.as_dict(),
    }

"""Exams on command: of a level, of an entry of the exam plan, of another form, or of two forms on the same questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from configs.errors import UsageError
from engine.curriculum.asked import BASE, HERE, cannot_ask, facts
from engine.curriculum.exam_plan import Occasion, wanted
from engine.curriculum.gate import ExamPlan
from engine.trainer.examiner import LIVE
from engine.trainer.pairing import PairedExam, form, pair, total
from engine.trainer.plan_day import suggestions
from engine.trainer.trial_day import sit_trial
from saves.rows import Exam
from skills.registry import get_skill, skill_id

if TYPE_CHECKING:
    from engine.trainer.game import Game

MOST_ITEMS = 1024
KNOWN = ("skill", "level", "items", "mix", "plan", "form", "against", "trial", "elsewhere")


def examine(game: Game, args: Mapping[str, Any]) -> dict[str, Any]:
    """Sit the exam that ``args`` describe. Nothing of it changes what is trained.

    Args:
        game: the run.
        args: ``plan`` (an entry of the exam plan), or ``skill``, ``level``, ``mix`` and ``items``; ``form`` (who answers: live, base,
            champion or a checkpoint); ``against`` (a second form that answers the same questions, held against which the first is);
            or ``trial`` (a discipline). ``elsewhere`` was looked at before (`engine.trainer.exam_elsewhere`).

    Returns:
        ``exams`` (each with its interval), ``pairs`` and ``whole`` where two forms were asked, ``suggestions``; for one exam also
        ``exam``, ``level``, ``correct`` and ``items``.

    Raises:
        UsageError: something named does not exist.
    """
    check_names(args)
    if args.get("trial") is not None:
        return sit_trial(game, str(args["trial"]))
    name = args.get("plan")
    who, against = str(args.get("form") or LIVE), args.get("against")
    entry = game.exam_plan.entry(str(name)) if name is not None else None
    if entry is not None and entry.follows.compare:
        against = against or BASE
    if entry is not None and against is None and who == LIVE:
        written = game.exam_plan.commanded(str(name))
        return _result(game, written) | {"suggestions": suggestions(entry, written)}
    plans = [of_level(game, args)] if entry is None else _of_entry(game, str(name))
    if against is not None:
        return _compared(game, pair(game, str(against), who, plans))
    with form(game, who) as examiner:
        written = [game.exam_plan.write(examiner, answered) for answered in examiner.ask(plans, game.values.step)]
    if who == LIVE and entry is None:
        game.last_exam = written[0]
    return _result(game, written)


def check_names(args: Mapping[str, Any]) -> None:
    """Refuse what an exam order does not know."""
    unknown = sorted(set(args) - set(KNOWN))
    if unknown:
        raise UsageError(f"exam knows no {unknown[0]!r}", fix=f"use one of {', '.join(KNOWN)}", code="BAD_ARGUMENT")


def of_level(game: Game, args: Mapping[str, Any]) -> ExamPlan:
    """Fresh questions of a level, as `examine` reads them; `UsageError` when there is no such level."""
    found = skill_id(str(args.get("skill") or game.focus().skill))
    state = game.values.curricula.get(found)
    mix = str(args.get("mix") or (state.mix if state is not None else "full"))
    if state is None and "mix" not in args and cannot_ask(found, mix):
        mix = next(iter(get_skill(found).config.mixes))
    get_skill(found).mix(mix)
    top = get_skill(found).config.max_level
    level = args.get("level", state.training if state is not None else 1)
    if not isinstance(level, int) or isinstance(level, bool) or not 1 <= level <= top:
        raise UsageError(f"level {level} does not exist", fix=f"choose 1 to {top}", code="NO_SUCH_LEVEL")
    items = args.get("items", game.rules.exams.items)
    if not isinstance(items, int) or isinstance(items, bool) or not 1 <= items <= MOST_ITEMS:
        raise UsageError(f"{items!r} is no number of items", fix=f"choose 1 to {MOST_ITEMS}", code="BAD_ARGUMENT")
    plan = game.exam_plan.question_plan(found, mix, level, items, kind="asked")
    if not plan.items:
        raise UsageError(
            f"level {level} of {found} holds out no problem", fix="choose a higher level", code="NO_EXAM_PROBLEMS"
        )
    return plan


def _of_entry(game: Game, name: str) -> list[ExamPlan]:
    day = game.exam_plan
    entry, now = day.plan.entries[name], Occasion(game.values.step, newest_checkpoint=game.values.step)
    asked = list(wanted(day.plan, name, day.pupil, day.record, now, HERE, commanded=True))
    if not asked:
        reasons = [cannot_ask(q.skill, q.mix or "full") for q in entry.asks if q.skill != "trained"]
        raise UsageError(
            f"{name} has nothing to ask now",
            why="; ".join(r for r in reasons if r),
            fix="see `realm exam plan`",
            code="NOTHING_TO_ASK",
        )
    return [day.question_plan(w.skill, w.mix, w.level, w.items, kind=entry.kind, entry=name) for w in asked]


def _result(game: Game, written: list[Exam]) -> dict[str, Any]:
    alpha = game.rules.exams.alpha
    result: dict[str, Any] = {"exams": [facts(exam, alpha) for exam in written]}
    if len(written) == 1:
        (exam,) = written
        result |= {"exam": exam.id, "level": exam.level, "correct": exam.correct, "items": exam.items}
    return result


def _compared(game: Game, pairs: list[PairedExam]) -> dict[str, Any]:
    alpha = game.rules.exams.alpha
    gains: dict[str, float] = {}
    for one in pairs:
        gains |= one.gains()
    ranked = sorted(gains, key=lambda operation: gains[operation])
    return {
        "exams": [facts(exam, alpha) for one in pairs for exam in (one.first, one.second)],
        "pairs": [one.as_dict(alpha) for one in pairs],
        "whole": total(pairs).as_dict(alpha),
        "most": [{"operation": o, "gain": gains[o]} for o in reversed(ranked) if gains[o] > 0][:3],
        "least": [{"operation": o, "gain": gains[o]} for o in ranked if gains[o] < 0][:3],
    }

"""A discipline's trial: a hundred fresh problems of its next level, once and for all; failing costs a stretch of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from configs import clock
from configs.errors import BlockedError, UsageError
from engine.curriculum.asked import facts
from engine.curriculum.state import Tally
from engine.trainer.examiner import LIVE
from engine.trainer.pairing import form
from saves import forged, quests
from saves.rows import Trial
from saves.trials import add_trial, failed_in_a_row, passed_level, trials
from skills.disciplines import listed
from skills.registry import get_skill, skill_id

if TYPE_CHECKING:
    from engine.trainer.game import Game


def sit_trial(game: Game, discipline: str) -> dict[str, Any]:
    """Let the hero try the next level of a discipline, and write down how it went.

    Args:
        game: the run; nothing of its training changes.
        discipline: its id.

    Returns:
        The trial: ``discipline``, ``level``, ``correct``, ``items``, ``threshold``, ``passed``, ``failed_in_a_row``, and its exam.

    Raises:
        UsageError: there is no such discipline.
        BlockedError: it is locked, every level is passed, too few quests are done, or the last failure is too recent.
    """
    found = skill_id(discipline)
    if found not in listed():
        raise UsageError(
            f"{found} is no discipline", fix=f"choose one of {', '.join(sorted(listed()))}", code="NO_DISCIPLINE"
        )
    skill, rules = get_skill(found), game.exam_plan.plan.trials
    tried = trials(game.conn, game.campaign.id, found)
    level = passed_level(tried) + 1
    if level > skill.config.max_level:
        raise BlockedError(f"every level of {found} is passed", fix="try another discipline", code="NOTHING_TO_ASK")
    _check_ready(game, tried)
    mix = game.hero.config.skills.get(found, "full")
    plan = game.exam_plan.question_plan(found, mix, level, rules.items, kind="trial")
    with form(game, LIVE) as examiner:
        (answered,) = examiner.ask([plan], game.values.step)
        exam = game.exam_plan.write(examiner, answered)
    threshold = skill.config.pass_share(level, game.rules.exams.pass_share)
    trial = Trial(
        run_id=game.run_id,
        step=game.values.step,
        discipline=found,
        level=level,
        items=exam.items,
        correct=exam.correct,
        threshold=threshold,
        passed=not exam.errors and Tally(exam.correct, exam.items).reaches(threshold),
        at=clock.now(),
    )
    add_trial(game.conn, trial)
    return {
        "discipline": found,
        "level": level,
        "correct": exam.correct,
        "items": exam.items,
        "threshold": threshold,
        "passed": trial.passed,
        "failed_in_a_row": failed_in_a_row([*tried, trial]),
        "exams": [facts(exam, game.rules.exams.alpha)],
    }


def _check_ready(game: Game, tried: list[Trial]) -> None:
    rules = game.exam_plan.plan.trials
    drills = sum(c.get("completed", 0) for c in forged.forged_counts(game.conn, game.campaign.id).values())
    done = drills + quests.completed_quests(game.conn)
    if done < rules.quests:
        raise BlockedError(
            f"a trial needs {rules.quests} quests done, and {done} are",
            fix="let the hero train on; drills count",
            code="NOT_READY",
        )
    if tried and not tried[-1].passed:
        again = tried[-1].step + rules.cooldown_steps
        if game.values.step < again:
            raise BlockedError(
                f"the hero was humbled at step {tried[-1].step:,}",
                why=f"after a failed trial it must train {rules.cooldown_steps:,} steps",
                fix=f"try again from step {again:,}",
                code="NOT_READY",
            )

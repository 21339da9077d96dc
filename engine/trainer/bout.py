"""A bout of sparring: the hero answers problems it could train on, and what it got wrong is told with the right answer.

Problems come from the training side of the split, never from the exams': whoever spars is not shown what it will be asked.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from configs.errors import UsageError
from engine.curriculum.state import CurriculumState, pool
from skills.contract import Problem, Skill
from skills.judging import guarded

if TYPE_CHECKING:
    from engine.trainer.game import Game

MAX_ROUNDS = 500
SHOWN = 600
"""Most characters told of a wrong answer."""


def bout(game: Game, args: dict[str, Any]) -> dict[str, Any]:
    """Ask ``rounds`` problems of a level and tell the failures; the caller puts the examined weights into the model.

    Args:
        game: whose hero spars.
        args: ``skill`` (default: the one whose turn it is), ``level`` (the training level), ``rounds`` (the rules'), ``targeted`` (only
            operations below the rules' share in the newest exams), all optional.

    Returns:
        ``skill, level, step, asked, errors, operations`` and ``failed``: one entry per wrong answer with ``prompt, wrong, right,
        operation, reason, digest`` and a fresh problem of the same operation, ``fresh`` with ``prompt, right``.
    """
    state, skill, mix = _skill(game, args)
    level, rounds = args.get("level", state.training), args.get("rounds", game.rules.quests.spar_rounds)
    if not isinstance(level, int) or not 1 <= level <= state.max_level:
        raise UsageError(f"level {level} does not exist", fix=f"choose 1 to {state.max_level}", code="NO_SUCH_LEVEL")
    if not isinstance(rounds, int) or not 1 <= rounds <= MAX_ROUNDS:
        raise UsageError(f"{rounds!r} is no number of rounds", fix=f"choose 1 to {MAX_ROUNDS}", code="BAD_ARGUMENT")
    operations = skill.operations(level, mix)
    if args.get("targeted"):
        operations = _weak(state, operations, game.rules.quests.spar_below) or operations
    step = game.values.step
    problems = [_problem(skill, mix, level, operations[n % len(operations)], step, n, "asked") for n in range(rounds)]
    found = game.exams.examiner().bout(skill, problems, f"sparring in {state.skill.upper()} L{level}")
    failed = []
    for n, (problem, answer, judged) in enumerate(found):
        if judged.outcome is None or judged.outcome.correct:
            continue
        fresh = _problem(skill, mix, level, problem.operation, step, n, "fresh")
        failed.append(
            {
                "prompt": problem.prompt,
                "wrong": answer[:SHOWN],
                "right": problem.answer,
                "operation": problem.operation,
                "reason": judged.outcome.reason,
                "digest": problem.digest,
                "fresh": {"prompt": fresh.prompt, "right": fresh.answer},
            }
        )
    return {
        "skill": state.skill,
        "level": level,
        "step": step,
        "asked": len(found),
        "errors": rounds - len(found) + sum(judged.outcome is None for _, _, judged in found),
        "operations": list(operations),
        "failed": failed,
    }


def _skill(game: Game, args: dict[str, Any]) -> tuple[CurriculumState, Skill, str]:
    name = str(args.get("skill") or game.focus().skill)
    if name not in game.values.curricula:
        raise UsageError(f"this hero does not train {name}", fix="see `realm skill list`", code="UNKNOWN_SKILL")
    skill, mix = game.forge.skills[name]
    return game.values.curricula[name], skill, mix


def _weak(state: CurriculumState, operations: tuple[str, ...], below: float) -> tuple[str, ...]:
    """The operations whose share over the newest exams at the level is below the bar."""
    shares = {name: tally.share for name, tally in pool(exam.operations for exam in state.gate).items()}
    return tuple(name for name in operations if (share := shares.get(name)) is not None and share < below)


def _problem(skill: Skill, mix: str, level: int, operation: str, step: int, number: int, purpose: str) -> Problem:
    label = f"sparring|{skill.config.id}|{level}|{operation}|{step}|{number}|{purpose}"
    index = int.from_bytes(blake2b(label.encode(), digest_size=6).digest(), "big")
    return guarded(
        skill.config.id,
        f"a problem of {operation}",
        lambda: skill.generate(level, index, "train", mix, operation=operation),
    )

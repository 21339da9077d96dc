"""A bout of sparring: which problems are asked, and what is told of the failures, wherever the hero answers. No torch.

Problems come from the training side of the split, never from the exams': whoever spars is not shown what it will be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from configs.errors import UsageError
from configs.schema import QuestRules
from engine.curriculum.state import CurriculumState, pool
from skills.contract import Problem, Skill
from skills.judging import Judged, guarded

MAX_ROUNDS = 500
SHOWN = 600
"""Most characters told of a wrong answer."""


@dataclass(frozen=True, slots=True)
class Bout:
    """What is asked of a form."""

    skill: Skill
    mix: str
    level: int
    operations: tuple[str, ...]
    """In turn."""
    rounds: int
    step: int
    """Of the form; it also decides which problems are made."""

    def problems(self) -> list[Problem]:
        """The problems in their order."""
        return [self._problem(self.operations[n % len(self.operations)], n, "asked") for n in range(self.rounds)]

    def told(self, found: Iterable[tuple[Problem, str, Judged]]) -> dict[str, Any]:
        """What came of it.

        Args:
            found: what was asked, with the answer as it was said and how it was judged.

        Returns:
            ``skill, level, step, asked, errors, operations`` and ``failed``: one entry per wrong answer with ``prompt, wrong, right,
            operation, reason, digest`` and a fresh problem of the same operation, ``fresh`` with ``prompt, right``.
        """
        answered = list(found)
        failed = []
        for n, (problem, answer, judged) in enumerate(answered):
            if judged.outcome is None or judged.outcome.correct:
                continue
            fresh = self._problem(problem.operation, n, "fresh")
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
            "skill": self.skill.config.id,
            "level": self.level,
            "step": self.step,
            "asked": len(answered),
            "errors": self.rounds - len(answered) + sum(judged.outcome is None for _, _, judged in answered),
            "operations": list(self.operations),
            "failed": failed,
        }

    def _problem(self, operation: str, number: int, purpose: str) -> Problem:
        label = f"sparring|{self.skill.config.id}|{self.level}|{operation}|{self.step}|{number}|{purpose}"
        index = int.from_bytes(blake2b(label.encode(), digest_size=6).digest(), "big")
        return guarded(
            self.skill.config.id,
            f"a problem of {operation}",
            lambda: self.skill.generate(self.level, index, "train", self.mix, operation=operation),
        )


def bout_of(state: CurriculumState, skill: Skill, rules: QuestRules, args: Mapping[str, Any], *, step: int) -> Bout:
    """The bout that is wished for.

    Args:
        state: where the form stands in the skill.
        skill: the skill.
        rules: how many rounds, and which operations lag.
        args: ``level`` (the training level), ``rounds`` (the rules'), ``targeted`` (only operations below the rules' share in the
            newest exams), all optional.
        step: of the form.

    Raises:
        UsageError: there is no such level, or no such number of rounds.
    """
    level, rounds = args.get("level", state.training), args.get("rounds", rules.spar_rounds)
    if not isinstance(level, int) or not 1 <= level <= state.max_level:
        raise UsageError(f"level {level} does not exist", fix=f"choose 1 to {state.max_level}", code="NO_SUCH_LEVEL")
    if not isinstance(rounds, int) or not 1 <= rounds <= MAX_ROUNDS:
        raise UsageError(f"{rounds!r} is no number of rounds", fix=f"choose 1 to {MAX_ROUNDS}", code="BAD_ARGUMENT")
    operations = skill.operations(level, state.mix)
    if args.get("targeted"):
        operations = _weak(state, operations, rules.spar_below) or operations
    return Bout(skill, state.mix, level, operations, rounds, step)


def _weak(state: CurriculumState, operations: tuple[str, ...], below: float) -> tuple[str, ...]:
    """The operations whose share over the newest exams at the level is below the bar."""
    shares = {name: tally.share for name, tally in pool(exam.operations for exam in state.gate).items()}
    return tuple(name for name in operations if (share := shares.get(name)) is not None and share < below)

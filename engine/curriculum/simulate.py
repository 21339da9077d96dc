"""How often the gate errs: heroes of known accuracy sit the game's own exams, on its own schedule.

:func:`climb` runs the real transitions of the gate; the exact probabilities beside it are computed from the binomial
distribution, so that each checks the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from configs.schema import ExamRules, SkillConfig, SkillMix
from engine.curriculum.gate import Screening, judge, plan_exam, record_gate, record_screen, settle
from engine.curriculum.sampling import stream_seed
from engine.curriculum.state import CurriculumState, Tally, start, stepped
from engine.statistics import binomial_at_least
from skills.contract import Outcome, Problem, Result, Split


class CoinSkill:
    """A skill without wording and without end: only the number of its operations matters."""

    config: SkillConfig

    def __init__(self, operations: Sequence[str]) -> None:
        self._operations = tuple(operations)
        self.config = SkillConfig.model_validate(
            {
                "id": "coin",
                "name": "Coin",
                "rpg_name": "Coin",
                "version": "1.0.0",
                "description": "A coin of known bias.",
                "category": "meta",
                "display": {"icon": "🪙", "colour": "#808080", "short_name": "COI"},
                "max_level": 30,
                "level_names": {},
                "mixes": {},
            }
        )

    def mix(self, name: str) -> SkillMix:
        """Every operation from level 1."""
        return SkillMix.model_validate(
            {"operations": dict.fromkeys(self._operations, 1), "tiers": {"1-30": {"easy": 100.0}}}
        )

    def operations(self, level: int, mix: str) -> tuple[str, ...]:
        """The same at every level."""
        return self._operations

    def generate(
        self, level: int, index: int, split: Split, mix: str = "full", *, operation: str | None = None
    ) -> Problem:
        """A numbered item."""
        name = operation or self._operations[index % len(self._operations)]
        digest = f"{split}/{level}/{name}/{index}"
        return Problem("coin", level, split, index, name, "easy", digest, "right", digest, digest)

    def exam_pool(self, level: int, mix: str, limit: int) -> int:
        """Endless."""
        return limit

    def held_out(self, level: int, mix: str, operation: str, limit: int) -> int:
        """Endless."""
        return limit

    def chance(self, operation: str, level: int) -> float:
        """Nothing is guessed."""
        return 0.0

    def score(self, problem: Problem, answer: str) -> Outcome:
        """Right or wrong."""
        return Outcome(Result.CRIT if answer == problem.answer else Result.MISS)

    def level_name(self, level: int) -> str:
        """The number."""
        return str(level)

    def special_tokens(self) -> Sequence[str]:
        """None."""
        return ()


@dataclass(frozen=True, slots=True)
class Climb:
    """How one simulated hero fared at one level."""

    won: bool
    exams: int
    """Gate exams taken."""
    items: int
    """Questions of these."""
    steps: int
    """Optimizer steps until the last of them."""
    blocked: int
    """Verdicts that found a mastered level lost."""


def climb(
    accuracies: Mapping[str, float],
    rules: ExamRules,
    *,
    exams: int,
    seed: int,
    held: Sequence[float] = (),
) -> Climb:
    """One hero at one level until it is won, or ``exams`` are taken.

    Args:
        accuracies: true accuracy by operation; questions are dealt to operations in turn.
        exams: most gate exams at the level.
        seed: of this hero's luck.
        held: true accuracy at each level mastered before.
    """
    names, luck = tuple(accuracies), Random(stream_seed(seed, 0, "climb")).random
    skill, state = CoinSkill(names), start("coin", "full", len(held) + 2, rules, mastered=len(held))
    taken = blocked = items = step = 0
    while taken < exams:
        state, step = stepped(state, state.next_exam_step - step), state.next_exam_step
        plan = plan_exam(state, skill, rules)
        asked = {name: len(range(i, plan.items, len(names))) for i, name in enumerate(names)}
        answers = {
            name: Tally(sum(luck() < accuracies[name] for _ in range(count)), count) for name, count in asked.items()
        }
        state, won, lost = _verdict(record_gate(state, plan, answers, rules, step=step), skill, rules, held, luck, step)
        taken, items, blocked = taken + 1, items + plan.items, blocked + lost
        if won:
            return Climb(True, taken, items, step, blocked)
    return Climb(False, taken, items, step, blocked)


def _verdict(
    state: CurriculumState,
    skill: CoinSkill,
    rules: ExamRules,
    held: Sequence[float],
    luck: Callable[[], float],
    step: int,
) -> tuple[CurriculumState, bool, bool]:
    screening = Screening()
    while (verdict := judge(state, skill, rules, screening)).plans:
        for plan in verdict.plans:
            correct = sum(luck() < held[plan.level - 1] for _ in range(plan.items))
            state, screening = record_screen(state, screening, plan, Tally(correct, plan.items))
    return settle(state, verdict, rules, step=step), verdict.action == "level_up", verdict.action == "lost"


# ---------------------------------------------------------------- exact probabilities


def least_right(items: int, share: float) -> int:
    """Fewest right answers out of ``items`` that reach ``share``."""
    return next(correct for correct in range(items + 1) if Tally(correct, items).reaches(share))


def pass_probability(accuracy: float, rules: ExamRules) -> float:
    """Probability that one exam reaches the pass share."""
    return binomial_at_least(rules.items, accuracy, least_right(rules.items, rules.pass_share))


def win_probability(accuracy: float, rules: ExamRules, *, exams: int) -> float:
    """Probability that a hero of fixed accuracy wins a level within ``exams`` exams (floors and held levels aside)."""
    passed = pass_probability(accuracy, rules)
    running, won = [1.0, *([0.0] * (rules.streak - 1))], 0.0
    for _ in range(exams):
        won += running[-1] * passed
        running = [sum(running) * (1.0 - passed), *(p * passed for p in running[:-1])]
    return won


def lost_probability(accuracy: float, rules: ExamRules) -> float:
    """Probability that one screening calls a mastered level of this accuracy lost."""
    first, more, whole = rules.screen_items, rules.screen_more, rules.screen_items + rules.screen_more
    enough = least_right(whole, rules.held_share)
    return sum(
        (binomial_at_least(first, accuracy, right) - binomial_at_least(first, accuracy, right + 1))
        * (1.0 - binomial_at_least(more, accuracy, enough - right))
        for right in range(least_right(first, rules.held_share))
    )


def found_probability(accuracy: float, rules: ExamRules) -> float:
    """Probability that one screening of a lost level of this accuracy calls it held again."""
    whole = rules.screen_items + rules.screen_more
    return binomial_at_least(whole, accuracy, least_right(whole, rules.held_share))

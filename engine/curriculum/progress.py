"""What a level costs: attempts, the price of holding what was won, and when to stop believing in more.

An attempt at a level ends when the level is won, or after so many exams without it. Its *maintenance multiplier* is the effort
spent on levels won before, of all skills, over the effort spent on levels not yet won of its own skill. A hero is called maxed
out only when attempts in a row each show a level that regressed and a multiplier that is too high, and when a gain larger
than ``maxed_delta`` is ruled out: a statement about what was shown in so many tokens, never about what cannot be learnt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from configs.curriculum import ForgettingRules
from engine.curriculum.pairs import paired
from engine.curriculum.state import Attempt, CurriculumState, Tally

# ---------------------------------------------------------------- effort and attempts


def with_effort(state: CurriculumState, strain: float, shares: tuple[float, float]) -> CurriculumState:
    """After a step of ``strain``, of which ``shares`` belong to levels not yet won and to levels won before."""
    new, held = shares
    return replace(state, effort_new=state.effort_new + strain * new, effort_held=state.effort_held + strain * held)


def held_effort(states: Mapping[str, CurriculumState]) -> float:
    """Effort on levels won before, of all skills."""
    return sum(state.effort_held for state in states.values())


def multiplier(held: float, new: float) -> float | None:
    """Effort on what was won before over effort on what is new; None where nothing went into anything new."""
    return held / new if new > 0 else None


@dataclass(frozen=True, slots=True)
class Attempted:
    """An attempt at a level that ended."""

    skill: str
    level: int
    won: bool
    first_step: int
    last_step: int
    exams: int
    effort_new: float
    effort_held: float
    multiplier: float | None
    regressed: tuple[str, ...]
    """Levels that stood below their peak, or were lost, when it ended: ``bin L3``."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "regressed": list(self.regressed)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Attempted:
        """What `as_dict` gave."""
        known = {f.name: data[f.name] for f in fields(cls)}
        return cls(**{**known, "regressed": tuple(data["regressed"])})

    @property
    def text(self) -> str:
        """For instance ``L5 won after 12 exams: effort 31.0 new, 12.4 kept (×0.40)``."""
        price = "–" if self.multiplier is None else f"×{self.multiplier:.2f}"
        end = "won" if self.won else "not won"
        return (
            f"L{self.level} {end} after {self.exams} exams: effort {self.effort_new:.1f} new, "
            f"{self.effort_held:.1f} kept ({price})"
        )


def fruitless(attempts: Sequence[Attempted], level: int, rules: ForgettingRules) -> Sequence[Attempted]:
    """The newest attempts in a row at ``level`` that did not win it, as many as the cap looks at."""
    found: list[Attempted] = []
    for attempt in reversed(attempts[-rules.maxed_attempts :]):
        if attempt.won or attempt.level != level:
            break
        found.insert(0, attempt)
    return found


def attempt_over(state: CurriculumState, rules: ForgettingRules) -> bool:
    """Whether the attempt under way has had all its exams."""
    return state.pin is None and not state.complete and state.exams - state.attempt.exams >= rules.attempt_exams


def end_attempt(
    state: CurriculumState,
    states: Mapping[str, CurriculumState],
    *,
    level: int,
    won: bool,
    step: int,
    regressed: Sequence[str],
) -> tuple[CurriculumState, Attempted]:
    """Close the attempt at ``level`` and begin the next.

    Args:
        state: the skill, after its exam.
        states: all skills, for the effort that went into keeping them.
        level: the level that was tried.
        won: it was won.
        step: now.
        regressed: levels below their peak, as `Attempted.regressed`.
    """
    begun, held = state.attempt, held_effort({**states, state.skill: state})
    new, kept = state.effort_new - begun.effort_new, held - begun.effort_held
    ended = Attempted(
        state.skill,
        level,
        won,
        begun.step,
        step,
        state.exams - begun.exams,
        new,
        kept,
        multiplier(kept, new),
        tuple(regressed),
    )
    return replace(state, attempt=Attempt(step, state.exams, state.effort_new, held)), ended


# ---------------------------------------------------------------- evidence


@dataclass(frozen=True, slots=True)
class Gain:
    """How much better the later half of some exams was than the earlier half."""

    before: Tally
    after: Tally
    low: float
    high: float
    """Anytime-valid interval of the gain."""
    first_step: int
    last_step: int


def gain_shown(exams: Sequence[tuple[int, str]], alpha: float) -> Gain | None:
    """The gain within exams at one level; None for fewer than two.

    Answers of the earlier half are set beside as many of the later half, in order. Problems of one level are drawn alike, so
    the mean difference of such pairs is the gain.

    Args:
        exams: (step, sequence of results as `saves.rows.Exam.sequence` spells it), oldest first.
        alpha: error rate; one may look after every exam.
    """
    if len(exams) < 2:
        return None
    middle = len(exams) // 2
    before, after = ("".join(letters for _, letters in part) for part in (exams[:middle], exams[middle:]))
    pairs = paired(before[: len(after)], after[: len(before)])
    low, high = pairs.interval(alpha)
    return Gain(pairs.first, pairs.second, low, high, exams[0][0], exams[-1][0])


@dataclass(frozen=True, slots=True)
class Maxed:
    """The evidence that a hero has reached its cap."""

    skill: str
    level: int
    gain: Gain
    tokens: int | None
    """Trained on between the first and the last of the exams; None where it is not known."""
    attempts: tuple[Attempted, ...]
    proved: bool
    """The attempts show the price and the regressions, too: archiving is suggested."""
    delta: float
    alpha: float

    @property
    def text(self) -> str:
        """The claim, and nothing beyond it."""
        told = "so far" if self.tokens is None else f"in {_short(self.tokens)} tokens"
        sure = f"{100 * (1 - self.alpha):g} %"
        return (
            f"{self.skill} L{self.level}: no gain above {self.delta:.2f} shown {told} ({sure}); "
            f"at most {math.ceil(100 * self.gain.high) / 100:+.2f} between {self.gain.before.items} and {self.gain.after.items} questions"
        )

    @property
    def suggestion(self) -> str:
        """What a player may do about it."""
        if self.proved:
            return "archive this campaign and take the method to another hero; a new mix or a larger hero reopens the question"
        return "try another mix, drills for weak primitives, or a longer horizon; nothing is stopped"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "skill": self.skill,
            "level": self.level,
            "tokens": self.tokens,
            "before": list(self.gain.before),
            "after": list(self.gain.after),
            "gain_low": self.gain.low,
            "gain_high": self.gain.high,
            "first_step": self.gain.first_step,
            "last_step": self.gain.last_step,
            "delta": self.delta,
            "alpha": self.alpha,
            "proved": self.proved,
            "attempts": [attempt.as_dict() for attempt in self.attempts],
            "suggestion": self.suggestion,
        }


def maxed(
    skill: str,
    level: int,
    exams: Sequence[tuple[int, str]],
    attempts: Sequence[Attempted],
    rules: ForgettingRules,
    *,
    tokens: int | None,
    alpha: float,
) -> Maxed | None:
    """The evidence that nothing more is gained at ``level``; None while a larger gain is not ruled out.

    Args:
        skill: which skill.
        level: the level to be won.
        exams: the exams of the newest attempts at it, as for :func:`gain_shown`.
        attempts: the skill's ended attempts, oldest first.
        rules: delta, multiplier, and how many attempts must show it.
        tokens: trained on over these exams.
        alpha: error rate of the claim.
    """
    gain = gain_shown(exams, alpha)
    if gain is None or gain.high >= rules.maxed_delta:
        return None
    last = tuple(attempts[-rules.maxed_attempts :])
    proved = len(last) == rules.maxed_attempts and all(
        a.regressed and a.multiplier is not None and a.multiplier >= rules.maxed_multiplier for a in last
    )
    return Maxed(skill, level, gain, tokens, last, proved, rules.maxed_delta, alpha)


def _short(number: int) -> str:
    for bound, unit in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if number >= bound:
            return f"{number / bound:.1f}{unit}"
    return str(number)

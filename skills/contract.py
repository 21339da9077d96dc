"""The contract of a skill: deterministic problems, a split by canonical problem, a scorer.

A problem exists before its wording. Its canonical form (skill, operation, operands) is hashed, and the hash decides
whether the problem is for training or for exams; so a differently worded twin of a training problem is never an exam item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

from configs.schema import SkillConfig, SkillMix

Split = Literal["train", "exam"]


class Result(StrEnum):
    """The outcome of one answer."""

    CRIT = "crit"
    HIT = "hit"
    GLANCING = "glancing"
    MISS = "miss"
    CRIT_MISS = "crit_miss"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem, worded."""

    skill: str
    level: int
    split: Split
    index: int
    """Position in the level's stream for this split and mix; the same index always gives the same problem."""
    operation: str
    tier: str
    prompt: str
    answer: str
    digest: str
    """Hash of the rendered item (prompt and answer)."""
    problem_digest: str
    """Hash of the canonical problem; decides the split."""
    primitives: tuple[str, ...] = ()
    repeat: bool = False
    """True when the level's pool of exam problems is used up and this one was asked before."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What else is known of the problem (a clamp, a puzzle's number); JSON values."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an answer is worth."""

    result: Result
    reason: str = ""

    @property
    def correct(self) -> bool:
        """Only CRIT and HIT count as correct."""
        return self.result in (Result.CRIT, Result.HIT)


class Skill(Protocol):
    """What the engine and the command line may ask of a skill. All calls are deterministic, in process, offline."""

    config: SkillConfig

    def mix(self, name: str) -> SkillMix:
        """A published mix by name; `UsageError` when there is none."""
        ...

    def operations(self, level: int, mix: str) -> tuple[str, ...]:
        """The operations ``mix`` asks at ``level``."""
        ...

    def generate(
        self, level: int, index: int, split: Split, mix: str = "full", *, operation: str | None = None
    ) -> Problem:
        """Problem number ``index``; ``operation`` pins one (training on weak operations), else the mix decides.

        For ``split="exam"`` the stream is stratified over the mix's operations and runs through distinct problems
        until the level's pool is used up; from then on items carry ``repeat=True``.
        """
        ...

    def exam_pool(self, level: int, mix: str, limit: int) -> int:
        """Number of distinct held-out problems at ``level``, counted only up to ``limit``."""
        ...

    def held_out(self, level: int, mix: str, operation: str, limit: int) -> int:
        """Number of distinct held-out problems of one operation at ``level``, counted only up to ``limit``."""
        ...

    def chance(self, operation: str, level: int) -> float:
        """Accuracy of the best answer that does not look at the operands (0.5 for a balanced verdict)."""
        ...

    def score(self, problem: Problem, answer: str) -> Outcome:
        """Judge an answer."""
        ...

    def level_name(self, level: int) -> str:
        """The published name of a level."""
        ...

    def special_tokens(self) -> Sequence[str]:
        """Strings that a hatchling's tokenizer should hold as single tokens (digits, operation names, `Compute: `)."""
        ...

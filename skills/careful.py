"""A plug-in's skill as the engine meets it: whatever its code raises is a `RealmError` that names the skill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from configs.schema import SkillMix
from skills.contract import Outcome, Problem, Skill, Split
from skills.judging import guarded

LIMIT_S = 60.0
"""Time for one answer about a level; a large pool of problems may take long to count."""

T = TypeVar("T")


class CarefulSkill:
    """Hands everything on to a skill. Problems and scores go through as they are: who asks for them guards each by itself."""

    def __init__(self, skill: Skill) -> None:
        self._skill = skill
        self.config = skill.config

    def _asked(self, what: str, say: Callable[[], T]) -> T:
        return guarded(self.config.id, what, say, limit_s=LIMIT_S)

    def mix(self, name: str) -> SkillMix:
        """See `Skill.mix`."""
        return self._asked(f"its mix {name}", partial(self._skill.mix, name))

    def operations(self, level: int, mix: str) -> tuple[str, ...]:
        """See `Skill.operations`."""
        return self._asked(f"its operations at level {level}", partial(self._skill.operations, level, mix))

    def generate(
        self, level: int, index: int, split: Split, mix: str = "full", *, operation: str | None = None
    ) -> Problem:
        """See `Skill.generate`."""
        return self._skill.generate(level, index, split, mix, operation=operation)

    def exam_pool(self, level: int, mix: str, limit: int) -> int:
        """See `Skill.exam_pool`."""
        return self._asked(f"the exam problems of level {level}", partial(self._skill.exam_pool, level, mix, limit))

    def held_out(self, level: int, mix: str, operation: str, limit: int) -> int:
        """See `Skill.held_out`."""
        counted = partial(self._skill.held_out, level, mix, operation, limit)
        return self._asked(f"the exam problems of {operation} at level {level}", counted)

    def chance(self, operation: str, level: int) -> float:
        """See `Skill.chance`."""
        return self._asked(f"the chance of {operation} at level {level}", partial(self._skill.chance, operation, level))

    def score(self, problem: Problem, answer: str) -> Outcome:
        """See `Skill.score`."""
        return self._skill.score(problem, answer)

    def level_name(self, level: int) -> str:
        """See `Skill.level_name`."""
        return self._asked(f"the name of level {level}", partial(self._skill.level_name, level))

    def special_tokens(self) -> Sequence[str]:
        """See `Skill.special_tokens`."""
        return self._asked("its special tokens", self._skill.special_tokens)

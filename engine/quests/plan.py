"""The data plan: which examples train in which optimizer step, a pure function of seed, recipe, curriculum state and step.

There is no loader whose state would have to be saved: a resumed run makes the plan again and reads on at its position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from configs.schema import CurriculumRules
from engine.curriculum.sampling import Draw, draw, replay_count
from engine.curriculum.state import CurriculumState
from engine.quests.split import epoch_order
from skills.contract import Skill


@dataclass(frozen=True, slots=True)
class QuestRecipe:
    """What decides the order of a player's quest, beside the campaign's seed."""

    digest: str
    """Hash of the quest's file."""
    lengths: tuple[int, ...]
    """Tokens of every example that trains, in the file's order."""
    epochs: int
    step_examples: int
    """Most examples of one optimizer step."""
    step_tokens: int
    """Most tokens of one optimizer step; a longer example trains alone."""
    replay_share: float
    """Share of forged problems in every step, over many steps."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form; the lengths as their hash."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "lengths"}
        return {**data, "examples": len(self.lengths), "lengths": _hash(repr(self.lengths))}


@dataclass(frozen=True, slots=True)
class QuestPlan:
    """The steps of a player's quest."""

    steps: tuple[tuple[int, ...], ...]
    """Positions among the training examples, by optimizer step."""
    replay_share: float
    digest: str
    """Hash of seed and steps: two plans of one digest train the same examples in the same order."""

    def forged(self, position: int, share: float | None = None) -> int:
        """How many forged problems step number ``position`` takes beside the quest's own examples.

        ``share``: the player's own choice of the replay's share, in force at this step; None: the plan's.
        """
        share = self.replay_share if share is None else share
        return replay_count(position, len(self.steps[position]), share / (1 - share)) if share < 1 else 0


def plan_quest(recipe: QuestRecipe, seed: int) -> QuestPlan:
    """The plan of a quest: every epoch in its own order, as many examples in a row as a step may hold."""
    steps: list[tuple[int, ...]] = []
    for epoch in range(recipe.epochs):
        order = epoch_order(len(recipe.lengths), seed, recipe.digest, epoch)
        steps += _filled(order, recipe.lengths, recipe.step_examples, recipe.step_tokens)
    return QuestPlan(tuple(steps), recipe.replay_share, _hash(repr((seed, recipe.as_dict(), steps))))


@dataclass(frozen=True, slots=True)
class StepItems:
    """What one optimizer step of a player's quest trains."""

    examples: tuple[int, ...]
    """Positions among the quest's training examples."""
    draws: tuple[Draw, ...]
    """Forged problems beside them."""


def step_items(
    plan: QuestPlan,
    position: int,
    state: CurriculumState,
    step: int,
    *,
    seed: int,
    skill: Skill,
    mix: str,
    rules: CurriculumRules,
    replay_share: float | None = None,
) -> StepItems:
    """The items of one step: a pure function of its arguments, whatever was trained in between.

    Args:
        plan: the quest's.
        position: number of the step within the quest, from 0.
        state: where the curriculum stands, which decides what is forged.
        step: the campaign's optimizer step.
        seed: the campaign's.
        skill: what is forged.
        mix: its published mix.
        rules: the curriculum's.
        replay_share: see `QuestPlan.forged`.
    """
    count = plan.forged(position, replay_share)
    draws = draw(state, skill, mix, rules, seed=seed, step=step, count=count) if count else []
    return StepItems(plan.steps[position], tuple(draws))


def _filled(order: Sequence[int], lengths: Sequence[int], most: int, room: int) -> list[tuple[int, ...]]:
    steps: list[tuple[int, ...]] = []
    current: list[int] = []
    tokens = 0
    for i in order:
        if current and (len(current) == most or tokens + lengths[i] > room):
            steps.append(tuple(current))
            current, tokens = [], 0
        current.append(i)
        tokens += lengths[i]
    return [*steps, tuple(current)] if current else steps


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()

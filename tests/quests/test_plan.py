"""The data plan is a pure function: the same everywhere, everything once an epoch, never more in a step than fits."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from configs.loader import load_game
from engine.curriculum.state import CurriculumState, start
from engine.quests.plan import QuestRecipe, StepItems, plan_quest, step_items
from skills.registry import get_skill

RECIPE = QuestRecipe(
    digest="d1", lengths=(5, 9, 30, 2, 7, 7, 12), epochs=2, step_examples=3, step_tokens=20, replay_share=0.2
)
RECIPES = st.builds(
    QuestRecipe,
    digest=st.text("abcdef", min_size=1, max_size=4),
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=40).map(tuple),
    epochs=st.integers(1, 3),
    step_examples=st.integers(1, 8),
    step_tokens=st.integers(1, 120),
    replay_share=st.floats(0, 1),
)


@given(RECIPES, st.integers(0, 2**32))
def test_each_epoch_trains_every_example_once_and_a_step_holds_what_fits(recipe: QuestRecipe, seed: int) -> None:
    plan = plan_quest(recipe, seed)
    assert Counter(i for step in plan.steps for i in step) == dict.fromkeys(range(len(recipe.lengths)), recipe.epochs)
    for step in plan.steps:
        assert 1 <= len(step) <= recipe.step_examples
        assert len(step) == 1 or sum(recipe.lengths[i] for i in step) <= recipe.step_tokens
    forged = sum(plan.forged(n) for n in range(len(plan.steps)))
    assert forged >= 0 and plan == plan_quest(recipe, seed)


def test_replay_takes_its_share() -> None:
    recipe = dataclasses.replace(RECIPE, lengths=(1,) * 400, step_examples=8, epochs=1)
    plan = plan_quest(recipe, 1)
    own = sum(map(len, plan.steps))
    assert sum(plan.forged(n) for n in range(len(plan.steps))) == own / 4, "a fifth of all"


def test_a_steps_items_follow_from_seed_recipe_curriculum_and_step_alone() -> None:
    """Asked again, in any order, they are the same; each of the four changes them."""
    game, skill = load_game(), get_skill("bin")
    recipe = dataclasses.replace(RECIPE, lengths=(4,) * 60, step_examples=20, step_tokens=4096)
    plan = plan_quest(recipe, 7)
    state = start("bin", "hatchling", skill.config.max_level, game.exams)

    def items(position: int = 1, *, at: CurriculumState = state, step: int = 31, seed: int = 7) -> StepItems:
        return step_items(plan, position, at, step, seed=seed, skill=skill, mix="hatchling", rules=game.curriculum)

    first = [items(n) for n in range(len(plan.steps))]
    assert (
        first
        == [items(n) for n in range(len(plan.steps))]
        == [items(n) for n in reversed(range(len(plan.steps)))][::-1]
    )
    assert len(first[1].draws) == 5 and first[1].examples == plan.steps[1]
    won = dataclasses.replace(state, mastered=6)
    for other in (items(step=32), items(seed=8), items(at=won)):
        assert other.draws != first[1].draws and other.examples == first[1].examples


def test_the_digest_names_the_data_and_nothing_else() -> None:
    plan = plan_quest(RECIPE, 7)
    others = [
        plan_quest(RECIPE, 8),
        plan_quest(dataclasses.replace(RECIPE, digest="d2"), 7),
        plan_quest(dataclasses.replace(RECIPE, epochs=3), 7),
        plan_quest(dataclasses.replace(RECIPE, step_tokens=21), 7),
        plan_quest(dataclasses.replace(RECIPE, lengths=(6, *RECIPE.lengths[1:])), 7),
    ]
    assert len({p.digest for p in (plan, *others)}) == 6


def test_another_process_makes_the_same_plan() -> None:
    """No hash seed, no order of sets, no clock."""
    program = (
        "from engine.quests.plan import QuestRecipe, plan_quest;"
        f"print(plan_quest({RECIPE!r}, 7).digest, plan_quest({RECIPE!r}, 7).steps)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    plan = plan_quest(RECIPE, 7)
    assert told.strip() == f"{plan.digest} {plan.steps}"

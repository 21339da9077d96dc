"""The gymnasium: what is asked of the package's tasks, and the traps that the adapter closes."""

from __future__ import annotations

import inspect
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import skills.gym as gym
from configs.catalogue import primitives
from configs.errors import BlockedError
from configs.gym import load_gym
from skills.contract import Problem, Result, Skill
from skills.gym.ladder import rung_count, settings
from skills.gym.tasks import Task
from skills.judging import judge
from skills.registry import forget, get_skill, skill_ids

pytest.importorskip("reasoning_gym", reason="the extra `gym` is not installed")

TABLE = load_gym()
TASKS = tuple(TABLE.tasks)
HOSTILE = (
    "",
    "banana",
    "__import__('os').system('true')",
    "[" * 60 + "]" * 60,
    "9**9**9**9",
    "{" * 5000,
    "\ud7ff\x00",
    "x" * 100_000,
    "(" * 3000,
)


def skill_of(task: str) -> Skill:
    return get_skill(f"{gym.PREFIX}{task}")


def some(task: str, split: str = "train", count: int = 6) -> list[Problem]:
    skill = skill_of(task)
    return [skill.generate(1, i, "exam" if split == "exam" else "train") for i in range(count)]


def test_every_task_of_the_package_is_a_skill_or_left_out_with_a_reason() -> None:
    from reasoning_gym.factory import DATASETS

    assert set(TASKS) | set(TABLE.left_out) == set(DATASETS)
    assert all(len(why) > 10 for why in TABLE.left_out.values())
    assert len(TASKS) > 70


def test_every_level_of_every_task_is_a_rung_of_its_curriculum() -> None:
    from reasoning_gym.factory import CURRICULA

    for task, entry in TABLE.tasks.items():
        rungs = rung_count(CURRICULA[task]() if task in CURRICULA else None)
        assert list(entry.rungs) == sorted(set(entry.rungs)), task
        assert 1 <= entry.rungs[0] <= entry.rungs[-1] <= rungs, task
        assert skill_of(task).config.max_level == len(entry.rungs)


def test_primitives_of_tasks_are_those_of_the_catalogue() -> None:
    named = {primitive for entry in TABLE.tasks.values() for primitive in entry.primitives}
    assert "seq_reverse" in named
    assert named <= set(primitives())
    assert skill_of("spell_backward").generate(1, 0, "train").primitives == ("seq_reverse",)


@pytest.mark.full
def test_every_level_of_every_task_keeps_its_promises() -> None:
    """Streams apart, reference answers right, lengths within the limits, and no constant answer near the gate."""
    for task in TASKS:
        skill = skill_of(task)
        for level in range(1, skill.config.max_level + 1):
            train = [skill.generate(level, i, "train") for i in range(150)]
            exam = [skill.generate(level, i, "exam") for i in range(40)]
            assert not {p.problem_digest for p in train} & {p.problem_digest for p in exam}, (task, level)
            answers = [p.answer for p in train]
            assert max(answers.count(a) for a in set(answers)) < 0.7 * len(answers), (task, level)
            for problem in train[:30]:
                assert skill.score(problem, problem.answer).result is Result.CRIT, (task, level)
                assert len(problem.prompt) <= TABLE.limits.prompt_chars
                assert 0 < len(problem.answer) <= TABLE.limits.answer_chars


def test_both_ends_of_a_range_move_with_the_level() -> None:
    """The package's own ladder keeps the lower end at the bottom, so that the highest level asks mostly easy items."""
    from reasoning_gym.factory import CURRICULA, DATASETS

    config, curriculum = DATASETS["chain_sum"][1], CURRICULA["chain_sum"]()
    five = settings(config, curriculum, 5)
    assert (five["min_digits"], five["max_digits"]) == (4, 5)
    assert (five["min_terms"], five["max_terms"]) == (5, 6)
    curriculum.set_global_level(4)
    theirs = curriculum.generate_configuration()
    assert theirs.min_digits == 1
    below, above = skill_of("chain_sum").generate(3, 0, "train"), skill_of("chain_sum").generate(11, 0, "train")
    assert len(above.prompt) > len(below.prompt)


def test_neighbouring_seeds_share_no_items() -> None:
    """The package draws item i from seed + i: two sets of a hundred with seeds 42 and 43 share ninety-nine items."""
    from reasoning_gym import create_dataset

    theirs = [{item["question"] for item in create_dataset("lcm", seed=seed, size=100)} for seed in (42, 43)]
    assert len(theirs[0] & theirs[1]) >= 95
    skill = skill_of("lcm")
    prompts = [skill.generate(4, i, "train").prompt for i in range(2000)]
    assert len(set(prompts)) == len(prompts)


def test_no_training_problem_is_asked_in_an_exam_of_any_task() -> None:
    for task in TASKS:
        skill = skill_of(task)
        for level in {1, skill.config.max_level}:
            train = {skill.generate(level, i, "train").problem_digest for i in range(12)}
            exam = {skill.generate(level, i, "exam").problem_digest for i in range(3)}
            assert not train & exam, (task, level)


def test_two_wordings_of_one_problem_are_one_problem() -> None:
    task = Task("fraction_simplification", TABLE.tasks["fraction_simplification"], TABLE.limits)
    seen: dict[str, set[str]] = {}
    for i in range(3000):
        made = task.make(random.Random(i), 1)
        seen.setdefault(made.canonical, set()).add(made.prompt)
    assert max(len(prompts) for prompts in seen.values()) > 1


def test_reference_answers_are_right_and_hostile_ones_never_are() -> None:
    for task in TASKS:
        skill = skill_of(task)
        for problem in some(task, count=3):
            assert skill.score(problem, problem.answer).result is Result.CRIT, task
            assert len(problem.prompt) <= TABLE.limits.prompt_chars
            assert 0 < len(problem.answer) <= TABLE.limits.answer_chars
            for answer in HOSTILE:
                judged = judge(skill, problem, answer)
                assert judged.outcome is not None and not judged.outcome.correct, (task, answer[:40])


def test_part_of_the_marks_is_never_correct() -> None:
    """The package pays for an answer that merely contains the right one; here only the whole answer counts."""
    skill = skill_of("lcm")
    problem = skill.generate(2, 0, "train")
    assert not skill.score(problem, f"{problem.answer} or {problem.answer}1").correct
    puzzle = skill_of("cryptarithm")
    one, other = some("cryptarithm", count=2)
    assert puzzle.score(one, other.answer).result is Result.GLANCING


def test_prose_never_reaches_a_lenient_scorer() -> None:
    """The package's lock reads any A, B or C of a sentence as a button."""
    skill = skill_of("quantum_lock")
    problem = skill.generate(1, 0, "train")
    buttons = problem.answer.replace(" → ", " and then calmly ")
    assert not skill.score(problem, f"I would press {buttons} I think").correct


def test_another_right_answer_is_right() -> None:
    skill = skill_of("graph_color")
    for problem in some("graph_color", count=20):
        swapped = problem.answer.replace(": 1", ": x").replace(": 2", ": 1").replace(": x", ": 2")
        assert skill.score(problem, swapped).correct
    queens = skill_of("n_queens")
    boards = {p.answer for p in some("n_queens", count=40)}
    hits = [queens.score(p, b).result for p in some("n_queens", count=10) for b in boards]
    assert Result.HIT in hits and Result.MISS in hits


def test_no_scorer_that_is_asked_runs_an_answer_as_code() -> None:
    from reasoning_gym.factory import DATASETS

    for task, entry in TABLE.tasks.items():
        if entry.scorer == "own":
            source = inspect.getsource(DATASETS[task][0].score_answer)
            assert not any(word in source for word in ("eval(", "exec(", "parse_expr", "sympify")), task


def test_items_leave_process_wide_randomness_and_standard_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = random.getstate(), np.random.get_state()[1].tobytes()  # type: ignore[index]
    for task in TASKS:
        skill = skill_of(task)
        for problem in some(task, count=3):
            skill.score(problem, "nonsense")
            skill.score(problem, problem.answer + " ")
    assert random.getstate() == ours
    assert np.random.get_state()[1].tobytes() == theirs  # type: ignore[index]
    assert capsys.readouterr().out == ""


def test_other_processes_make_the_same_items() -> None:
    code = """
from hashlib import blake2b
from configs.gym import load_gym
from skills.registry import get_skill
for task in load_gym().tasks:
    skill = get_skill(f"gym_{task}")
    top = skill.config.max_level
    made = [skill.generate(level, i, "train") for level in {1, top} for i in (3, 1)]
    print(task, blake2b(repr([(p.prompt, p.answer, p.problem_digest) for p in made]).encode("utf-8", "replace")).hexdigest())
"""
    root = str(Path(gym.__file__).parents[2])
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for seed in ("1", "4242")
    ]
    assert len(said[0]) == len(TASKS)
    assert said[0] == said[1]


def test_without_the_package_its_skills_say_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    monkeypatch.setattr(gym, "installed_version", lambda: None)
    try:
        assert not any(i.startswith(gym.PREFIX) for i in skill_ids(every=True))
        with pytest.raises(BlockedError, match="extra `gym`"):
            get_skill("gym_lcm")
        assert get_skill("bin").config.id == "bin"
    finally:
        forget()


def test_another_version_of_the_package_disables_its_skills(monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    monkeypatch.setattr(gym, "installed_version", lambda: "9.9.9")
    try:
        with pytest.raises(BlockedError, match=r"9\.9\.9 is installed"):
            get_skill("gym_lcm")
    finally:
        forget()

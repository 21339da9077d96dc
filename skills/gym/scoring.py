"""Judges answers of gym tasks: full marks or nothing; partial credit is a glancing blow and never correct."""

from __future__ import annotations

import re

from skills.answers import final_answer, text_score, without_thinking
from skills.contract import Outcome, Problem, Result
from skills.gym.tasks import Task
from skills.judging import safe_json
from skills.streams import Score

FULL_MARKS = 1.0


def scorer_of(task: Task) -> Score:
    """The rule of a task: its reference answer, and where the table says so, what else counts as right."""
    if task.table.scorer == "exact":
        return text_score
    shape = re.compile(task.table.shape) if task.table.shape else None

    def score(problem: Problem, answer: str) -> Outcome:
        first = text_score(problem, answer)
        text = without_thinking(answer)
        if first.correct or first.result is Result.CRIT_MISS or text is None:
            return first
        seed = int(problem.meta["seed"])
        for said in dict.fromkeys((text, final_answer(text))):
            if task.table.scorer == "listed":
                if said in task.entry(problem.level, seed)["metadata"]["valid_answers"]:
                    return Outcome(Result.HIT, "another right answer")
                continue
            if not _readable(said, shape, as_json=task.table.as_json):
                continue
            reward = task.reward(problem.level, seed, said)
            if reward >= FULL_MARKS:
                return Outcome(Result.HIT, "another right answer")
            if reward > 0:
                return Outcome(Result.GLANCING, "the task gives part of the marks")
            return Outcome(Result.MISS, "another answer")
        return first

    return score


def _readable(text: str, shape: re.Pattern[str] | None, *, as_json: bool) -> bool:
    if as_json:
        try:
            safe_json(text)
        except (ValueError, RecursionError):
            return False
    return shape is None or shape.fullmatch(text) is not None

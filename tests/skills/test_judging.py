"""Whatever a model answers and however a plug-in's scorer behaves, judging ends with an outcome or a reason."""

from __future__ import annotations

import json

import pytest

from configs.errors import RealmError
from skills.contract import Outcome, Problem, Result
from skills.judging import MAX_ANSWER, guarded, judge, safe_json
from tests.skills.test_streams import SUMS

PROBLEM = SUMS.generate(1, 0, "train", operation="sum")


class Odd:
    """The sums, with another scorer."""

    def __init__(self, scorer: object) -> None:
        self.score = scorer

    def __getattr__(self, name: str) -> object:
        return getattr(SUMS, name)


def _raises(problem: Problem, answer: str) -> Outcome:
    raise KeyError("lost")


def _loops(problem: Problem, answer: str) -> Outcome:
    while True:
        pass


def test_a_plain_answer_is_scored() -> None:
    judged = judge(SUMS, PROBLEM, PROBLEM.answer)
    assert judged.outcome is not None and judged.outcome.correct and not judged.error


@pytest.mark.parametrize(
    "answer", ["9" * 100_001, b"\xff\xfe\x00", "\ud83d", "[" * 50_000, "9" * 9_000, '{"a":' * 3_000, ""]
)
def test_hostile_answers_are_no_results(answer: str | bytes) -> None:
    judged = judge(SUMS, PROBLEM, answer)
    assert judged.outcome is not None and judged.outcome.result is Result.CRIT_MISS and judged.outcome.reason


def test_odd_and_long_answers_are_read_and_wrong() -> None:
    """Control characters are an answer like any other: wrong."""
    odd = judge(SUMS, PROBLEM, "\x00\x1b[2J")
    assert odd.outcome is not None and odd.outcome.result is Result.MISS
    judged = judge(SUMS, PROBLEM, ("x " * MAX_ANSWER)[: MAX_ANSWER - 12] + " " + PROBLEM.answer)
    assert judged.outcome is not None and not judged.outcome.correct


@pytest.mark.parametrize(("scorer", "told"), [(_raises, "KeyError"), (_loops, "longer than")])
def test_a_scorer_that_fails_leaves_the_item_errored_and_names_the_skill(scorer: object, told: str) -> None:
    judged = judge(Odd(scorer), PROBLEM, "1", limit_s=0.2)  # type: ignore[arg-type]
    assert judged.outcome is None and told in judged.error and "sums" in judged.error


def test_no_answer_is_an_errored_item_not_a_wrong_one() -> None:
    assert judge(SUMS, PROBLEM, None).outcome is None


def test_a_generator_that_raises_or_does_not_end_is_named() -> None:
    def raises() -> int:
        raise ZeroDivisionError("by zero")

    def loops() -> int:
        while True:
            pass

    for make in (raises, loops):
        with pytest.raises(RealmError) as caught:
            guarded("sums", "a problem", make, limit_s=0.2)
        assert caught.value.code == "GENERATOR_FAILED" and "sums" in caught.value.what
    assert guarded("sums", "a problem", lambda: 7) == 7


def test_json_of_a_model_is_read_within_bounds() -> None:
    assert safe_json('{"a": [1, {"b": "[[[["}]}') == {"a": [1, {"b": "[[[["}]}
    for text in ("[" * 5000 + "]" * 5000, '{"a": 1, "a": 2}', "NaN", "[1,", json.dumps("\\") + "]", "1" * 5000):
        with pytest.raises(ValueError):
            safe_json(text)

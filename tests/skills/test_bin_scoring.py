"""What an answer is worth."""

from __future__ import annotations

import pytest

from skills.contract import Problem, Result
from skills.registry import get_skill

BIN = get_skill("bin")


def asked(operation: str, prompt: str, answer: str, tier: str = "easy") -> Problem:
    return Problem("bin", 3, "exam", 0, operation, tier, prompt, answer, "", "")


ADD = asked("add", "Compute: add(⓪⓪①①, ⓪⓪⓪①)", "⓪⓪①⓪⓪")
VERIFY = asked(
    "add",
    "Compute [verify]: add(⓪⓪①①, ⓪⓪⓪①)",
    "add(⓪⓪①①, ⓪⓪⓪①) = ⓪⓪①⓪⓪\nadd(3, 1) = 4",
    "medium",
)
DECIMAL = asked("todecimal", "Compute: todecimal(①①⓪①)", "13")
OVERFLOW = asked(
    "add_signed", "Compute [verify]: add_signed(⓪①①①, ⓪⓪⓪①)", "add_signed(⓪①①①, ⓪⓪⓪①) = overflow", "medium"
)
LESS = asked("lessthan", "Compute: lessthan(⓪⓪①①, ⓪⓪⓪①)", "⓪")


@pytest.mark.parametrize(
    ("problem", "answer", "result"),
    [
        (ADD, "⓪⓪①⓪⓪", Result.CRIT),
        (ADD, "  ⓪⓪①⓪⓪\n", Result.CRIT),
        (ADD, "①⓪⓪", Result.HIT),
        (ADD, "00100", Result.HIT),
        (ADD, "add(⓪⓪①①, ⓪⓪⓪①) = ⓪⓪①⓪⓪", Result.HIT),
        (ADD, "Column by column.\nThe answer is ⓪⓪①⓪⓪.", Result.HIT),
        (ADD, "<think>carry ①</think>⓪⓪①⓪⓪", Result.CRIT),
        (ADD, "⓪⓪①⓪①", Result.GLANCING),
        (ADD, "⓪⓪⓪⓪①", Result.MISS),
        (ADD, "4", Result.MISS),
        (ADD, "", Result.CRIT_MISS),
        (ADD, "   ", Result.CRIT_MISS),
        (ADD, "I like tea", Result.CRIT_MISS),
        (ADD, "<think>carry ①", Result.CRIT_MISS),
        (ADD, "⓪①" * 40, Result.CRIT_MISS),
        (VERIFY, VERIFY.answer, Result.CRIT),
        (VERIFY, "add(⓪⓪①①, ⓪⓪⓪①) = ⓪⓪①⓪⓪", Result.HIT),
        (VERIFY, "add( ⓪⓪①①,⓪⓪⓪① )=⓪⓪①⓪⓪\nadd(3, 1) = 4", Result.HIT),
        (VERIFY, "add(⓪⓪①①, ⓪⓪⓪①) = ⓪⓪①⓪⓪\nadd(3, 1) = 5", Result.HIT),
        (VERIFY, "add(⓪⓪①①, ⓪⓪⓪①) = ⓪⓪①⓪①\nadd(3, 1) = 4", Result.GLANCING),
        (VERIFY, "add(⓪⓪①①, ⓪⓪⓪①) = ⓪①①⓪①\nadd(3, 1) = 4", Result.MISS),
        (VERIFY, "add(⓪⓪①①, ⓪⓪⓪①) = ", Result.CRIT_MISS),
        (DECIMAL, "13", Result.CRIT),
        (DECIMAL, "013", Result.HIT),
        (DECIMAL, "todecimal(①①⓪①) = 13", Result.HIT),
        (DECIMAL, "12", Result.GLANCING),
        (DECIMAL, "21", Result.MISS),
        (OVERFLOW, "add_signed(⓪①①①, ⓪⓪⓪①) = Overflow", Result.HIT),
        (OVERFLOW, "add_signed(⓪①①①, ⓪⓪⓪①) = ①⓪⓪⓪", Result.MISS),
        (LESS, "⓪", Result.CRIT),
        (LESS, "①", Result.MISS),
        (LESS, "0", Result.HIT),
    ],
)
def test_results(problem: Problem, answer: str, result: Result) -> None:
    outcome = BIN.score(problem, answer)
    assert outcome.result is result, outcome.reason
    assert outcome.correct == (result in (Result.CRIT, Result.HIT))


def test_every_expected_answer_scores_itself_and_no_other_problem() -> None:
    problems = [BIN.generate(level, i, "train", "full") for level in (1, 5, 30) for i in range(120)]
    for problem in problems:
        assert BIN.score(problem, problem.answer).result is Result.CRIT
        wrapped = BIN.score(problem, f"{problem.answer} ")
        assert wrapped.correct


def test_the_last_statement_of_the_expression_counts() -> None:
    wrong_then_right = "add(⓪⓪①①, ⓪⓪⓪①) = ⓪①①⓪⓪\nno: add(⓪⓪①①, ⓪⓪⓪①) = ⓪⓪①⓪⓪"
    assert BIN.score(VERIFY, wrong_then_right).result is Result.HIT

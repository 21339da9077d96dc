"""Judges an answer: the expected expression, or the final result, equal in value."""

from __future__ import annotations

import re
from dataclasses import replace

from skills.bin.auxiliary import TASKS
from skills.bin.digits import OVERFLOW, plain
from skills.bin.symbols import read_back
from skills.contract import Outcome, Problem, Result

_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)
_CUE = re.compile(r"(?:answer is|answer:|therefore|solution|result)[:\s]*", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_VALUE = re.compile(rf"-?\d+|{OVERFLOW}")
_RUNAWAY = 8
"""Digits beyond three times the expected length that show an answer without an end."""


def score(problem: Problem, answer: str) -> Outcome:
    """CRIT: exact. HIT: equal in value. GLANCING: one digit off. MISS: another value. CRIT MISS: no result at all."""
    text = _THINKING.sub("", answer).strip()
    if text != problem.answer and (key := problem.meta.get("key")):
        asked = read_back(problem.prompt.split("\n", 1)[1], key)
        problem = replace(problem, prompt=asked, answer=read_back(problem.answer, key))
        text = read_back(text, key)
        if text == problem.answer:
            return Outcome(Result.HIT, "equal, in plain digits")
    if text == problem.answer:
        return Outcome(Result.CRIT, "exact")
    if "<think>" in text:
        return Outcome(Result.CRIT_MISS, "thinking was opened and never closed")
    if not text:
        return Outcome(Result.CRIT_MISS, "empty answer")
    if problem.operation in TASKS:
        return _judged_task(problem, text)
    expression = problem.prompt.split(": ", 1)[1]
    expected = _expected(problem, expression)
    given = _given(text, expression)
    if given is None:
        return Outcome(Result.CRIT_MISS, "no result found")
    if len(given) > 3 * len(expected) + _RUNAWAY:
        return Outcome(Result.CRIT_MISS, "the result runs on without an end")
    if _same(given, expected, decimal=problem.operation == "todecimal"):
        return Outcome(Result.HIT, "equal in value")
    if len(given) == len(expected) >= 2 and sum(a != b for a, b in zip(given, expected, strict=True)) == 1:
        return Outcome(Result.GLANCING, "one digit is wrong")
    return Outcome(Result.MISS, f"{given} instead of {expected}")


def _judged_task(problem: Problem, text: str) -> Outcome:
    """A task's result is its last line."""
    expected = plain(problem.answer.splitlines()[-1])
    final = _CUE.split(text)[-1].strip() or text
    given = _SPACE.sub("", plain(final.splitlines()[-1])).lower().strip(".`*\"'")
    if given == expected:
        return Outcome(Result.HIT, "equal in value")
    if len(given) > 3 * len(expected) + _RUNAWAY:
        return Outcome(Result.CRIT_MISS, "no result found")
    if len(given) == len(expected) >= 2 and sum(a != b for a, b in zip(given, expected, strict=True)) == 1:
        return Outcome(Result.GLANCING, "one digit is wrong")
    return Outcome(Result.MISS, f"{given} instead of {expected}")


def _expected(problem: Problem, expression: str) -> str:
    """The expected result in ASCII digits."""
    for line in problem.answer.splitlines():
        if line.startswith(f"{expression} = "):
            return plain(line.removeprefix(f"{expression} = "))
    return plain(problem.answer)


def _given(text: str, expression: str) -> str | None:
    """The result that an answer states: after the repeated expression, else after a cue, else in its last line."""
    squeezed = plain(_SPACE.sub("", text)).lower()
    wanted = plain(_SPACE.sub("", expression)).lower() + "="
    at = squeezed.rfind(wanted)
    if at >= 0:
        stated = _VALUE.match(_line_after(text, expression) or squeezed[at + len(wanted) :])
        return stated.group() if stated else None
    final = _CUE.split(text)[-1].strip() or text
    last = plain(final.splitlines()[-1]).lower().strip(" .`*\"'")
    if "=" in last:
        last = last.rsplit("=", 1)[1].strip()
    return last if _VALUE.fullmatch(last) else None


def _line_after(text: str, expression: str) -> str:
    """What follows the last literal ``expression =`` on its own line; empty when it is spelt differently."""
    head = f"{expression} ="
    at = text.rfind(head)
    return plain(text[at + len(head) :].split("\n", 1)[0]).strip().lower() if at >= 0 else ""


def _same(given: str, expected: str, *, decimal: bool) -> bool:
    if OVERFLOW in (given, expected):
        return given == expected
    if decimal:
        return int(given) == int(expected)
    return set(given) <= {"0", "1"} and int(given, 2) == int(expected, 2)

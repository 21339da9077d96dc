"""Judges a woven answer: which words are right, and whether its form is perfect."""

from __future__ import annotations

import json
import re
from typing import Any

from skills.answers import without_thinking
from skills.contract import Outcome, Problem, Result
from skills.judging import safe_json

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)
_SOLUTION = ["ans_num", "syllables", "answer"]
_ACCOUNT = ("total_tiles", "usage", "used", "unused_tiles", "status")


def weave_score(problem: Problem, answer: str) -> Outcome:
    """CRIT: all words in perfect form. HIT: all words. GLANCING: all but one. MISS: fewer. CRIT MISS: no JSON with solutions.

    Perfect form: JSON alone, a list of solutions numbered from 1 with the keys in order, the word in capitals and made of its
    syllables, and an account of the tiles that is true. A keyed form (`{"1": {"word": .., "syllables": ..}}`) can be a HIT.
    """
    text = without_thinking(answer)
    if text is None:
        return Outcome(Result.CRIT_MISS, "thinking was opened and never closed")
    if text == problem.answer:
        return Outcome(Result.CRIT, "exact")
    if not text:
        return Outcome(Result.CRIT_MISS, "empty answer")
    try:
        value, alone = _value(text)
    except (ValueError, RecursionError) as error:
        return Outcome(Result.CRIT_MISS, f"no JSON: {error}")
    wanted = json.loads(problem.answer)
    given = _given(value)
    if given is None:
        return Outcome(Result.CRIT_MISS, "no solutions in it")
    words = [solution["answer"] for solution in wanted["solutions"]]
    right = sum(_word(given.get(number)) == word for number, word in enumerate(words, 1))
    if right == len(words) and len(given) == len(words):
        if alone and _perfect(value, wanted):
            return Outcome(Result.CRIT, "all words in perfect form")
        return Outcome(Result.HIT, "all words")
    if right >= len(words) - 1 and right > 0:
        return Outcome(Result.GLANCING, f"{right} of {len(words)} words")
    return Outcome(Result.MISS, f"{right} of {len(words)} words")


def _value(text: str) -> tuple[Any, bool]:
    """The JSON in ``text``, and whether nothing stands around it."""
    try:
        return safe_json(text), True
    except ValueError:
        fenced = _FENCE.search(text)
        inner = fenced.group(1) if fenced else text[text.find("{") : text.rfind("}") + 1]
        if not inner:
            raise
        return safe_json(inner), False


def _given(value: Any) -> dict[int, Any] | None:
    """The solutions by number; None when there is nothing of the kind. A number given twice counts as wrong."""
    solutions = value.get("solutions") if isinstance(value, dict) else None
    if isinstance(solutions, dict):
        pairs: list[tuple[Any, Any]] = list(solutions.items())
    elif isinstance(solutions, list):
        pairs = [(s.get("ans_num", i) if isinstance(s, dict) else i, s) for i, s in enumerate(solutions, 1)]
    else:
        return None
    found: dict[int, Any] = {}
    for key, solution in pairs:
        number = _number(key)
        if number is None:
            continue
        found[number] = None if number in found else solution
    return found or None


def _number(key: Any) -> int | None:
    if isinstance(key, str) and key.isascii() and key.isdigit() and len(key) <= 3:
        return int(key)
    return key if isinstance(key, int) and not isinstance(key, bool) else None


def _word(solution: Any) -> str | None:
    """The word of a solution in capitals."""
    if isinstance(solution, dict):
        solution = solution.get("answer", solution.get("word"))
    return solution.strip().upper() if isinstance(solution, str) else None


def _perfect(value: dict[str, Any], wanted: dict[str, Any]) -> bool:
    solutions = value["solutions"]
    if not isinstance(solutions, list) or set(value) != set(wanted):
        return False
    for solution, right in zip(solutions, wanted["solutions"], strict=True):
        if list(solution) != _SOLUTION or not _same(solution, right):
            return False
    account, true = value["inventory_check"], wanted["inventory_check"]
    if not isinstance(account, dict) or set(account) != set(_ACCOUNT) or not isinstance(account["unused_tiles"], list):
        return False
    left = sorted(map(str, account["unused_tiles"])) == sorted(true["unused_tiles"])
    return left and all(_same(account[part], true[part]) for part in _ACCOUNT if part != "unused_tiles")


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON values; true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

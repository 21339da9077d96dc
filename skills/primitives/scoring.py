"""Scorers of drills whose answer has a form: lists, JSON, tables and code. Nothing in an answer is ever run."""

from __future__ import annotations

import ast
import json
import re

from skills.answers import final_answer, normal, text_score, without_thinking
from skills.contract import Outcome, Problem, Result
from skills.judging import safe_json

_EDGES = " .`*\"'“”"
_ITEM = re.compile(r"[^\s,;\[\]()'\"`]+")
_FENCE = re.compile(r"```[a-z]*\n(.*?)```", re.DOTALL)
_LONGEST_CODE = 2_000
"""Characters of code that are parsed."""


def cased_score(problem: Problem, answer: str) -> Outcome:
    """As `text_score`, and capitals count."""
    found = text_score(problem, answer)
    if found.result is not Result.HIT:
        return found
    text = without_thinking(answer) or ""
    wanted = _plain(problem.answer)
    return found if wanted in (_plain(text), _plain(final_answer(text))) else Outcome(Result.MISS, "other capitals")


def accepted_score(problem: Problem, answer: str) -> Outcome:
    """As `text_score`; every answer that the problem's ``accept`` names is a HIT."""
    found = text_score(problem, answer)
    if found.result is not Result.MISS:
        return found
    given = normal(final_answer(without_thinking(answer) or ""))
    return Outcome(Result.HIT, "another right answer") if given in problem.meta.get("accept", ()) else found


def list_score(problem: Problem, answer: str) -> Outcome:
    """The same items in the same order, however they are set apart; capitals count."""
    found = cased_score(problem, answer)
    if found.result is not Result.MISS:
        return found
    wanted = _ITEM.findall(problem.answer)
    text = without_thinking(answer) or ""
    if wanted and wanted in (_ITEM.findall(text), _ITEM.findall(final_answer(text).strip("."))):
        return Outcome(Result.HIT, "the same items")
    return found


def json_score(problem: Problem, answer: str) -> Outcome:
    """The same value as JSON. What is no JSON is a CRIT MISS; another value is a MISS."""
    text = _bare(answer)
    if text is None or not text:
        return Outcome(Result.CRIT_MISS, "no answer")
    if text == problem.answer:
        return Outcome(Result.CRIT, "exact")
    try:
        value = safe_json(text)
    except ValueError as error:
        return Outcome(Result.CRIT_MISS, f"no JSON: {error}")
    if json.dumps(value, sort_keys=True) == json.dumps(json.loads(problem.answer), sort_keys=True):
        return Outcome(Result.HIT, "the same value")
    return Outcome(Result.MISS, "another value")


def table_score(problem: Problem, answer: str) -> Outcome:
    """The same cells in a Markdown table with a rule under its head."""
    text = _bare(answer)
    if text is None or not text:
        return Outcome(Result.CRIT_MISS, "no answer")
    if text == problem.answer:
        return Outcome(Result.CRIT, "exact")
    cells = _cells(text)
    if cells is None:
        return Outcome(Result.CRIT_MISS, "no Markdown table")
    same = cells == _cells(problem.answer)
    return Outcome(Result.HIT, "the same cells") if same else Outcome(Result.MISS, "other cells")


def lines_score(problem: Problem, answer: str) -> Outcome:
    """The same lines; indentation counts, spaces at their end and empty lines do not."""
    text = _bare(answer)
    if text is None or not text:
        return Outcome(Result.CRIT_MISS, "no answer")
    if text == problem.answer:
        return Outcome(Result.CRIT, "exact")
    return Outcome(Result.HIT, "the same lines") if _lines(text) == _lines(problem.answer) else Outcome(Result.MISS)


def code_score(problem: Problem, answer: str) -> Outcome:
    """The same Python program, whatever its spacing; other code that parses is GLANCING, what does not is a CRIT MISS."""
    text = _bare(answer)
    if text is None or not text:
        return Outcome(Result.CRIT_MISS, "no answer")
    if text == problem.answer:
        return Outcome(Result.CRIT, "exact")
    if len(text) > _LONGEST_CODE:
        return Outcome(Result.CRIT_MISS, "far more code than was asked for")
    try:
        tree = ast.dump(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Outcome(Result.CRIT_MISS, f"it does not parse: {error}")
    if tree == ast.dump(ast.parse(problem.answer)):
        return Outcome(Result.HIT, "the same program")
    return Outcome(Result.GLANCING, "it parses and is another program")


def _bare(answer: str) -> str | None:
    """The answer without thinking and without a code fence around it."""
    text = without_thinking(answer)
    if text is None:
        return None
    fenced = _FENCE.search(text)
    return (fenced.group(1) if fenced else text).strip("\n").rstrip()


def _plain(text: str) -> str:
    return " ".join(text.split()).strip(_EDGES)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _cells(text: str) -> list[list[str]] | None:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in _lines(text)]
    if len(rows) < 2 or not all(re.fullmatch(r":?-+:?", cell) for cell in rows[1]):
        return None
    return [rows[0], *rows[2:]] if len(rows[0]) == len(rows[1]) else None

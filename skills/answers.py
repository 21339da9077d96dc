"""What a free-form answer says: the final result, without thinking, cues and decoration."""

from __future__ import annotations

import re

from skills.contract import Outcome, Problem, Result

_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)
_CUE = re.compile(r"(?:answer is|answer:|therefore|solution|result)[:\s]*", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_EDGES = " \t\r\n.`*\"'“”"
_RUNAWAY = 4
"""An answer this many times as long as the expected one (and 80 characters more) has no end."""


def without_thinking(answer: str) -> str | None:
    """The answer behind its thinking; None when thinking was opened and never closed."""
    text = _THINKING.sub("", answer).strip()
    return None if "<think>" in text else text


def final_answer(text: str) -> str:
    """What follows the last cue (``answer:`` …), otherwise the last line that is not empty."""
    pieces = _CUE.split(text)
    told = pieces[-1].strip() if len(pieces) > 1 else ""
    lines = [line for line in (told or text).splitlines() if line.strip()]
    return (lines[0] if told else lines[-1]).strip() if lines else ""


def normal(text: str) -> str:
    """Case, spaces and decoration removed."""
    return _SPACE.sub(" ", text.strip(_EDGES)).casefold()


def text_score(problem: Problem, answer: str) -> Outcome:
    """CRIT: exact. HIT: equal once case, spaces and decoration are gone. MISS: something else. CRIT MISS: nothing readable."""
    text = without_thinking(answer)
    if text is None:
        return Outcome(Result.CRIT_MISS, "thinking was opened and never closed")
    if text == problem.answer:
        return Outcome(Result.CRIT, "exact")
    if not text:
        return Outcome(Result.CRIT_MISS, "empty answer")
    wanted = normal(problem.answer)
    if normal(text) == wanted or normal(final_answer(text)) == wanted:
        return Outcome(Result.HIT, "equal after normalisation")
    if len(text) > _RUNAWAY * len(problem.answer) + 80:
        return Outcome(Result.CRIT_MISS, "the answer runs on without an end")
    return Outcome(Result.MISS, "another answer")

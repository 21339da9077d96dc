"""Judges answers that may be anything: too long, broken, hostile. A scorer that fails never stops the one who asked."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

from configs import clock
from configs.errors import RealmError
from skills.contract import Outcome, Problem, Result, Skill

MAX_ANSWER = 100_000
"""Characters of an answer that are read; a longer one has no end."""
MAX_DEPTH = 40
"""Nesting of JSON that is read."""
LIMIT_S = 2.0
"""Time for one answer or one problem."""

T = TypeVar("T")


class TookTooLongError(Exception):
    """The time for one call is over."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An outcome, or why there is none."""

    outcome: Outcome | None
    error: str = ""
    """Why the item could not be judged; it is then left out of the accuracy."""


def judge(skill: Skill, problem: Problem, answer: str | bytes | None, *, limit_s: float = LIMIT_S) -> Judged:
    """Score an answer, whatever it is.

    Unreadable answers are CRIT MISS. A scorer that raises or does not end leaves the item errored: that is not the hero's fault.
    """
    if answer is None:
        return Judged(None, "no answer was given")
    if isinstance(answer, bytes):
        try:
            answer = answer.decode()
        except UnicodeDecodeError:
            return Judged(Outcome(Result.CRIT_MISS, "the answer is not UTF-8"))
    if len(answer) > MAX_ANSWER:
        return Judged(Outcome(Result.CRIT_MISS, f"the answer runs on beyond {MAX_ANSWER:,} characters"))
    if any("\ud800" <= c <= "\udfff" for c in answer):
        return Judged(Outcome(Result.CRIT_MISS, "the answer is not UTF-8"))
    try:
        with time_limit(limit_s):
            return Judged(skill.score(problem, answer))
    except TookTooLongError:
        return Judged(None, f"the scorer of {problem.skill} took longer than {limit_s:g} s")
    except (RecursionError, MemoryError) as error:
        return Judged(Outcome(Result.CRIT_MISS, f"the answer cannot be read: {type(error).__name__}"))
    except Exception as error:  # a plug-in's scorer may raise anything; the item is named as errored
        return Judged(None, f"the scorer of {problem.skill} failed: {type(error).__name__}: {error}")


def guarded(skill_id: str, what: str, make: Callable[[], T], *, limit_s: float = LIMIT_S) -> T:
    """Call a generator that may raise or not end.

    Raises:
        RealmError: it did, with the reason.
    """
    try:
        with time_limit(limit_s):
            return make()
    except RealmError:
        raise
    except TookTooLongError:
        why = f"it took longer than {limit_s:g} s"
    except Exception as error:  # a plug-in's generator may raise anything
        why = f"{type(error).__name__}: {error}"
    raise RealmError(
        f"skill {skill_id} could not make {what}",
        why=why,
        fix=f"leave {skill_id} out (`realm curriculum set`), or mend its module",
        code="GENERATOR_FAILED",
    )


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TookTooLongError` in the block after ``seconds``; without effect outside the main thread.

    A timer that somebody else has set goes on afterwards; where it rings first, it is left alone.
    """
    other, interval = signal.getitimer(signal.ITIMER_REAL)
    if threading.current_thread() is not threading.main_thread() or 0 < other <= seconds:
        yield
        return
    started = clock.monotonic()
    before = signal.signal(signal.SIGALRM, _over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if other > 0:
            signal.setitimer(signal.ITIMER_REAL, max(1e-3, other - (clock.monotonic() - started)), interval)


def _over(signum: int, frame: FrameType | None) -> None:
    raise TookTooLongError


def safe_json(text: str) -> Any:
    """The JSON value in ``text``.

    Raises:
        ValueError: it is none, is nested too deep, holds a number without bounds, or names a key twice.
    """
    depth = deepest = 0
    quoted = escaped = False
    for c in text:
        if quoted:
            if escaped:
                escaped = False
            elif c == "\\":
                escaped = True
            elif c == '"':
                quoted = False
        elif c == '"':
            quoted = True
        elif c in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif c in "]}":
            depth -= 1
    if deepest > MAX_DEPTH:
        raise ValueError(f"nested {deepest} deep")
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is named twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")

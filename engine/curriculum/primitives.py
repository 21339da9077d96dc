"""How a hero stands in each primitive, from its newest exam answers: pure functions, no catalogue needed.

A primitive's accuracy is made of its newest answers, at most a window of them, over every skill that exercises it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from configs.curriculum import PrimitiveRules
from engine.curriculum.state import NOTHING, Tally
from engine.statistics import interval


class Seen(NamedTuple):
    """What one exam said of one primitive."""

    step: int
    skill: str
    level: int
    correct: int
    items: int


Seenings = Mapping[str, tuple[Seen, ...]]
"""Primitive to what exams said of it, oldest first."""


def remembered(
    record: Seenings, told: Mapping[str, Mapping[str, int]], rules: PrimitiveRules, *, step: int, skill: str, level: int
) -> dict[str, tuple[Seen, ...]]:
    """The record after an exam; ``told`` is its count by primitive (`saves.rows.Exam.primitives`).

    What lies beyond the window is dropped.
    """
    after = dict(record)
    for primitive, counts in told.items():
        if counts["items"]:
            seen = Seen(step, skill, level, counts["correct"], counts["items"])
            after[primitive] = newest((*after.get(primitive, ()), seen), rules.window_items)
    return after


def newest(seen: Sequence[Seen], items: int) -> tuple[Seen, ...]:
    """The newest exams whose answers fill a window of ``items``, oldest first."""
    kept: list[Seen] = []
    total = 0
    for one in reversed(seen):
        if total >= items:
            break
        kept.append(one)
        total += one.items
    return tuple(reversed(kept))


@dataclass(frozen=True, slots=True)
class PrimitiveStanding:
    """One primitive."""

    primitive: str
    tally: Tally
    """Newest answers, all skills together."""
    interval: tuple[float, float]
    """Anytime-valid interval of its accuracy."""
    skills: Mapping[str, Tally]
    """The same by skill."""
    trend: float | None
    """Accuracy of the newer half of these exams less that of the older, -1 to 1; None for a single exam."""
    weak: bool
    """Enough answers, and too few of them right: a drill is due."""
    spar: bool
    """Sparring aims at it."""

    @property
    def accuracy(self) -> float:
        """Right share."""
        return self.tally.correct / self.tally.items

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "primitive": self.primitive,
            "accuracy": self.accuracy,
            "correct": self.tally.correct,
            "samples": self.tally.items,
            "interval": list(self.interval),
            "skills": {skill: {"correct": t.correct, "items": t.items} for skill, t in self.skills.items()},
            "trend": self.trend,
            "weak": self.weak,
            "spar": self.spar,
        }


def profile(record: Seenings, rules: PrimitiveRules, alpha: float) -> tuple[PrimitiveStanding, ...]:
    """Every primitive that was asked, weakest first."""
    found = []
    for primitive, all_seen in record.items():
        seen = newest(all_seen, rules.window_items)
        tally = _sum(seen)
        if not tally.items:
            continue
        enough = tally.items >= rules.weak_samples
        found.append(
            PrimitiveStanding(
                primitive,
                tally,
                interval(tally.correct, tally.items, alpha),
                {skill: _sum(s for s in seen if s.skill == skill) for skill in dict.fromkeys(s.skill for s in seen)},
                _trend(seen),
                enough and not tally.reaches(rules.weak_below),
                enough and not tally.reaches(rules.spar_below),
            )
        )
    return tuple(sorted(found, key=lambda one: (one.accuracy, one.primitive)))


def _sum(seen: Iterable[Seen]) -> Tally:
    total = NOTHING
    for one in seen:
        total = total.plus(Tally(one.correct, one.items))
    return total


def _trend(seen: Sequence[Seen]) -> float | None:
    if len(seen) < 2:
        return None
    middle = len(seen) // 2
    older, newer = _sum(seen[:middle]), _sum(seen[middle:])
    return newer.correct / newer.items - older.correct / older.items


# ---------------------------------------------------------------- transfer


@dataclass(frozen=True, slots=True)
class Transfer:
    """How one primitive changed between two bodies of answers."""

    primitive: str
    trained: bool
    """Some problem in training exercised it."""
    before: Tally
    after: Tally
    low: float
    high: float
    """Interval of the gain."""
    against: str = "first"
    """What it is held against: the ``first`` exams, or the ``base`` model."""

    @property
    def gain(self) -> float:
        """Later accuracy less earlier accuracy."""
        return self.after.correct / self.after.items - self.before.correct / self.before.items

    @property
    def finding(self) -> str:
        """gained, lost, or unclear while the interval holds zero."""
        return "gained" if self.low > 0 else "lost" if self.high < 0 else "unclear"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "primitive": self.primitive,
            "trained": self.trained,
            "before": {"correct": self.before.correct, "items": self.before.items},
            "after": {"correct": self.after.correct, "items": self.after.items},
            "gain": self.gain,
            "interval": [self.low, self.high],
            "finding": self.finding,
            "against": self.against,
        }


def transfer(
    before: Seenings, after: Seenings, trained: Iterable[str], alpha: float, *, base: Iterable[str] = ()
) -> tuple[Transfer, ...]:
    """Each primitive asked on both sides, largest gain first.

    Args:
        before: the earlier answers, e.g. of the base model or of the first exams.
        after: the later answers.
        trained: primitives that training exercised; a gain in any other one is transfer.
        alpha: error rate of each interval; either side gets half of it.
        base: primitives whose earlier answers are the base model's.
    """
    known, untaught, found = set(trained), set(base), []
    for primitive, earlier in before.items():
        first, last = _sum(earlier), _sum(after.get(primitive, ()))
        if not first.items or not last.items:
            continue
        low_b, high_b = interval(first.correct, first.items, alpha / 2)
        low_a, high_a = interval(last.correct, last.items, alpha / 2)
        against = "base" if primitive in untaught else "first"
        found.append(Transfer(primitive, primitive in known, first, last, low_a - high_b, high_a - low_b, against))
    return tuple(sorted(found, key=lambda one: (-one.gain, one.primitive)))

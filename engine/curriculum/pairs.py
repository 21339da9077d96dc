"""Two forms on the very same items: what one answers that the other does not, and what that proves.

Only items answered differently say anything about a difference, so a pair of exams on the same items tells two forms apart with
far fewer questions than two exams on different ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from engine.curriculum.state import Tally
from engine.statistics import gain_interval, mean_evidence, sign_evidence

UNANSWERED = "?"
RIGHT = frozenset("CH")
"""Letters of `saves.rows.RESULT_LETTERS` that count as correct."""
Finding = Literal["better", "worse", "no difference shown"]


@dataclass(frozen=True, slots=True)
class Paired:
    """A second form against a first, item by item."""

    both: int
    better: int
    """Right by the second only."""
    worse: int
    """Right by the first only."""
    neither: int

    @property
    def items(self) -> int:
        """Items that both answered."""
        return self.both + self.better + self.worse + self.neither

    @property
    def first(self) -> Tally:
        """The first form's answers."""
        return Tally(self.both + self.worse, self.items)

    @property
    def second(self) -> Tally:
        """The second form's answers."""
        return Tally(self.both + self.better, self.items)

    @property
    def gain(self) -> float | None:
        """Accuracy of the second minus that of the first; None without items."""
        return (self.better - self.worse) / self.items if self.items else None

    def interval(self, alpha: float = 0.05) -> tuple[float, float]:
        """Interval of the gain, valid while one looks."""
        return gain_interval(self.better, self.worse, self.items, alpha) if self.items else (-1.0, 1.0)

    @property
    def evidence_better(self) -> float:
        """E-value that the second is better."""
        return sign_evidence(self.better, self.worse)

    @property
    def evidence_worse(self) -> float:
        """E-value that the second is worse."""
        return sign_evidence(self.worse, self.better)

    def finding(self, alpha: float = 0.05) -> Finding:
        """What is shown at error rate ``alpha`` (half of it for either side)."""
        bar = 2.0 / alpha
        if self.evidence_better >= bar:
            return "better"
        return "worse" if self.evidence_worse >= bar else "no difference shown"

    def plus(self, other: Paired) -> Paired:
        """Both comparisons together."""
        return Paired(
            self.both + other.both, self.better + other.better, self.worse + other.worse, self.neither + other.neither
        )

    def as_dict(self, alpha: float = 0.05) -> dict[str, Any]:
        """Plain JSON values."""
        low, high = self.interval(alpha)
        return {
            "items": self.items,
            "both": self.both,
            "better": self.better,
            "worse": self.worse,
            "neither": self.neither,
            "first": self.first.share,
            "second": self.second.share,
            "gain": self.gain,
            "interval": [low, high],
            "evidence_better": self.evidence_better,
            "evidence_worse": self.evidence_worse,
            "finding": self.finding(alpha),
        }


NO_ITEMS = Paired(0, 0, 0, 0)


def paired(first: str, second: str) -> Paired:
    """Compare two exams on the same items by their sequences of results (`saves.rows.Exam.sequence`).

    Items that either left unanswered are left out.

    Raises:
        ValueError: the sequences differ in length, so the items are not the same.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} items are not the same items")
    counts = {(a, b): 0 for a in (True, False) for b in (True, False)}
    for one, other in zip(first, second, strict=True):
        if UNANSWERED not in (one, other):
            counts[one in RIGHT, other in RIGHT] += 1
    return Paired(counts[True, True], counts[False, True], counts[True, False], counts[False, False])


def regression_evidence(pairs: Sequence[Paired]) -> float:
    """E-value that the second form is worse in at least one of several comparisons (their mean)."""
    return mean_evidence([pair.evidence_worse for pair in pairs])

"""Where a hero stands in one skill: a frozen record, changed only by pure transitions, saved as plain JSON.

Nothing here looks at a clock: steps trigger everything, so a resumed run takes the same decisions as one never interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from configs.errors import RealmError, UsageError
from configs.schema import ExamRules

VERSION = 1
"""Version of the JSON form."""

Pin = int | Literal["max"] | None
"""A training level chosen by the player, which stops the automatic advance; ``max`` is the skill's last level."""

Sampling = Literal["wide", "progress"]
"""How levels are drawn: every level up to the horizon alike, or a share of the draws where answers change most."""


class Tally(NamedTuple):
    """Right answers out of questions asked."""

    correct: int
    items: int

    @property
    def share(self) -> float | None:
        """Right share; None when nothing was asked."""
        return self.correct / self.items if self.items else None

    def reaches(self, share: float) -> bool:
        """Whether something was asked and at least ``share`` of it was right."""
        return self.items > 0 and self.correct / self.items >= share

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(self.correct + other.correct, self.items + other.items)


NOTHING = Tally(0, 0)


class Progress(NamedTuple):
    """Two running shares of exact answers at one level; where the fast one leaves the slow one behind, something is learnt."""

    fast: float
    slow: float
    answers: int
    """How many there were so far."""


class Attempt(NamedTuple):
    """Where the attempt at the level to be won began."""

    step: int = 0
    exams: int = 0
    """Gate exams taken until then."""
    effort_new: float = 0.0
    """Effort on levels not yet won, of this skill, until then."""
    effort_held: float = 0.0
    """Effort on levels won before, of all skills, until then."""


FIRST_ATTEMPT = Attempt()


def pool(tallies: Iterable[Mapping[str, Tally]]) -> dict[str, Tally]:
    """Sums by operation."""
    total: dict[str, Tally] = {}
    for operations in tallies:
        for operation, tally in operations.items():
            total[operation] = total.get(operation, NOTHING).plus(tally)
    return total


@dataclass(frozen=True, slots=True)
class GateExam:
    """One exam that counts towards the next level."""

    level: int
    step: int
    operations: Mapping[str, Tally]

    @property
    def tally(self) -> Tally:
        """The whole exam."""
        return Tally(sum(t.correct for t in self.operations.values()), sum(t.items for t in self.operations.values()))


@dataclass(frozen=True, slots=True)
class CurriculumState:
    """One skill of one campaign. Mappings are never changed in place."""

    skill: str
    mix: str
    max_level: int
    mastered: int = 0
    """Highest level won; 0 is none."""
    pin: Pin = None
    steps: int = 0
    """Optimizer steps taken with this skill in training."""
    level_steps: Mapping[int, int] = field(default_factory=dict)
    """Of these, by training level."""
    exam_counters: Mapping[int, int] = field(default_factory=dict)
    """First exam index not yet asked, by level."""
    gate: tuple[GateExam, ...] = ()
    """Newest exams at the level to be won, oldest first, as many as the gate looks at."""
    lost: tuple[int, ...] = ()
    """Mastered levels that failed their last screening, in order."""
    matches: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    """Running share of exact answers in training, by level and operation."""
    next_exam_step: int = 0
    exams: int = 0
    """Gate exams taken."""
    questions: int = 0
    """Exam questions asked, screenings included."""
    examples: int = 0
    """Training examples answered."""
    sampling: Sampling = "wide"
    progress: Mapping[int, Progress] = field(default_factory=dict)
    """By level, over its training answers."""
    effort_new: float = 0.0
    """Strain of training problems at levels not yet won, summed."""
    effort_held: float = 0.0
    """Strain of training problems at levels won before, summed."""
    attempt: Attempt = FIRST_ATTEMPT

    @property
    def frontier(self) -> int:
        """The level to be won next (the last level once all are won)."""
        return min(self.mastered + 1, self.max_level)

    @property
    def training(self) -> int:
        """The level at which exams are taken: the frontier, or the player's pin."""
        if self.pin is None:
            return self.frontier
        return self.max_level if self.pin == "max" else self.pin

    @property
    def held(self) -> int:
        """Mastered levels that are not lost."""
        return self.mastered - len(self.lost)

    @property
    def complete(self) -> bool:
        """Whether every level is won."""
        return self.mastered >= self.max_level

    @property
    def steps_at_level(self) -> int:
        """Steps spent at the training level."""
        return self.level_steps.get(self.training, 0)

    def next_index(self, level: int) -> int:
        """First exam index of ``level`` not yet asked."""
        return self.exam_counters.get(level, 0)

    def match(self, level: int, operation: str) -> float:
        """Running share of exact answers in training; 0 while the operation was never drawn."""
        return self.matches.get(level, {}).get(operation, 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; :func:`from_dict` gives back an equal state, to the last bit."""
        return {
            "version": VERSION,
            "skill": self.skill,
            "mix": self.mix,
            "max_level": self.max_level,
            "mastered": self.mastered,
            "pin": self.pin,
            "steps": self.steps,
            "level_steps": {str(level): count for level, count in self.level_steps.items()},
            "exam_counters": {str(level): count for level, count in self.exam_counters.items()},
            "gate": [
                {"level": e.level, "step": e.step, "operations": {op: list(t) for op, t in e.operations.items()}}
                for e in self.gate
            ],
            "lost": list(self.lost),
            "matches": {str(level): dict(record) for level, record in self.matches.items()},
            "next_exam_step": self.next_exam_step,
            "exams": self.exams,
            "questions": self.questions,
            "examples": self.examples,
            "sampling": self.sampling,
            "progress": {str(level): list(record) for level, record in self.progress.items()},
            "effort_new": self.effort_new,
            "effort_held": self.effort_held,
            "attempt": list(self.attempt),
        }


def from_dict(data: Mapping[str, Any]) -> CurriculumState:
    """The state in a checkpoint; `RealmError` when it is not one."""
    try:
        if data["version"] != VERSION:
            raise ValueError(f"version {data['version']!r}, this program knows {VERSION}")
        return CurriculumState(
            skill=str(data["skill"]),
            mix=str(data["mix"]),
            max_level=int(data["max_level"]),
            mastered=int(data["mastered"]),
            pin=_pin(data["pin"]),
            steps=int(data["steps"]),
            level_steps={int(level): int(count) for level, count in data["level_steps"].items()},
            exam_counters={int(level): int(count) for level, count in data["exam_counters"].items()},
            gate=tuple(
                GateExam(int(e["level"]), int(e["step"]), {op: Tally(*t) for op, t in e["operations"].items()})
                for e in data["gate"]
            ),
            lost=tuple(int(level) for level in data["lost"]),
            matches={
                int(level): {operation: float(value) for operation, value in record.items()}
                for level, record in data["matches"].items()
            },
            next_exam_step=int(data["next_exam_step"]),
            exams=int(data["exams"]),
            questions=int(data["questions"]),
            examples=int(data["examples"]),
            sampling="progress" if data.get("sampling") == "progress" else "wide",
            progress={
                int(level): Progress(float(fast), float(slow), int(count))
                for level, (fast, slow, count) in data.get("progress", {}).items()
            },
            effort_new=float(data.get("effort_new", 0.0)),
            effort_held=float(data.get("effort_held", 0.0)),
            attempt=_attempt(data.get("attempt")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RealmError(
            "the curriculum in the checkpoint cannot be read",
            why=f"{type(error).__name__}: {error}",
            fix="go back to an older checkpoint (`realm ledger summon NAME`)",
            code="CHECKPOINT_BROKEN",
        ) from error


def _attempt(value: Any) -> Attempt:
    if value is None:
        return Attempt()
    step, exams, new, held = value
    return Attempt(int(step), int(exams), float(new), float(held))


def _pin(value: Any) -> Pin:
    if value is None or value == "max":
        return value  # type: ignore[no-any-return]
    return int(value)


def start(
    skill: str, mix: str, max_level: int, rules: ExamRules, *, mastered: int = 0, step: int = 0
) -> CurriculumState:
    """A campaign's first state; the first exam comes one interval after ``step``."""
    return CurriculumState(
        skill, mix, max_level, mastered=min(mastered, max_level), next_exam_step=step + rules.interval_steps
    )


def stepped(state: CurriculumState, steps: int = 1) -> CurriculumState:
    """After ``steps`` optimizer steps at the training level."""
    level = state.training
    counts = {**state.level_steps, level: state.level_steps.get(level, 0) + steps}
    return replace(state, steps=state.steps + steps, level_steps=counts)


def pinned(state: CurriculumState, pin: Pin) -> CurriculumState:
    """After the player pinned the training level (None: let go). `UsageError` for a level that does not exist."""
    if isinstance(pin, int) and not 1 <= pin <= state.max_level:
        raise UsageError(
            f"level {pin} of {state.skill} does not exist",
            fix=f"choose 1 to {state.max_level}, or max",
            code="NO_SUCH_LEVEL",
        )
    return replace(state, pin=pin)

"""The first part of the fold: discipline XP with its marks, streaks, levels won, and the sums of all steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lore.combat import PAYING, Combat
from lore.fold import AttemptFact, CheckpointFact, ExamFact, LevelUpFact, Told, WindowFact
from lore.plain import plain


@dataclass(slots=True)
class Discipline(Combat):
    """What the exams of one skill add up to, and the rank it has brought."""

    rank: int = 1


@dataclass(slots=True)
class Transition:
    """A level won and what it cost."""

    skill: str
    from_level: int
    to_level: int
    step: int
    steps: int
    effort: float
    start_loss: float | None
    end_loss: float | None
    at: float

    @property
    def gain(self) -> float | None:
        """Plastic gain: loss before minus loss after; None while one of them is unknown."""
        return None if self.start_loss is None or self.end_loss is None else self.start_loss - self.end_loss

    @property
    def efficiency(self) -> float | None:
        """Gain for each unit of effort; 0 without effort."""
        gain = self.gain
        return None if gain is None else gain / self.effort if self.effort else 0.0


@dataclass(slots=True)
class Mark:
    """The total discipline XP at the moment a rank was reached."""

    skill: str
    rank: int
    xp: int
    step: int


@dataclass(slots=True)
class Progress:
    """Sums over the stream."""

    disciplines: dict[str, Discipline] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    steps: int = 0
    effort: float = 0.0
    effort_by_skill: dict[str, float] = field(default_factory=dict)
    zones: dict[str, int] = field(default_factory=dict)
    """Steps by zone, ``unknown`` among them."""
    new_bests: int = 0
    misses: int = 0
    nonfinite: int = 0
    longest_streak: int = 0
    """Longest stretch of steps without a miss inside one window."""
    trained_tokens: int = 0
    active_s: float = 0.0
    exams: int = 0
    checkpoints: int = 0
    quests_completed: int = 0
    quests_failed: int = 0


class ProgressPart:
    """Discipline XP, marks, transitions and sums."""

    id = "progress"
    tables = frozenset({"step_windows", "exams", "level_ups", "quest_attempts", "checkpoints"})

    def begin(self) -> Progress:
        return Progress()

    def take(self, state: Progress, fact: Any, told: Told) -> None:
        if isinstance(fact, WindowFact):
            _steps(state, fact)
        elif isinstance(fact, ExamFact):
            state.exams += 1
            if fact.kind in PAYING:
                _answers(state, fact, told)
        elif isinstance(fact, LevelUpFact):
            state.transitions.append(
                Transition(fact.skill, fact.from_level, fact.to_level, fact.step, fact.steps, fact.effort,
                           fact.start_loss, fact.end_loss, fact.at)
            )  # fmt: skip
        elif isinstance(fact, AttemptFact):
            state.quests_completed += fact.state == "completed"
            state.quests_failed += fact.state == "failed"
        elif isinstance(fact, CheckpointFact):
            state.checkpoints += 1

    def dump(self, state: Progress) -> Any:
        return {
            **plain(state),
            "disciplines": {name: plain(one) for name, one in state.disciplines.items()},
            "marks": [plain(mark) for mark in state.marks],
            "transitions": [plain(transition) for transition in state.transitions],
        }

    def load(self, data: Any) -> Progress:
        return Progress(
            **{
                **data,
                "disciplines": {name: Discipline(**d) for name, d in data["disciplines"].items()},
                "marks": [Mark(**m) for m in data["marks"]],
                "transitions": [Transition(**t) for t in data["transitions"]],
            }
        )

    def fingerprint(self) -> str:
        return "1"


_ZONES = ("recovery", "productive", "stretch", "overload", "unknown")


def _steps(state: Progress, window: WindowFact) -> None:
    state.steps += window.steps
    state.effort += window.strain_sum
    if window.skill is not None:
        spent = state.effort_by_skill
        spent[window.skill] = spent.get(window.skill, 0.0) + window.strain_sum
    zones = state.zones
    counts = (
        *(window.zone_recovery, window.zone_productive, window.zone_stretch, window.zone_overload),
        window.zone_unknown,
    )
    for name, count in zip(_ZONES, counts, strict=True):
        if count:
            zones[name] = zones.get(name, 0) + count
    state.new_bests += window.new_bests
    state.misses += window.misses
    state.nonfinite += window.nonfinite
    if window.longest_streak > state.longest_streak:
        state.longest_streak = window.longest_streak
    state.trained_tokens += window.trained_tokens
    state.active_s += window.active_s


def _answers(state: Progress, exam: ExamFact, told: Told) -> None:
    """The answers of an exam; effects are those in force when it began."""
    name, setting = exam.skill, told.setting
    discipline = state.disciplines.get(name)
    if discipline is None:
        discipline = state.disciplines[name] = Discipline()
    skill, effects = setting.multipliers.get(name, 1.0), told.multiplier(exam.step)
    numbers = setting.rules.combat
    discipline.take(exam.sequence, exam.level, skill * effects, numbers)
    thresholds = numbers.thresholds
    while discipline.rank < len(thresholds) and thresholds[discipline.rank] <= discipline.xp:
        discipline.rank += 1
        state.marks.append(Mark(name, discipline.rank, discipline.xp, exam.step))
        told.emit("hero.rank_up", skill=name, rank=discipline.rank, xp=discipline.xp)

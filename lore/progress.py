"""The first part of the fold: discipline XP with its marks, streaks, levels won, and the sums of all steps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lore.combat import PAYING, answer_xp, rank
from lore.fold import AttemptFact, CheckpointFact, ExamFact, LevelUpFact, Told, WindowFact
from lore.rules import CombatNumbers, ResultName
from saves.rows import RESULT_LETTERS

LETTERS: Mapping[str, ResultName] = {"C": "crit", "H": "hit", "G": "glancing", "M": "miss", "X": "crit_miss"}
_UNANSWERED = {ord(RESULT_LETTERS[None]): None}
_POINTS: dict[tuple[str, float, int], tuple[dict[str, tuple[int, ...]], int]] = {}


@dataclass(slots=True)
class Discipline:
    """What the exams of one skill add up to."""

    xp: int = 0
    answers: int = 0
    correct: int = 0
    streak: int = 0
    """Successes standing now."""
    best_streak: int = 0
    crits: int = 0
    crit_run: int = 0
    """Perfect answers in a row, standing now."""
    best_crit_run: int = 0
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
        return asdict(state)

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


def _steps(state: Progress, window: WindowFact) -> None:
    state.steps += window.steps
    state.effort += window.strain_sum
    if window.skill is not None:
        spent = state.effort_by_skill
        spent[window.skill] = spent.get(window.skill, 0.0) + window.strain_sum
    zones = state.zones
    for name, count in (
        ("recovery", window.zone_recovery),
        ("productive", window.zone_productive),
        ("stretch", window.zone_stretch),
        ("overload", window.zone_overload),
        ("unknown", window.zone_unknown),
    ):
        if count:
            zones[name] = zones.get(name, 0) + count
    state.new_bests += window.new_bests
    state.misses += window.misses
    state.nonfinite += window.nonfinite
    state.longest_streak = max(state.longest_streak, window.longest_streak)
    state.trained_tokens += window.trained_tokens
    state.active_s += window.active_s


def _answers(state: Progress, exam: ExamFact, told: Told) -> None:
    """The answers of an exam one by one; effects are those in force when it began."""
    discipline = state.disciplines.setdefault(exam.skill, Discipline())
    skill, effects = told.setting.multipliers.get(exam.skill, 1.0), told.multiplier(exam.step)
    numbers = told.setting.rules.combat
    points, cap = _points(numbers, exam.level, skill * effects)
    answers = exam.sequence.translate(_UNANSWERED)
    streak, best, xp = discipline.streak, discipline.best_streak, 0
    kept = {letter: points[letter] for letter in "CHG"}.get
    for letter in answers:
        worth = kept(letter)
        if worth is not None:
            xp += worth[streak if streak < cap else cap]
            streak += 1
        else:
            xp += points[letter][streak if streak < cap else cap]
            if streak > best:
                best = streak
            streak = 0
    crits = answers.count("C")
    discipline.answers += len(answers)
    discipline.correct += crits + answers.count("H")
    discipline.crits += crits
    discipline.streak, discipline.best_streak = streak, max(best, streak)
    run = "C" * discipline.crit_run + answers
    while "C" * (discipline.best_crit_run + 1) in run:
        discipline.best_crit_run += 1
    discipline.crit_run = len(run) - len(run.rstrip("C"))
    discipline.xp += xp
    reached = rank(discipline.xp, numbers)
    while discipline.rank < reached:
        discipline.rank += 1
        state.marks.append(Mark(exam.skill, discipline.rank, discipline.xp, exam.step))
        told.emit("hero.rank_up", skill=exam.skill, rank=discipline.rank, xp=discipline.xp)


def _points(numbers: CombatNumbers, level: int, multiplier: float) -> tuple[dict[str, tuple[int, ...]], int]:
    """By result letter the XP of an answer for every standing streak that still raises it, and the last such streak."""
    key = (_digest(numbers), round(multiplier, 9), level)
    known = _POINTS.get(key)
    if known is None:
        cap = 0 if numbers.streak_bonus == 0 else min(1000, int(numbers.streak_cap / numbers.streak_bonus) + 1)
        table = {
            letter: tuple(
                answer_xp(name, level, skill_multiplier=multiplier, streak=n, rules=numbers) for n in range(cap + 1)
            )
            for letter, name in LETTERS.items()
        }
        if len(_POINTS) > 4096:
            _POINTS.clear()
        known = _POINTS[key] = (table, cap)
    return known


def _digest(numbers: CombatNumbers) -> str:
    found = _DIGESTS.get(id(numbers))
    if found is None or found[0] is not numbers:
        text = json.dumps(numbers.model_dump(mode="json"), sort_keys=True)
        found = _DIGESTS[id(numbers)] = (numbers, hashlib.blake2b(text.encode(), digest_size=8).hexdigest())
    return found[1]


_DIGESTS: dict[int, tuple[CombatNumbers, str]] = {}

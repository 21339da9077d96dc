"""The game as a fold: facts in one order, parts that take them in one by one, and what they made of them.

A part keeps a small state of plain data. It sees every fact of the campaign's stream once, in the canonical order of `order`; what may
change later (an incident is resolved, a champion retires) is not in the stream but in the `Annals`, which a part's view reads whole.
A part may use only what pruning leaves alone: counters of windows, which add up when windows are merged, and rows that stay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from configs.schema import ExamRules
from lore.rules import LoreRules
from saves.rows import Campaign, Champion, Decision, Incident, Milestone, Quest, Run, Sparring, StepWindow

S = TypeVar("S")

HAPPENINGS_KEPT = 500
"""Newest happenings that are kept by name; of older ones the count by kind."""
VERSION = 1
"""Raised when the same facts would be folded to something else."""


# ---------------------------------------------------------------- the stream


class WindowFact(NamedTuple):
    """A stretch of steps (`saves.rows.StepWindow`); merged windows add up."""

    run_id: int
    first_step: int
    last_step: int
    last_at: float
    active_s: float
    skill: str | None
    steps: int
    strain_sum: float
    zone_recovery: int
    zone_productive: int
    zone_stretch: int
    zone_overload: int
    zone_unknown: int
    new_bests: int
    misses: int
    nonfinite: int
    longest_streak: int
    trained_tokens: int

    @property
    def step(self) -> int:
        return self.last_step

    @property
    def at(self) -> float:
        return self.last_at

    @property
    def table(self) -> str:
        return "step_windows"


class ExamFact(NamedTuple):
    """An exam that the hero in training sat, here or by a form it had just become elsewhere (`saves.rows.Exam`)."""

    id: int
    run_id: int
    step: int
    skill: str
    level: int
    kind: str
    items: int
    correct: int
    sequence: str
    primitives_json: str
    format_failures: int
    at: float

    @property
    def primitives(self) -> Mapping[str, Mapping[str, int]]:
        """Primitive to ``{"correct", "items"}``."""
        found: Mapping[str, Mapping[str, int]] = json.loads(self.primitives_json)
        return found

    @property
    def table(self) -> str:
        return "exams"


class HoldFact(NamedTuple):
    """A screening of a won level (`saves.rows.Hold`)."""

    id: int
    run_id: int
    step: int
    skill: str
    level: int
    lost: bool
    at: float

    @property
    def table(self) -> str:
        return "holds"


class LevelUpFact(NamedTuple):
    """A level won (`saves.rows.LevelUp`)."""

    id: int
    run_id: int
    step: int
    skill: str
    from_level: int
    to_level: int
    steps: int
    effort: float
    start_loss: float | None
    end_loss: float | None
    at: float

    @property
    def table(self) -> str:
        return "level_ups"


class CheckpointFact(NamedTuple):
    """A saved form (`saves.rows.Checkpoint`), also one that was deleted since."""

    id: int
    run_id: int
    step: int
    at: float

    @property
    def table(self) -> str:
        return "checkpoints"


class AttemptFact(NamedTuple):
    """A try at a player's quest that ended (`saves.rows.QuestAttempt`)."""

    id: int
    run_id: int
    step: int
    quest_id: int
    state: str
    loss_before: float | None
    loss_after: float | None
    examples_done: int
    train_loss: float | None
    """Training loss at its end, as the form that was saved there knows it; None where none was."""
    at: float

    @property
    def table(self) -> str:
        return "quest_attempts"


class TrialFact(NamedTuple):
    """A try at a discipline's next level (`saves.rows.Trial`)."""

    id: int
    run_id: int
    step: int
    discipline: str
    level: int
    items: int
    correct: int
    threshold: float
    passed: bool
    at: float

    @property
    def table(self) -> str:
        return "trials"


class DriftFact(NamedTuple):
    """How something watched stood against its best (`saves.rows.Drift`)."""

    id: int
    run_id: int
    step: int
    skill: str
    level: int
    baseline: float
    share: float
    severity: str
    at: float

    @property
    def table(self) -> str:
        return "drifts"


Fact = WindowFact | ExamFact | HoldFact | LevelUpFact | CheckpointFact | AttemptFact | TrialFact | DriftFact

KINDS: Mapping[str, type[Fact]] = {
    "step_windows": WindowFact,
    "exams": ExamFact,
    "holds": HoldFact,
    "drifts": DriftFact,
    "trials": TrialFact,
    "level_ups": LevelUpFact,
    "quest_attempts": AttemptFact,
    "checkpoints": CheckpointFact,
}
"""The tables of the stream, in the order of their facts at one step: steps are done, then asked about, then decided upon."""
RANK: Mapping[str, int] = {name: rank for rank, name in enumerate(KINDS)}


def order(fact: Fact) -> tuple[int, int, int]:
    """Where a fact stands in the stream."""
    return fact.step, RANK[fact.table], 0 if isinstance(fact, WindowFact) else fact.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Annals:
    """The small tables, whole: rows that may still change, and that are never pruned."""

    campaign: Campaign
    campaigns: tuple[Campaign, ...] = ()
    runs: tuple[Run, ...] = ()
    quests: tuple[Quest, ...] = ()
    champions: tuple[Champion, ...] = ()
    incidents: tuple[Incident, ...] = ()
    sparring: tuple[Sparring, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    """Those that were written down."""
    findings: tuple[Decision, ...] = ()
    """Lasting decisions of the curriculum: attempts at levels, regressions, a cap that was found."""
    recent: tuple[StepWindow, ...] = ()
    """The newest live step windows, oldest first; what is seen in them is not remembered."""
    unattended_s: float | None = None
    """Longest time for which a run went on without a command; None before the first run."""


# ---------------------------------------------------------------- what is told


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that follows from the facts and is no row itself: an effect, an achievement, a region."""

    kind: str
    """``category.action``, e.g. ``hero.effect_applied``."""
    step: int
    at: float
    source: str
    """The fact that brought it about, table and key."""
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "step": self.step,
            "at": self.at,
            "source": self.source,
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True)
class Setting:
    """What does not change while facts are folded."""

    rules: LoreRules
    exam_rules: ExamRules
    multipliers: Mapping[str, float] = field(default_factory=dict)
    """XP multiplier by skill."""
    skills: tuple[str, ...] = ()
    """The hero's skills."""
    categories: Mapping[str, str] = field(default_factory=dict)
    """Category by skill or discipline (reasoning, math …)."""
    starting_step: int = 0


class Told:
    """What a part is told beside the fact: the setting, the states of all parts, and a way to tell what happened."""

    def __init__(self, setting: Setting, states: Mapping[str, Any]) -> None:
        self.setting = setting
        self.states = states
        """Of every part, by its id."""
        self.fact: Fact | None = None
        """The fact in hand: everything emitted is because of it."""
        self.counts: dict[str, int] = {}
        self._before: tuple[Happening, ...] = ()
        self._emitted: list[tuple[str, int, Fact, dict[str, Any]]] = []
        """What a long history tells is soon forgotten, so it is only put into words where it is asked for."""
        self.multiplier: Callable[[int], float] = _no_effect
        """Product of the XP multipliers in force at a step; the part of the effects puts its own here."""

    @property
    def happenings(self) -> tuple[Happening, ...]:
        """The newest, oldest first."""
        return (*self._before, *(_happening(*emitted) for emitted in self._emitted))[-HAPPENINGS_KEPT:]

    def go_on(self, happenings: tuple[Happening, ...], counts: Mapping[str, int]) -> None:
        """Go on after what was told before."""
        self._before, self._emitted, self.counts = happenings, [], dict(counts)

    def emit(self, kind: str, *, step: int | None = None, **data: Any) -> None:
        """Tell that something happened at the fact in hand, or at an earlier ``step`` it stands for."""
        fact = self.fact
        assert fact is not None, "something happens because of a fact"
        self._emitted.append((kind, fact.step if step is None else step, fact, data))
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if len(self._emitted) >= 2 * HAPPENINGS_KEPT:
            del self._emitted[:-HAPPENINGS_KEPT]


def _happening(kind: str, step: int, fact: Fact, data: Mapping[str, Any]) -> Happening:
    key = f"{fact.run_id}-{fact.last_step}" if isinstance(fact, WindowFact) else str(fact.id)
    return Happening(kind, step, fact.at, f"{fact.table}:{key}", data)


def _no_effect(_: int) -> float:
    return 1.0


class Part(Protocol[S]):
    """One aspect of the game.

    One whose state multiplies the XP of answers also has ``multiplier(state, step)``: the product in force at a step.
    """

    id: str
    tables: frozenset[str]
    """The facts it takes in."""

    def begin(self) -> S:
        """The state before any fact; plain data, changed in place by `take`."""

    def take(self, state: S, fact: Any, told: Told) -> None:
        """Take one fact in."""

    def dump(self, state: S) -> Any:
        """The state as JSON can hold it."""

    def load(self, data: Any) -> S:
        """The state that `dump` wrote."""

    def fingerprint(self) -> str:
        """Changes with the rules of the part, so that what was folded by others is folded anew."""


class Fold:
    """Parts taking in the stream, each fact by each part in the order of the parts."""

    def __init__(self, parts: Sequence[Part[Any]], setting: Setting) -> None:
        self.parts, self.setting = tuple(parts), setting
        self.states: dict[str, Any] = {part.id: part.begin() for part in self.parts}
        self.told = Told(setting, self.states)
        self.step = setting.starting_step
        self._takers = self._by_table()
        for part in self.parts:
            multiplier = getattr(part, "multiplier", None)
            if multiplier is not None:
                self.told.multiplier = partial(self._multiplied, part.id, multiplier)

    def _multiplied(self, part: str, multiplier: Callable[[Any, int], float], step: int) -> float:
        return multiplier(self.states[part], step)

    def _by_table(self) -> dict[type, list[Part[Any]]]:
        return {kind: [part for part in self.parts if name in part.tables] for name, kind in KINDS.items()}

    def take(self, facts: Iterable[Fact]) -> None:
        """Take facts in, in the canonical order."""
        told, states = self.told, self.states
        takers = {kind: [(part.take, states[part.id]) for part in found] for kind, found in self._takers.items()}
        reached = self.step
        for fact in facts:
            told.fact = fact
            for take, state in takers[type(fact)]:
                take(state, fact, told)
            step = fact.step
            if step > reached:
                reached = step
        self.step = reached

    def dump(self) -> dict[str, Any]:
        """Everything folded so far, as JSON can hold it."""
        return {
            "step": self.step,
            "states": self.dump_states(),
            "happenings": [h.as_dict() for h in self.told.happenings],
            "counts": dict(self.told.counts),
        }

    def load(self, data: Mapping[str, Any]) -> None:
        """Go on where `dump` was made, by the same parts and rules."""
        happenings = tuple([Happening(**h) for h in data["happenings"]])
        self.go_on(data["states"], Game(data["step"], {}, happenings, data["counts"]))

    def dump_states(self) -> dict[str, Any]:
        """What the parts made of the facts so far, as JSON can hold it."""
        return {part.id: part.dump(self.states[part.id]) for part in self.parts}

    def go_on(self, states: Mapping[str, Any], game: Game) -> None:
        """Go on from a game and the states that `dump_states` gave with it; the game itself stays as it is."""
        self.step = game.step
        self.states.update({part.id: part.load(states[part.id]) for part in self.parts})
        self.told.go_on(game.happenings, game.counts)

    def game(self) -> Game:
        """What the facts so far make."""
        return Game(self.step, dict(self.states), self.told.happenings, dict(self.told.counts))


@dataclass(frozen=True, slots=True)
class Game:
    """The game at one moment."""

    step: int
    states: Mapping[str, Any]
    happenings: tuple[Happening, ...]
    """The newest, oldest first."""
    counts: Mapping[str, int]
    """How often each kind of happening was told."""

    def part(self, part: str) -> Any:
        """The state of a part, by its id; only to be read."""
        return self.states[part]


def fingerprint(parts: Sequence[Part[Any]], setting: Setting) -> str:
    """Of everything besides the facts that decides what is folded."""
    what = {
        "version": VERSION,
        "rules": setting.rules.model_dump(mode="json"),
        "exams": setting.exam_rules.model_dump(mode="json"),
        "multipliers": dict(setting.multipliers),
        "skills": setting.skills,
        "categories": dict(setting.categories),
        "start": setting.starting_step,
        "parts": [[part.id, part.fingerprint()] for part in parts],
    }
    return hashlib.blake2b(json.dumps(what, sort_keys=True).encode(), digest_size=12).hexdigest()

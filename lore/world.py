"""Where the hero is: regions, guardians and hidden talents, folded from exams, levels and trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, NamedTuple

from lore.fold import ExamFact, Fact, LevelUpFact, Told, TrialFact
from lore.world_rules import Gate, WorldRules, world_rules

LADDER_TOP = 10
"""Level from which on the map knows no higher place."""
NOT_COUNTED = frozenset({"asked", "pair"})
"""Kinds of exams that the player orders; asking must not be a way to open gates."""


@dataclass(frozen=True, slots=True)
class Deed:
    """When something was reached, and the row that proves it."""

    step: int
    at: float | None
    """UTC seconds; None where steps alone brought it about."""
    source: str
    """Table and key of the row; empty where steps alone brought it about."""


@dataclass(slots=True)
class WorldState:
    """What the fold keeps; every part of it is sums and marks that outlive pruning."""

    steps: int = 0
    levels: dict[str, int] = field(default_factory=dict)
    """Mastered level per skill, and passed level per discipline, in the order they were first won."""
    won_at: dict[str, int] = field(default_factory=dict)
    """Step at which that level was reached."""
    categories: dict[str, str] = field(default_factory=dict)
    """What kind of skill each of them is."""
    tiers: dict[str, list[list[int]]] = field(default_factory=dict)
    """Per tier ``[correct, items]`` of its newest exams, oldest first, as many as make up the answers a gate asks."""
    asked: dict[str, float] = field(default_factory=dict)
    """Per skill and side region (``skill/region``) the share of the newest gate exam that exercised its primitives."""
    regions: dict[str, list[Any]] = field(default_factory=dict)
    bosses: dict[str, list[Any]] = field(default_factory=dict)
    talents: dict[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing a region's gate asks, and how far the hero is; None is unknown."""

    key: str
    """``steps``, ``level``, ``answers``, ``share`` or ``boss``."""
    have: float | None
    need: float
    met: bool
    of: str = ""
    """The tier or guardian it speaks of, or the kinds of skills that count."""


@dataclass(frozen=True, slots=True)
class World:
    """The map as it stands."""

    here: str
    """Id of the region the hero is in."""
    leading: str | None
    """The skill that decides it: the one with the highest level, of equal ones the first to reach it."""
    level: int
    """Its mastered level."""
    unlocked: Mapping[str, Deed]
    bosses: Mapping[str, Deed]
    """Guardians beaten."""
    talents: Mapping[str, Deed]
    tiers: Mapping[str, tuple[int, int]]
    """Per tier right answers and answers of its newest exams."""
    gates: Mapping[str, tuple[Condition, ...]]
    """What each locked region still asks."""


class WorldPart:
    """Folds facts into the map.

    Args:
        rules: the map; None for the one in force.
    """

    id = "world"
    tables = frozenset({"step_windows", "exams", "trials", "level_ups"})

    def __init__(self, rules: WorldRules | None = None) -> None:
        self._rules = rules or world_rules()
        self._answers = max((r.opens.answers for r in self._rules.regions.values()), default=1)
        self._by_steps = {n: r.opens.steps for n, r in self._rules.regions.items() if _asks_only_steps(r.opens)}
        self._last_by_steps = max((1, *self._by_steps.values()))
        """Steps after which they are all open."""
        self._gates = {n: _Gate.of(r.opens) for n, r in self._rules.regions.items()}
        self._by_exam = {
            tier: {n: gate for n, gate in self._gates.items() if n not in self._by_steps and _may_open(gate, tier)}
            for tier in self._rules.tiers
        }
        """By tier of an exam the gates that it can open."""
        self._sides = {name: region.asks for name, region in self._rules.regions.items() if region.side}
        self._bosses = [(name, b.level, b.items, b.share) for name, b in self._rules.bosses.items()]
        self._tiers: dict[int, str] = {}
        """By level the tier of its problems."""
        self._bests: dict[tuple[str, ...], int] = {}
        """By the categories of gates the highest level won, until another level is won."""
        self._bests_of: WorldState | None = None

    def begin(self) -> WorldState:
        """A hero at the hearth."""
        return WorldState()

    def take(self, state: WorldState, fact: Fact, told: Told) -> None:
        """Take one fact in; what it opens is told."""
        start = told.setting.starting_step
        done = fact.step - start
        if done > state.steps:
            if state.steps < self._last_by_steps:
                for name, steps in self._by_steps.items():
                    # How windows were merged must not show, so what steps alone open carries their number and is not told.
                    if name not in state.regions and done >= max(1, steps):
                        state.regions[name] = [start + steps, None, ""]
            state.steps = done
        if isinstance(fact, ExamFact):
            if fact.kind not in NOT_COUNTED and fact.items:
                self._exam(state, fact, told)
        elif isinstance(fact, LevelUpFact):
            self._level(state, fact.skill, fact.to_level, fact, told)
        elif isinstance(fact, TrialFact):
            self._fight(state, fact, told)
            if fact.passed:
                self._level(state, fact.discipline, fact.level, fact, told)

    def dump(self, state: WorldState) -> dict[str, Any]:
        """The state as JSON can hold it."""
        return {f.name: getattr(state, f.name) for f in fields(state)}

    def load(self, data: Mapping[str, Any]) -> WorldState:
        """The state that `dump` wrote."""
        return WorldState(**data)

    def fingerprint(self) -> str:
        """The map itself."""
        return self._rules.model_dump_json()

    def view(self, state: WorldState) -> World:
        """The map as the screens show it."""
        leading = self._leading(state)
        return World(
            here=self._here(state, leading),
            leading=leading,
            level=state.levels.get(leading or "", 0),
            unlocked={k: Deed(*v) for k, v in state.regions.items()},
            bosses={k: Deed(*v) for k, v in state.bosses.items()},
            talents={k: Deed(*v) for k, v in state.talents.items()},
            tiers={tier: _pooled(state.tiers.get(tier, [])) for tier in self._rules.tiers},
            gates={
                name: tuple(self._conditions(state, region.opens))
                for name, region in self._rules.regions.items()
                if name not in state.regions and state.steps
            },
        )

    # ------------------------------------------------------------ facts

    def _exam(self, state: WorldState, exam: ExamFact, told: Told) -> None:
        level, size = exam.level, exam.items
        tier = self._tiers.get(level)
        if tier is None:
            tier = self._tiers[level] = self._rules.tier(level)
        newest = state.tiers.get(tier)
        if newest is None:
            newest = state.tiers[tier] = []
        newest.append([exam.correct, size])
        asked = -newest[0][1]
        for _, items in newest:
            asked += items
        while asked >= self._answers:
            newest.pop(0)
            asked -= newest[0][1]
        if exam.kind == "gate":
            text = exam.primitives_json
            # Most exams exercise none of them, and reading what they did exercise takes longer than all the rest.
            for name, asks in self._sides.items():
                named = [key for key in asks if key in text]
                met = 0
                if named:
                    known = exam.primitives
                    met = sum([known[key]["items"] for key in named if key in known])
                state.asked[f"{exam.skill}/{name}"] = met / size
        if len(state.bosses) < len(self._bosses):
            self._fight(state, exam, told)
        self._open(state, exam, told, self._by_exam.get(tier))

    def _fight(self, state: WorldState, fact: ExamFact | TrialFact, told: Told) -> None:
        for name, level, items, share in self._bosses:
            if name in state.bosses or fact.level < level:
                continue
            if fact.items >= items and fact.correct >= share * fact.items:
                state.bosses[name] = _deed(fact)
                told.emit("world.boss", boss=name, correct=fact.correct, items=fact.items)

    def _level(self, state: WorldState, skill: str, level: int, fact: LevelUpFact | TrialFact, told: Told) -> None:
        if level > state.levels.get(skill, 0):
            self._bests.clear()
            state.levels[skill] = level
            state.won_at[skill] = fact.step
            state.categories[skill] = told.setting.categories.get(skill, "")
        for name, talent in self._rules.talents.items():
            if name not in state.talents and all(state.levels.get(d, 0) >= talent.level for d in talent.disciplines):
                state.talents[name] = _deed(fact)
                told.emit("world.talent", talent=name)
        self._open(state, fact, told)

    # ------------------------------------------------------------ gates

    def _open(
        self,
        state: WorldState,
        fact: ExamFact | LevelUpFact | TrialFact,
        told: Told,
        some: Mapping[str, _Gate] | None = None,
    ) -> None:
        for name, gate in (self._gates if some is None else some).items():
            if name not in state.regions and self._opens(state, gate):
                state.regions[name] = _deed(fact)
                told.emit("world.region", region=name)

    def _opens(self, state: WorldState, gate: _Gate) -> bool:
        """Whether all of a gate's conditions are met; the cheap ones are looked at first."""
        steps, boss, level, categories, tier, answers, share = gate
        if state.steps < steps or (boss and boss not in state.bosses):
            return False
        if level and self._best_known(state, categories) < level:
            return False
        if not tier:
            return True
        correct, items = _pooled(state.tiers.get(tier, []))
        return items >= max(1, answers) and correct >= share * items

    def _best_known(self, state: WorldState, categories: tuple[str, ...]) -> int:
        """`_best`, remembered while facts of one stream come in."""
        if self._bests_of is not state:
            self._bests_of = state
            self._bests.clear()
        best = self._bests.get(categories)
        if best is None:
            best = self._bests[categories] = self._best(state, categories)
        return best

    @staticmethod
    def _best(state: WorldState, kinds: tuple[str, ...]) -> int:
        """The highest level won in a skill of these categories; of any where none is named."""
        return max((n for s, n in state.levels.items() if not kinds or state.categories[s] in kinds), default=0)

    def _conditions(self, state: WorldState, gate: Gate) -> Iterator[Condition]:
        if gate.steps:
            yield Condition("steps", state.steps, gate.steps, state.steps >= gate.steps)
        if gate.level:
            best = self._best(state, gate.categories)
            yield Condition("level", best, gate.level, best >= gate.level, " ".join(gate.categories))
        if gate.tier:
            correct, items = _pooled(state.tiers.get(gate.tier, []))
            yield Condition("answers", items, gate.answers, items >= gate.answers, gate.tier)
            share = correct / items if items else None
            yield Condition("share", share, gate.share, items > 0 and correct >= gate.share * items, gate.tier)
        if gate.boss:
            beaten = gate.boss in state.bosses
            yield Condition("boss", float(beaten), 1, beaten, gate.boss)

    # ------------------------------------------------------------ place

    def _leading(self, state: WorldState) -> str | None:
        order = {skill: place for place, skill in enumerate(state.levels)}
        return max(state.levels, key=lambda s: (state.levels[s], -state.won_at.get(s, 0), -order[s]), default=None)

    def _here(self, state: WorldState, leading: str | None) -> str:
        if not state.steps:
            return next(iter(self._rules.regions))
        level = min(LADDER_TOP, state.levels.get(leading or "", 0))
        place = next(iter(self._rules.regions))
        for name, region in self._rules.regions.items():
            if region.side and name in state.regions and state.asked.get(f"{leading}/{name}", 0.0) >= region.most:
                return name
            if region.levels is not None and region.levels[0] <= level and name in state.regions:
                place = name
        return place


class _Gate(NamedTuple):
    """The conditions of a `lore.world_rules.Gate`, quick to look at."""

    steps: int
    boss: str
    level: int
    categories: tuple[str, ...]
    tier: str
    answers: int
    share: float

    @classmethod
    def of(cls, gate: Gate) -> _Gate:
        return cls(gate.steps, gate.boss, gate.level, gate.categories, gate.tier, gate.answers, gate.share)


def _may_open(gate: _Gate, tier: str) -> bool:
    """Whether an exam of a tier can be the last thing that a gate waited for."""
    return gate.tier == tier or bool(gate.boss) or gate.steps > 0


def _asks_only_steps(gate: Gate) -> bool:
    return not (gate.level or gate.tier or gate.boss)


def _pooled(newest: list[list[int]]) -> tuple[int, int]:
    correct = items = 0
    for right, of in newest:
        correct += right
        items += of
    return correct, items


def _deed(fact: ExamFact | LevelUpFact | TrialFact) -> list[Any]:
    return [fact.step, fact.at, f"{fact.table}:{fact.id}"]


def ages(forms: Sequence[tuple[str, str]]) -> int:
    """Which Age it is: one more than the changes among ``(architecture, domain)`` of a save's campaigns, oldest first."""
    return 1 + sum(a != b for a, b in pairwise(forms))

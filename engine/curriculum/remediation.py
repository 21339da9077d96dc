"""What is done about a weak primitive: which drill, on which operations and levels, and why. Pure functions.

A drill is a short forged quest on the problems of one primitive: drills of the catalogue where the hero trains them, else
those operations of its own skills that exercise the primitive, else the catalogue's drills as a guest beside its skills.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from random import Random
from typing import Any

from configs.catalogue import primitive_id, primitives
from configs.curriculum import PrimitiveRules
from configs.errors import RealmError, UsageError
from engine.curriculum.primitives import PrimitiveStanding
from engine.curriculum.sampling import INDEX_BITS, Draw, stream_seed
from engine.curriculum.state import CurriculumState
from engine.statistics import shown_share
from skills.contract import Problem, Skill
from skills.judging import guarded

DRILLS = "prim"
"""The skill whose operations are the catalogue's primitives."""
GUEST_LEVELS = (1, 2, 3)
"""Rungs of a drill that the hero does not train as a skill."""
AHEAD = 3
"""Levels beyond the training level at which a primitive is looked for that is not exercised before."""
LOOKS = 24
"""Problems of an operation that are looked at to learn what it exercises."""
TRIES = 12
"""Problems tried to find one that exercises the primitive."""


@dataclass(frozen=True, slots=True)
class DrillOrder:
    """A drill to be done."""

    primitive: str
    skill: str
    mix: str
    operations: tuple[str, ...]
    levels: tuple[int, ...]
    steps: int
    reason: str

    @property
    def name(self) -> str:
        """What the quest is called."""
        return f"drill {self.primitive}"

    @property
    def text(self) -> str:
        """What is drilled, in words."""
        span = f"L{self.levels[0]}" + (f" to L{self.levels[-1]}" if len(self.levels) > 1 else "")
        return f"{self.name}: {self.skill} {', '.join(self.operations)} at {span}, {self.steps} steps"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values: the recipe of the forged quest."""
        return {**asdict(self), "operations": list(self.operations), "levels": list(self.levels), "drill_mode": True}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DrillOrder:
        """What `as_dict` gave."""
        return cls(
            primitive=str(data["primitive"]),
            skill=str(data["skill"]),
            mix=str(data["mix"]),
            operations=tuple(data["operations"]),
            levels=tuple(int(level) for level in data["levels"]),
            steps=int(data["steps"]),
            reason=str(data["reason"]),
        )


Trained = Mapping[str, tuple[Skill, CurriculumState]]
"""The hero's skills with their records."""


def exercised_by(skill: Skill, mix: str, level: int) -> Mapping[str, tuple[str, ...]]:
    """Primitive to the operations of a mix that exercise it at a level, learnt by looking at some problems of each.

    An operation whose problems cannot be made exercises nothing.
    """
    return _exercised(skill, mix, level)  # type: ignore[arg-type]  # a skill is an object like any other


@lru_cache(maxsize=512)
def _exercised(skill: Skill, mix: str, level: int) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for operation in skill.operations(level, mix):
        for index in range(LOOKS):
            make = partial(skill.generate, level, index, "train", mix, operation=operation)
            try:
                problem = guarded(skill.config.id, f"a problem of {operation}", make)
            except RealmError:
                break
            for name in problem.primitives:
                found.setdefault(name, {})[operation] = None
    return {name: tuple(operations) for name, operations in found.items()}


def drill_for(
    name: str, trained: Trained, drills: Skill | None, rules: PrimitiveRules, reason: str, *, steps: int | None = None
) -> DrillOrder:
    """The drill for a primitive.

    Args:
        name: its id, an alias, or a name that one of the skills uses.
        trained: the hero's skills.
        drills: the catalogue's drills as a skill; None where they are disabled.
        rules: how long a drill is.
        reason: why.
        steps: another length.

    Raises:
        UsageError: no skill has problems that exercise it.
    """
    primitive = _known_name(name)
    length = rules.drill_steps if steps is None else steps
    if DRILLS in trained and primitive in primitives():
        _, state = trained[DRILLS]
        levels = tuple(range(1, state.training + 1))
        return DrillOrder(primitive, DRILLS, "full", (primitive,), levels, length, reason)
    for skill_id, (skill, state) in trained.items():
        seen = _where(skill, state, primitive)
        within = {level: operations for level, operations in seen.items() if level <= state.training} or dict(
            list(seen.items())[:1]
        )
        if within:
            operations = tuple(dict.fromkeys(op for named in within.values() for op in named))
            return DrillOrder(primitive, skill_id, state.mix, operations, tuple(within), length, reason)
    if drills is not None and primitive in primitives():
        return DrillOrder(primitive, DRILLS, "full", (primitive,), GUEST_LEVELS, length, reason)
    raise UsageError(
        f"nothing drills {primitive}",
        why="no skill of this hero has problems that exercise it, and the catalogue has no drill for it",
        fix="choose another one (`realm primitive list`)",
        code="NO_DRILL",
    )


def _where(skill: Skill, state: CurriculumState, primitive: str) -> dict[int, tuple[str, ...]]:
    """Level to the operations that exercise a primitive, as far as a little beyond the training level."""
    last = min(state.training + AHEAD, state.max_level)
    found = {level: exercised_by(skill, state.mix, level).get(primitive) for level in range(1, last + 1)}
    return {level: operations for level, operations in found.items() if operations}


def _known_name(name: str) -> str:
    try:
        return primitive_id(name)
    except UsageError:
        return name.rpartition("/")[2].partition("@")[0]


def prescribe(
    standing: Sequence[PrimitiveStanding], rules: PrimitiveRules, *, last: str | None = None
) -> tuple[PrimitiveStanding, str] | None:
    """The primitive to drill first, and why; None where none is weak.

    A weak primitive waits for weak ones that it builds on. One that was drilled last stays until it reaches the bar of
    a drill, which is higher than the bar of weakness.

    Args:
        standing: the profile, weakest first.
        rules: the bars.
        last: the primitive drilled last.
    """
    known = {one.primitive: one for one in standing}
    going_on = known.get(last) if last is not None else None
    if going_on is not None and not going_on.weak and not going_on.tally.reaches(rules.drill_until):
        return going_on, f"{_share(going_on)}, drilled until {rules.drill_until:.2f}"
    weak = {one.primitive: one for one in standing if one.weak}
    for one in weak.values():
        below = one
        while needed := [weak[n] for n in _prerequisites(below.primitive) if n in weak]:
            below = needed[0]
        if below is one:
            return one, _share(one)
        return below, f"{_share(below)}, and {one.primitive} ({_cut(one):.2f}) builds on it"
    return None


def _prerequisites(name: str) -> tuple[str, ...]:
    entry = primitives().get(_known_name(name))
    return entry.prerequisites if entry is not None else ()


def _share(one: PrimitiveStanding) -> str:
    where = ", ".join(one.skills)
    return f"{one.primitive} at {_cut(one):.2f} over {one.tally.items} answers in {where}"


def _cut(one: PrimitiveStanding) -> float:
    return shown_share(*one.tally) or 0.0


def drill_draws(order: DrillOrder, skill: Skill, *, seed: int, step: int, count: int) -> list[Draw]:
    """The problems of one step of a drill: levels and operations alike, each exercising the primitive where one is found."""
    rng = Random(stream_seed(seed, step, f"drill {order.primitive}"))
    draws = []
    for _ in range(count):
        level = order.levels[rng.randrange(len(order.levels))]
        asked = [op for op in order.operations if op in skill.operations(level, order.mix)] or list(order.operations)
        operation = asked[rng.randrange(len(asked))]
        for _ in range(TRIES):
            drawn = Draw(level, operation, rng.getrandbits(INDEX_BITS))
            if order.primitive in _problem(skill, drawn, order.mix).primitives:
                break
        draws.append(drawn)
    return draws


def _problem(skill: Skill, drawn: Draw, mix: str) -> Problem:
    return skill.generate(drawn.level, drawn.index, "train", mix, operation=drawn.operation)

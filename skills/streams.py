"""A skill made of kinds of problems: two streams that never share a problem, behind the contract of every skill.

A kind turns a random stream and a level into one problem. Everything else is the same for all of them and lives here: the split
by the hash of the canonical problem, exam streams that run through distinct problems of all kinds in turn until a level's pool
is used up, and the counting of what is held out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from configs.errors import RealmError, UsageError
from configs.schema import SkillConfig, SkillMix
from skills.answers import text_score
from skills.contract import Outcome, Problem, Split
from skills.split import item_digest, problem_hash, side

POOL_CAP = 8192
"""Most exam problems of one kind at one level; far beyond what the exam schedule ever asks."""
FRUITLESS = 600
"""Attempts in a row that bring no new problem before a pool counts as used up."""
_TRIES = 400
"""Attempts at a training problem before the kind counts as having none."""
_CHANCE_SAMPLE = 256

Score = Callable[[Problem, str], Outcome]


@dataclass(frozen=True, slots=True)
class Made:
    """One problem of a kind, of either side of the split."""

    canonical: str
    """The problem without its wording: two wordings of one problem share it."""
    prompt: str
    answer: str
    tier: str = "easy"
    primitives: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """One operation of a skill."""

    name: str
    make: Callable[[Random, int], Made]
    """(random stream, level) to a problem; pure."""
    score: Score = text_score
    chance: float | Callable[[int], float] | None = None
    """Accuracy of the best answer that does not look at the problem; None: measured as the commonest answer's share."""
    top: int | None = None
    """The highest level that differs from the one below; None: the skill's last."""
    finite: bool = False
    """Words limit it: fewer than ten thousand problems a level."""
    family: str = ""
    """Kinds of one family may ask the same problem and share its side of the split; empty: a family of its own."""
    finish: Callable[[Made], Made] | None = None
    """Where wording costs much more than choosing: `make` leaves prompt and answer empty, and this words what is really asked."""

    def worded(self, made: Made) -> Made:
        """``made`` with prompt and answer."""
        return made if self.finish is None else self.finish(made)


class StreamSkill:
    """A skill whose operations are `Kind` objects. Nothing is stored but the exam streams walked so far."""

    def __init__(
        self, config: SkillConfig, kinds: Sequence[Kind], special_tokens: Sequence[str] = (), *, domain: str = ""
    ) -> None:
        """``domain``: the skill whose split this one shares, where both ask the same problems; empty: its own."""
        self.config = config
        self._domain = domain or config.id
        self.kinds: Mapping[str, Kind] = {kind.name: kind for kind in kinds}
        self._special = tuple(special_tokens)
        self._asked: dict[tuple[str, int], tuple[str, ...]] = {}
        self._pools: dict[tuple[str, int], _Pool] = {}
        self._streams: dict[tuple[str, int], _Stream] = {}
        self._chances: dict[tuple[str, int], float] = {}
        for name, mix in config.mixes.items():
            unknown = sorted({*mix.operations, *mix.not_yet} - set(self.kinds))
            if unknown or all(first > 1 for first in mix.operations.values()):
                raise RealmError(
                    f"the mix {name!r} of {config.id} cannot be asked",
                    why=f"unknown operations {', '.join(unknown)}" if unknown else "level 1 asks nothing",
                    fix=f"choose from {', '.join(self.kinds)}",
                    code="BAD_MIX",
                )

    # ---- what is asked

    def mix(self, name: str) -> SkillMix:
        """A published mix by name."""
        if name not in self.config.mixes:
            raise UsageError(
                f"{self.config.id} has no mix {name!r}",
                fix=f"choose one of {', '.join(self.config.mixes)}",
                code="UNKNOWN_MIX",
            )
        return self.config.mixes[name]

    def operations(self, level: int, mix: str) -> tuple[str, ...]:
        """The operations ``mix`` asks at ``level``, in the order of its YAML."""
        key = (mix, level)
        found = self._asked.get(key)
        if found is None:
            self._check_level(level)
            asked = self.mix(mix).operations
            found = self._asked[key] = tuple(kind for kind, first in asked.items() if first <= level)
        return found

    def generate(
        self, level: int, index: int, split: Split, mix: str = "full", *, operation: str | None = None
    ) -> Problem:
        """Problem number ``index`` (see the contract); for training, an index past any bound is as cheap as the first."""
        asked = self.operations(level, mix)
        if index < 0:
            raise UsageError(f"problem number {index} does not exist", fix="count from 0", code="BAD_INDEX")
        if operation is not None and operation not in self.kinds:
            raise UsageError(
                f"{self.config.id} has no operation {operation!r}",
                fix=f"choose one of {', '.join(self.kinds)}",
                code="UNKNOWN_OPERATION",
            )
        if split == "train":
            kind = self.kinds[operation or asked[index % len(asked)]]
            digest, made = self._for_training(kind, level, index)
            return self._problem(kind, level, index, split, digest, made, repeat=False)
        if operation is not None:
            pool = self._pool(operation, level)
            total = pool.count(index + 1)
            entry = pool.get(index % total) if total else None
            return self._held_out(entry, operation, level, index, repeat=total <= index)
        name, entry, repeat = self._stream(level, mix).get(index)
        return self._held_out(entry, name or mix, level, index, repeat=repeat)

    def exam_pool(self, level: int, mix: str, limit: int) -> int:
        """Distinct held-out problems at ``level``, counted only up to ``limit``."""
        self.operations(level, mix)
        return self._stream(level, mix).count(limit)

    def held_out(self, level: int, mix: str, operation: str, limit: int) -> int:
        """Distinct held-out problems of one operation at ``level``, counted only up to ``limit``."""
        return self._pool(operation, level).count(limit) if operation in self.operations(level, mix) else 0

    def chance(self, operation: str, level: int) -> float:
        """Accuracy of the best answer that does not look at the problem."""
        kind = self.kinds[operation]
        if kind.chance is not None:
            return kind.chance(level) if callable(kind.chance) else kind.chance
        key = (operation, level)
        if key not in self._chances:
            seen = Counter(self._for_training(kind, level, i)[1].answer for i in range(_CHANCE_SAMPLE))
            self._chances[key] = seen.most_common(1)[0][1] / _CHANCE_SAMPLE
        return self._chances[key]

    def score(self, problem: Problem, answer: str) -> Outcome:
        """Judge an answer by its kind's own rule."""
        return self.kinds[problem.operation].score(problem, answer)

    def level_name(self, level: int) -> str:
        """The published name; an unnamed level takes the one before it, with its distance."""
        self._check_level(level)
        named = max((n for n in self.config.level_names if n <= level), default=None)
        if named is None:
            return f"level {level}"
        return self.config.level_names[named] + (f"+{level - named}" if level > named else "")

    def special_tokens(self) -> Sequence[str]:
        """Strings that a hatchling's tokenizer should hold as single tokens."""
        return self._special

    # ---- how it is made

    def _check_level(self, level: int) -> None:
        if not 1 <= level <= self.config.max_level:
            raise UsageError(
                f"{self.config.id} has no level {level}",
                fix=f"choose 1 to {self.config.max_level}",
                code="UNKNOWN_LEVEL",
            )

    def _for_training(self, kind: Kind, level: int, index: int) -> tuple[bytes, Made]:
        random = Random(f"{self.config.id}|{kind.name}|{level}|{index}")
        for _ in range(_TRIES):
            made = kind.make(random, level)
            digest = self._digest(kind, made)
            if side(digest) == "train":
                return digest, kind.worded(made)
        raise RealmError(
            f"{kind.name} of {self.config.id} has no training problem at level {level}",
            why=f"{_TRIES} attempts gave none",
            fix="leave it out of the mix at this level",
            code="GENERATOR_STUCK",
        )

    def side_of(self, operation: str, canonical: str) -> Split:
        """The split that a problem of ``operation`` belongs to, given without its wording."""
        kind = self.kinds[operation]
        return side(problem_hash(f"{self._domain}|{kind.family or kind.name}|{canonical}"))

    def _digest(self, kind: Kind, made: Made) -> bytes:
        return problem_hash(f"{self._domain}|{kind.family or kind.name}|{made.canonical}")

    def _pool(self, operation: str, level: int) -> _Pool:
        kind = self.kinds[operation]
        rung = min(level, kind.top or level)
        key = (operation, rung)
        if key not in self._pools:
            self._pools[key] = _Pool(
                lambda attempt: kind.make(Random(f"exam|{self.config.id}|{operation}|{rung}|{attempt}"), rung),
                lambda made: self._digest(kind, made),
            )
        return self._pools[key]

    def _stream(self, level: int, mix: str) -> _Stream:
        key = (mix, level)
        if key not in self._streams:
            asked = self.operations(level, mix)
            self._streams[key] = _Stream([(name, self._pool(name, level)) for name in asked])
        return self._streams[key]

    def _held_out(
        self, entry: tuple[bytes, Made] | None, operation: str, level: int, index: int, *, repeat: bool
    ) -> Problem:
        if entry is None:
            raise UsageError(
                f"level {level} holds out no problem of {operation}",
                fix="choose a higher level or another operation",
                code="NO_EXAM",
            )
        kind, (digest, made) = self.kinds[operation], entry
        return self._problem(kind, level, index, "exam", digest, kind.worded(made), repeat=repeat)

    def _problem(
        self, kind: Kind, level: int, index: int, split: Split, digest: bytes, made: Made, *, repeat: bool
    ) -> Problem:
        return Problem(
            skill=self.config.id,
            level=level,
            split=split,
            index=index,
            operation=kind.name,
            tier=made.tier,
            prompt=made.prompt,
            answer=made.answer,
            digest=item_digest(made.prompt, made.answer),
            problem_digest=digest.hex(),
            primitives=made.primitives,
            repeat=repeat,
            meta=made.meta,
        )


class _Pool:
    """The held-out problems of one kind at one level, distinct, in a fixed order."""

    def __init__(self, attempt: Callable[[int], Made], digest_of: Callable[[Made], bytes]) -> None:
        self._attempt, self._digest_of = attempt, digest_of
        self._found: list[tuple[bytes, Made]] = []
        self._seen: set[bytes] = set()
        self._attempts = self._fruitless = 0

    def get(self, position: int) -> tuple[bytes, Made] | None:
        """Problem number ``position``; None when the pool is used up before it."""
        while len(self._found) <= position and self._fruitless < FRUITLESS and len(self._found) < POOL_CAP:
            made = self._attempt(self._attempts)
            self._attempts += 1
            digest = self._digest_of(made)
            if side(digest) == "train" or digest in self._seen:
                self._fruitless += 1
                continue
            self._fruitless = 0
            self._seen.add(digest)
            self._found.append((digest, made))
        return self._found[position] if position < len(self._found) else None

    def count(self, limit: int) -> int:
        """Distinct problems, counted only up to ``limit``."""
        self.get(limit - 1)
        return min(limit, len(self._found))


class _Stream:
    """All kinds of a level in turn; one whose problems are used up drops out until all are."""

    def __init__(self, pools: Sequence[tuple[str, _Pool]]) -> None:
        self._live = list(pools)
        self._round = 0
        self._order: list[tuple[str, tuple[bytes, Made]]] = []

    def count(self, limit: int) -> int:
        """Distinct problems, counted only up to ``limit``."""
        while len(self._order) < limit and self._live:
            kept = []
            for name, pool in self._live:
                entry = pool.get(self._round)
                if entry is not None:
                    self._order.append((name, entry))
                    kept.append((name, pool))
            self._live = kept
            self._round += 1
        return min(limit, len(self._order))

    def get(self, index: int) -> tuple[str, tuple[bytes, Made] | None, bool]:
        """Kind and entry at ``index``, and whether it is a repeat; no entry when the level holds out nothing."""
        total = self.count(index + 1)
        if not total:
            return "", None, False
        name, entry = self._order[index % total]
        return name, entry, total <= index

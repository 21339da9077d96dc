"""The skill itself: levels, mixes and the two streams of problems, behind the contract of every skill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from configs.errors import RealmError, UsageError
from configs.schema import SkillConfig, SkillMix
from skills.bin.auxiliary import TASKS, task_answer, task_primitives, task_prompt
from skills.bin.chance import Entropy, item_digest, side
from skills.bin.digits import MAX_LEVEL, ONE, ZERO, bits_of
from skills.bin.nested import NESTED
from skills.bin.operations import OPERATIONS, SIGNALS, TIERS, Expression
from skills.bin.pool import (
    Entry,
    LevelStream,
    OperationPool,
    Walk,
    by_tier,
    class_cycle,
    digest_of,
    fits_class,
    propose,
)
from skills.bin.scoring import score
from skills.bin.symbols import in_symbols, key_for
from skills.bin.wording import answer_of, primitives_of, prompt_of
from skills.contract import Outcome, Problem, Split

KINDS = (*OPERATIONS, *NESTED, *TASKS)
_GOLDEN = 0.6180339887498949
_PROPOSALS = 400
_CHANCE_SAMPLE = 512


class BinarySkill:
    """Binary Alchemy. Problems are made on demand; nothing is stored but the exam streams walked so far."""

    def __init__(self, config: SkillConfig) -> None:
        self.config = config
        self._tiers = {name: _tier_table(name, mix) for name, mix in config.mixes.items()}
        self._operations = {
            (name, level): tuple(kind for kind, first in mix.operations.items() if first <= level)
            for name, mix in config.mixes.items()
            for level in range(1, MAX_LEVEL + 1)
        }
        for name, mix in config.mixes.items():
            unknown = sorted({*mix.operations, *mix.not_yet} - set(KINDS))
            if unknown or not self._operations[name, 1]:
                raise _bad_mix(name, f"unknown operations {', '.join(unknown)}" if unknown else "level 1 asks nothing")
        self._walk = cache(Walk)
        self._streams: dict[tuple[str, int], LevelStream] = {}
        self._pools: dict[tuple[str, int, str], OperationPool] = {}
        self._chances: dict[tuple[str, int], float] = {}

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
        self.mix(mix)
        self._check_level(level)
        return self._operations[mix, level]

    def generate(
        self, level: int, index: int, split: Split, mix: str = "full", *, operation: str | None = None
    ) -> Problem:
        """Problem number ``index`` (see the contract); for training, an index past any bound is as cheap as the first."""
        asked = self.operations(level, mix)
        if index < 0:
            raise UsageError(f"problem number {index} does not exist", fix="count from 0", code="BAD_INDEX")
        if operation is not None and operation not in KINDS:
            raise UsageError(
                f"{self.config.id} has no operation {operation!r}",
                fix=f"choose one of {', '.join(KINDS)}",
                code="UNKNOWN_OPERATION",
            )
        if split == "train":
            kind = operation or asked[index % len(asked)]
            return self._worded(level, index, split, self._training_entry(level, index, mix, kind), mix, repeat=False)
        found = self._exam_entry(level, index, mix, operation)
        return self._worded(level, index, split, found[0], mix, repeat=found[1])

    def exam_pool(self, level: int, mix: str, limit: int) -> int:
        """Distinct held-out problems at ``level``, counted only up to ``limit``."""
        self.operations(level, mix)
        return self._stream(level, mix).count(limit)

    def held_out(self, level: int, mix: str, operation: str, limit: int) -> int:
        """Distinct held-out problems of one operation at ``level``, counted only up to ``limit``."""
        if operation not in self.operations(level, mix):
            return 0
        return self._count(self._pool(level, mix, operation), limit)

    def chance(self, operation: str, level: int) -> float:
        """Share of the commonest result: what an answer earns that ignores the operands. Verdicts are balanced: 0.5."""
        if (operation in OPERATIONS and OPERATIONS[operation].verdict) or (
            operation in TASKS and TASKS[operation].verdict
        ):
            return 0.5
        key = (operation, level)
        if key not in self._chances:
            width = bits_of(level)
            results = Counter(
                _answer(operation, _training_problem(operation, width, i, "easy")[1], width, "easy")
                for i in range(_CHANCE_SAMPLE)
            )
            self._chances[key] = results.most_common(1)[0][1] / _CHANCE_SAMPLE
        return self._chances[key]

    def score(self, problem: Problem, answer: str) -> Outcome:
        """Judge an answer."""
        return score(problem, answer)

    def level_name(self, level: int) -> str:
        """The published name; an unnamed level takes the one before it, with its distance."""
        self._check_level(level)
        named = max(n for n in self.config.level_names if n <= level)
        return self.config.level_names[named] + (f"+{level - named}" if level > named else "")

    def special_tokens(self) -> Sequence[str]:
        """Digits, prompt heads, separator, and each operation with its bracket (so that no English word is split)."""
        heads = (f"Compute{' ' + signal if signal else ''}: " for signal in SIGNALS.values())
        return (ZERO, ONE, ", ", *heads, *(f"{name}(" for name in OPERATIONS))

    # ---- how it is made

    def _check_level(self, level: int) -> None:
        if not 1 <= level <= MAX_LEVEL:
            raise UsageError(
                f"{self.config.id} has no level {level}", fix=f"choose 1 to {MAX_LEVEL}", code="UNKNOWN_LEVEL"
            )

    def _tier(self, level: int, mix: str, kind: str, share: float) -> str:
        """The tier at ``share`` of the level's tier shares, raised to the one in which the operation appears first.

        A mix that never asks so high a tier keeps the drawn one: the hatchling's comparisons are easy.
        """
        table = self._tiers[mix][level]
        drawn = next((tier for tier, upto in table if share < upto), table[-1][0])
        own = TIERS.index((OPERATIONS.get(kind) or NESTED.get(kind) or TASKS[kind]).tier)
        if TIERS.index(drawn) >= own:
            return drawn
        return next((tier for tier, _ in table if TIERS.index(tier) >= own), drawn)

    def _training_entry(self, level: int, index: int, mix: str, kind: str) -> Entry:
        table = self._tiers[mix][level]
        if len(table) == 1:
            tier = table[0][0]
        else:
            tier = self._tier(level, mix, kind, Entropy(f"tier|{kind}|{level}|{index}").below(1 << 32) / (1 << 32))
        return Entry(kind, tier, *_training_problem(kind, bits_of(level), index, tier))

    def _exam_entry(self, level: int, index: int, mix: str, operation: str | None) -> tuple[Entry, bool]:
        if operation is None:
            found = self._stream(level, mix).get(index)
        else:
            pool = self._pool(level, mix, operation)
            total = self._count(pool, index + 1)
            entry = pool.get(index % total) if total else None
            found = (entry, total <= index) if entry else None
        if found is None:
            raise UsageError(
                f"level {level} holds out no problem of {operation or mix}",
                fix="choose a higher level or another operation",
                code="NO_EXAM",
            )
        return found

    @staticmethod
    def _count(pool: OperationPool, limit: int) -> int:
        return next((i for i in range(limit) if pool.get(i) is None), limit)

    def _stream(self, level: int, mix: str) -> LevelStream:
        key = (mix, level)
        if key not in self._streams:
            self._streams[key] = LevelStream([self._pool(level, mix, kind) for kind in self._operations[key]])
        return self._streams[key]

    def _pool(self, level: int, mix: str, kind: str) -> OperationPool:
        key = (mix, level, kind)
        if key not in self._pools:
            start = Entropy(f"tiers|{kind}|{level}").below(1 << 32) / (1 << 32)
            self._pools[key] = OperationPool(
                kind,
                bits_of(level),
                walk=partial(self._walk, kind, bits_of(level)),
                # Steps of the golden section spread the tiers evenly over any stretch of the stream.
                tier_at=lambda position: self._tier(level, mix, kind, (start + position * _GOLDEN) % 1),
            )
        return self._pools[key]

    def _worded(self, level: int, index: int, split: Split, entry: Entry, mix: str, *, repeat: bool) -> Problem:
        width = bits_of(level)
        prompt, answer = _prompt(entry, width), _answer(entry.kind, entry.expression, width, entry.tier)
        meta: dict[str, Any] = {}
        symbols = self.config.mixes[mix].symbols
        if symbols is not None and level >= symbols.from_level:
            entropy = Entropy(f"symbols|{level}|{split}|{index}|{entry.digest.hex()}")
            if entropy.below(1 << 20) < symbols.share * (1 << 20):
                key = key_for(prompt, entropy)
                (prompt, answer), meta = in_symbols(prompt, answer, key), {"key": key}
        return Problem(
            skill=self.config.id,
            level=level,
            split=split,
            index=index,
            operation=entry.kind,
            tier=entry.tier,
            prompt=prompt,
            answer=answer,
            digest=item_digest(prompt, answer),
            problem_digest=entry.digest.hex(),
            primitives=_primitives(entry, width),
            repeat=repeat,
            meta=meta,
        )


def _prompt(entry: Entry, width: int) -> str:
    if entry.kind in TASKS:
        return task_prompt(entry.expression, width, SIGNALS[entry.tier])
    return prompt_of(entry.expression, width, entry.tier)


def _answer(kind: str, expression: Expression, width: int, tier: str) -> str:
    return task_answer(expression, width, tier) if kind in TASKS else answer_of(kind, expression, width, tier)


def _primitives(entry: Entry, width: int) -> tuple[str, ...]:
    if entry.kind in TASKS:
        return task_primitives(entry.expression, lambda inner: primitives_of(str(inner[0]), inner, width))
    return primitives_of(entry.kind, entry.expression, width)


def _training_problem(kind: str, width: int, index: int, tier: str) -> tuple[bytes, Expression]:
    cycle = class_cycle(kind)
    for attempt in range(_PROPOSALS):
        entropy = Entropy(f"train|{kind}|{width}|{index}|{attempt}")
        wanted: int | str = tier if by_tier(kind) else cycle[entropy.below(len(cycle))]
        expression = propose(kind, entropy, width, wanted)
        digest = digest_of(kind, expression)
        if side(digest) == "train" and fits_class(kind, expression, width, wanted):
            return digest, expression
    raise RealmError(f"no training problem of {kind} at {width} digits", fix="report this as a bug", code="NO_PROBLEM")


def _bad_mix(name: str, why: str) -> RealmError:
    return RealmError(
        f"the mix {name!r} of bin cannot be used", why=why, fix="mend configs/skills/bin.yaml", code="CONFIG_INVALID"
    )


def _tier_table(name: str, mix: SkillMix) -> list[list[tuple[str, float]]]:
    """For each level (0 unused) the tiers with their cumulated shares."""
    table: list[list[tuple[str, float]]] = [[] for _ in range(MAX_LEVEL + 1)]
    for span, shares in mix.tiers.items():
        first, _, last = span.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise _bad_mix(name, f"{span!r} is not a range of levels such as 1-5")
        if set(shares) - set(TIERS) or abs(sum(shares.values()) - 100) > 1e-6 or min(shares.values()) < 0:
            raise _bad_mix(name, f"the shares of levels {span} must name {', '.join(TIERS)} and add up to 100")
        row, total = [], 0.0
        for tier in TIERS:
            if shares.get(tier):
                total += shares[tier] / 100
                row.append((tier, total))
        for level in range(int(first), int(last or first) + 1):
            if level > MAX_LEVEL or table[level]:
                raise _bad_mix(name, f"levels {span} overlap another range or pass {MAX_LEVEL}")
            table[level] = row
    if not all(table[1:]):
        raise _bad_mix(name, f"level {table[1:].index([]) + 1} has no tier shares")
    return table

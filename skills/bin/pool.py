"""The exam stream of a level: distinct held-out problems, equal over operations, until the pool is used up.

Small operations are enumerated. Large ones are walked: proposals from reproducible entropy, those of the training side and
those already taken left out. A walk ends after ``POOL_CAP`` problems, far beyond what the exam schedule ever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from skills.bin.auxiliary import TASKS, class_of, identity
from skills.bin.chance import EXAM_SHARE, Entropy, problem_hash, side
from skills.bin.nested import NESTED
from skills.bin.operations import OPERATIONS, Expression, canonical

POOL_CAP = 8192
"""Most exam problems of one operation at one level."""
_ENUMERATED = 1 << 12
_FRUITLESS = 600
"""Proposals in a row that bring nothing new before a walk over a small space ends."""


class Walk:
    """Distinct held-out problems of one kind and class at one width, in a fixed order."""

    def __init__(self, kind: str, width: int, wanted: int | str) -> None:
        self._found: list[tuple[bytes, Expression]] = []
        self._source = _enumerated(kind, width, int(wanted)) if _is_small(kind, width) else _walked(kind, width, wanted)

    def get(self, position: int) -> tuple[bytes, Expression] | None:
        """Problem number ``position`` with its hash; None when the walk ended before it."""
        while len(self._found) <= position:
            following = next(self._source, None)
            if following is None:
                return None
            self._found.append(following)
        return self._found[position]


def _is_small(kind: str, width: int) -> bool:
    return kind in OPERATIONS and 1 << width * OPERATIONS[kind].arity <= _ENUMERATED


def _enumerated(kind: str, width: int, wanted: int) -> Iterator[tuple[bytes, Expression]]:
    expressions: list[Expression] = [(kind, *values) for values in OPERATIONS[kind].domain(width, wanted)]
    hashed = [(problem_hash(canonical(e)), e) for e in expressions]
    return iter(sorted((pair for pair in hashed if side(pair[0]) == "exam"), key=lambda pair: pair[0]))


def _walked(kind: str, width: int, wanted: int | str) -> Iterator[tuple[bytes, Expression]]:
    seen: set[bytes] = set()
    attempt = fruitless = 0
    while len(seen) < POOL_CAP and fruitless < _FRUITLESS:
        expression = propose(kind, Entropy(f"exam|{kind}|{width}|{wanted}|{attempt}"), width, wanted)
        attempt += 1
        digest = digest_of(kind, expression)
        if digest in seen or side(digest) == "train" or not fits_class(kind, expression, width, wanted):
            fruitless += 1
            continue
        fruitless = 0
        seen.add(digest)
        yield digest, expression


def digest_of(kind: str, expression: Expression) -> bytes:
    """The public digest of a problem; it decides the side."""
    return identity(expression) if kind in TASKS else problem_hash(canonical(expression))


def fits_class(kind: str, expression: Expression, width: int, wanted: int | str) -> bool:
    """Whether a verdict task's proposal has the wanted verdict; chance may deny it at small widths."""
    return kind not in TASKS or not TASKS[kind].verdict or class_of(expression, width) == wanted


def propose(kind: str, entropy: Entropy, width: int, wanted: int | str) -> Expression:
    """One problem of ``kind``, of either side of the split; ``wanted`` is its class, for chains its tier."""
    if kind in NESTED:
        return NESTED[kind].propose(entropy, width, str(wanted))
    if kind in TASKS:
        return TASKS[kind].propose(entropy, width, int(wanted))
    return (kind, *OPERATIONS[kind].propose(entropy, width, int(wanted)))


def class_cycle(kind: str) -> Sequence[int]:
    """The classes of a kind in the order in which they take turns."""
    if kind in TASKS:
        return TASKS[kind].classes
    return OPERATIONS[kind].classes if kind in OPERATIONS else (0,)


def by_tier(kind: str) -> bool:
    """Whether the tier decides which problems are asked."""
    return kind in NESTED and NESTED[kind].by_tier


@dataclass(frozen=True, slots=True)
class Entry:
    """One place in an exam stream."""

    kind: str
    tier: str
    digest: bytes
    expression: Expression


class OperationPool:
    """The exam problems of one operation at one level, worded in the tiers of one mix."""

    def __init__(self, kind: str, width: int, walk: Callable[[int | str], Walk], tier_at: Callable[[int], str]) -> None:
        self._kind, self._walk, self._tier_at = kind, walk, tier_at
        # Chains never run out; they end with the operations of two operands, else they would be all that is left to ask.
        self._limit = min(POOL_CAP, (1 << 2 * width) // EXAM_SHARE) if kind in NESTED else POOL_CAP
        self._cycle = class_cycle(kind)
        # A verdict's stream stays balanced: it ends where either verdict runs out, so that blind guessing earns half.
        self._balanced = (kind in OPERATIONS and OPERATIONS[kind].verdict) or (kind in TASKS and TASKS[kind].verdict)
        self._entries: list[Entry] = []
        self._seen: set[bytes] = set()
        self._next: dict[int | str, int] = {}
        self._ended = False

    def get(self, position: int) -> Entry | None:
        """Entry number ``position``; None when the operation's pool is used up before it."""
        while len(self._entries) <= position and not self._ended:
            self._extend()
        return self._entries[position] if position < len(self._entries) else None

    def _extend(self) -> None:
        position = len(self._entries)
        if position >= self._limit:
            self._ended = True
            return
        tier = self._tier_at(position)
        if self._balanced:
            turn = [self._take(c) for c in self._cycle]
            complete = [found for found in turn if found]
            self._ended = len(complete) < len(turn)
            if not self._ended:
                self._entries += [Entry(self._kind, self._tier_at(position + i), *f) for i, f in enumerate(complete)]
            return
        first: int | str = tier if by_tier(self._kind) else self._cycle[position % len(self._cycle)]
        choices = [first] if by_tier(self._kind) else [first, *(c for c in sorted(set(self._cycle)) if c != first)]
        for choice in choices:
            found = self._take(choice)
            if found is not None:
                self._entries.append(Entry(self._kind, tier, *found))
                return
        self._ended = True

    def _take(self, wanted: int | str) -> tuple[bytes, Expression] | None:
        walk = self._walk(wanted)
        while True:
            at = self._next.get(wanted, 0)
            found = walk.get(at)
            if found is None:
                return None
            self._next[wanted] = at + 1
            # Chains of neighbouring tiers may meet in one problem.
            if found[0] not in self._seen:
                self._seen.add(found[0])
                return found


class LevelStream:
    """All operations of a level in turn; one whose problems are used up drops out until all are."""

    def __init__(self, pools: Sequence[OperationPool]) -> None:
        self._live = list(pools)
        self._round = 0
        self._order: list[Entry] = []

    def count(self, limit: int) -> int:
        """Distinct problems in the stream, counted only up to ``limit``."""
        while len(self._order) < limit and self._live:
            self._extend()
        return min(limit, len(self._order))

    def get(self, index: int) -> tuple[Entry, bool] | None:
        """The entry at ``index`` and whether it is a repeat; None when the level holds out nothing."""
        total = self.count(index + 1)
        if total > index:
            return self._order[index], False
        return (self._order[index % total], True) if total else None

    def _extend(self) -> None:
        kept = []
        for pool in self._live:
            entry = pool.get(self._round)
            if entry is not None:
                self._order.append(entry)
                kept.append(pool)
        self._live = kept
        self._round += 1

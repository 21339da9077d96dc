"""Explains answers: the smallest expression of the declared language that gives the samples' answers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from skills.declared.drawing import FACT
from skills.declared.expression import ExpressionError, evaluate, text
from skills.forge.numbers import OPERATORS, bare, safely, solved, sum_of

LOOKED_AT = 40
"""Samples on which candidates are tried; all of them decide in the end."""
AGREEING = 0.9
"""Share of the samples that an expression must give; those it does not give are named."""
_MOST = 60_000
"""Candidates of the third round."""
_MOST_CONDITIONS = 1500
"""Conditions, smallest first."""
_CONSTANTS = (1, 2, 3, 10, 100)
_DIVISORS = (2, 3, 4, 5, 7, 10)
_ORDERS = (">", "<", "==", ">=", "<=")
_PARTS = (2, 3, 4, 5, 8, 9, 10)
_MOST_TERMS = 5
_WORDS = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ]
    )
} | {
    "dozen": 12,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "hundred": 100,
}

Values = Mapping[str, Any]
Vector = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """An expression with the share of samples it gives."""

    source: str
    size: int
    agrees: tuple[bool, ...]
    """For each sample, whether the expression gives its answer."""
    facts: Mapping[str, Mapping[str, int | str]]
    """What the expression takes as known of the words of a slot."""

    @property
    def share(self) -> float:
        """Share of the samples whose answer it gives."""
        return sum(self.agrees) / len(self.agrees)


@dataclass(frozen=True, slots=True)
class _Candidate:
    source: str
    vector: Vector
    size: int


def number_words(values: Sequence[str]) -> dict[str, int] | None:
    """The numbers that words stand for; None when one of them is no number."""
    found = {value: _WORDS.get(value.lower()) for value in values}
    return {k: v for k, v in found.items() if v is not None} if all(v is not None for v in found.values()) else None


def explain(
    rows: Sequence[Values], answers: Sequence[str], kinds: Mapping[str, str], separator: str
) -> Explained | None:
    """The smallest expression that gives at least `AGREEING` of the answers; None when none was found."""
    facts: dict[str, dict[str, int | str]] = {}
    for name, kind in kinds.items():
        if kind == "word" and (told := number_words([row[name] for row in rows])) is not None:
            facts[name] = dict(told)
    searched = _Search(
        [_with_facts(row, facts) for row in rows[:LOOKED_AT]], list(answers[:LOOKED_AT]), kinds, separator
    )
    best: Explained | None = None
    for source, size in searched.found():
        agrees = agreement(source, rows, answers, facts)
        if sum(agrees) >= AGREEING * len(rows) and (best is None or sum(agrees) > sum(best.agrees)):
            used = {name: known for name, known in facts.items() if f"{name}{FACT}" in source}
            best = Explained(source, size, agrees, used)
        if best is not None and best.share == 1:
            break
    return best


def _with_facts(row: Values, facts: Mapping[str, Mapping[str, int | str]]) -> dict[str, Any]:
    return {**row, **{f"{name}{FACT}": known[row[name]] for name, known in facts.items()}}


def agreement(
    source: str, rows: Sequence[Values], answers: Sequence[str], facts: Mapping[str, Mapping[str, int | str]]
) -> tuple[bool, ...]:
    """For each sample, whether the expression gives its answer."""

    def gives(row: Values, answer: str) -> bool:
        try:
            return text(evaluate(source, _with_facts(row, facts))) == answer
        except ExpressionError:
            return False

    return tuple(gives(row, answer) for row, answer in zip(rows, answers, strict=True))


class _Search:
    """Candidates in order of size, equal ones only once."""

    def __init__(
        self, rows: list[dict[str, Any]], answers: list[str], kinds: Mapping[str, str], separator: str
    ) -> None:
        self.rows, self.kinds, self.separator = rows, kinds, separator
        self.told = tuple(answers)
        self.needed = math.ceil(AGREEING * len(rows))
        self.seen: set[Vector] = set()

    def found(self) -> Iterator[tuple[str, int]]:
        """Expressions that give enough of the answers tried, smallest first."""
        numbers = [int(a) if a.removeprefix("-").isdigit() else None for a in self.told]
        if sum(n is not None for n in numbers) >= self.needed:
            yield from self._numbers(tuple(numbers))
        kinds = Counter(self.told)
        if len(kinds) >= 2 and sum(n for _, n in kinds.most_common(2)) >= self.needed:
            yield from self._verdicts([answer for answer, _ in sorted(kinds.most_common(2))])
        yield from self._texts()

    # ---- whole numbers

    def _numbers(self, target: Vector) -> Iterator[tuple[str, int]]:
        leaves = self._leaves()
        second = list(self._pairs(leaves, [*leaves, *self._constants()], "+-*/%glmna^"))
        for candidate in (*leaves, *second):
            if self._enough(candidate.vector, target):
                yield bare(candidate.source), candidate.size
        yield from self._plane(target)
        for candidate in (*leaves, *second):
            yield from self._line(candidate, target)
        yield from self._third(second, [*leaves, *self._constants()], target)

    def _leaves(self) -> list[_Candidate]:
        sources: list[tuple[str, int]] = []
        letters = [n for n, k in self.kinds.items() if k == "word" and all(len(row[n]) == 1 for row in self.rows)]
        for name, kind in self.kinds.items():
            if kind == "int":
                sources += [(name, 1), (f"reverse({name})", 3)]
                sources += [(f"sum(digits({name}))", 3), (f"len(digits({name}))", 3)]
            elif kind == "list":
                sources += [(f"{f}({name})", 2) for f in ("sum", "max", "min", "len", "first", "last", "product")]
                sources += [(f"len(unique({name}))", 3), (f"sorted({name})[1]", 4), (f"sorted({name})[-2]", 4)]
            else:
                sources += [(f"{name}{FACT}", 1), (f"len({name})", 2), (f"len(unique(split({name}, '')))", 5)]
                sources += [(f"count(lower({name}), lower({letter}))", 3) for letter in letters if letter != name]
        return self._made(sources)

    def _constants(self) -> list[_Candidate]:
        return [_Candidate(str(c), (c,) * len(self.rows), 1) for c in _CONSTANTS]

    def _made(self, sources: Sequence[tuple[str, int]]) -> list[_Candidate]:
        found = []
        for source, size in sorted(sources, key=lambda pair: pair[1]):
            vector = tuple(self._tried(source, row) for row in self.rows)
            if any(v is not None for v in vector) and vector not in self.seen:
                self.seen.add(vector)
                found.append(_Candidate(source, vector, size))
        return found

    @staticmethod
    def _tried(source: str, row: Values) -> Any:
        try:
            value = evaluate(source, row)
        except ExpressionError:
            return None
        return value if not isinstance(value, list) else None

    def _pairs(self, left: Sequence[_Candidate], right: Sequence[_Candidate], ops: str) -> Iterator[_Candidate]:
        """Two candidates with an operator between them, those with new results."""
        for one, other in product(left, right):
            for op in ops:
                form, apply = OPERATORS[op]
                vector = tuple(safely(apply, x, y) for x, y in zip(one.vector, other.vector, strict=True))
                if any(v is not None for v in vector) and vector not in self.seen:
                    self.seen.add(vector)
                    yield _Candidate(form.format(one.source, other.source), vector, one.size + other.size + 1)

    def _third(
        self, second: Sequence[_Candidate], others: Sequence[_Candidate], target: Vector
    ) -> Iterator[tuple[str, int]]:
        """Three numbers with two operators that give enough of the answers; a candidate is dropped once too many are wrong."""
        spare, tried = len(self.rows) - self.needed, 0
        for one, other in product(second, others):
            for op in "+-*/":
                form, apply = OPERATORS[op]
                for a, b in ((one, other), (other, one)) if op in "-/" else ((one, other),):
                    tried += 1
                    if tried > _MOST:
                        return
                    wrong = 0
                    for x, y, wanted in zip(a.vector, b.vector, target, strict=True):
                        value = safely(apply, x, y)
                        wrong += value is None or value != wanted
                        if wrong > spare:
                            break
                    else:
                        yield bare(form.format(a.source, b.source)), a.size + b.size + 1

    def _line(self, candidate: _Candidate, target: Vector) -> Iterator[tuple[str, int]]:
        """``k * candidate + c`` and ``k * candidate // q + c`` through the samples."""
        pairs = [(x, y) for x, y in zip(candidate.vector, target, strict=True) if isinstance(x, int) and y is not None]
        if not pairs or (low := min(pairs))[0] == (high := max(pairs))[0]:
            return
        for q in (1, *_PARTS):
            near = round(q * (high[1] - low[1]) / (high[0] - low[0]))
            for k in (near,) if q == 1 else (near - 1, near, near + 1):
                c = low[1] - k * low[0] // q
                if not k or (k, q, c) == (1, 1, 0) or math.gcd(k, q) > 1:
                    continue
                line = tuple(k * x // q + c if isinstance(x, int) else None for x in candidate.vector)
                if self._enough(line, target):
                    scaled = candidate.source if (k, q) == (1, 1) else f"{k} * {candidate.source}"
                    scaled += f" // {q}" if q > 1 else ""
                    yield (scaled if not c else f"{scaled} {'+' if c > 0 else '-'} {abs(c)}"), candidate.size + 4

    def _plane(self, target: Vector) -> Iterator[tuple[str, int]]:
        """Whole multiples of all numbers of the question, added up."""
        slots = [n for n, k in self.kinds.items() if k == "int" or (k == "word" and f"{n}{FACT}" in self.rows[0])]
        named = [n if self.kinds[n] == "int" else f"{n}{FACT}" for n in slots]
        if not 2 <= len(named) <= _MOST_TERMS:
            return
        table = [([*(row[n] for n in named), 1], y) for row, y in zip(self.rows, target, strict=True) if y is not None]
        factors = solved(table)
        if factors is None or any(f.denominator != 1 for f in factors):
            return
        whole = [int(f) for f in factors]
        terms = [(k, n) for k, n in zip(whole, named, strict=False) if k] + ([(whole[-1], "")] if whole[-1] else [])
        vector = tuple(sum(k * (row[n] if n else 1) for k, n in terms) for row in self.rows)
        if len(terms) > 1 and self._enough(vector, target):
            yield sum_of(terms), 2 * len(terms) + 2

    def _enough(self, vector: Vector, target: Vector) -> bool:
        return sum(1 for x, y in zip(vector, target, strict=True) if x is not None and x == y) >= self.needed

    # ---- one of two answers

    def _verdicts(self, two: list[str]) -> Iterator[tuple[str, int]]:
        for condition, size in self._conditions():
            vector = [self._tried(condition, row) for row in self.rows]
            for yes, no in (two, two[::-1]):
                fits = sum(
                    v is not None and (yes if v else no) == told for v, told in zip(vector, self.told, strict=True)
                )
                if fits >= self.needed and any(vector) and not all(vector):
                    yield f"{yes!r} if {condition} else {no!r}", size

    def _conditions(self) -> list[tuple[str, int]]:
        """What may hold of a question, smallest first."""
        self.seen = set()
        leaves = [c for c in self._leaves() if all(isinstance(v, int) for v in c.vector)]
        found: list[tuple[str, int]] = []
        for one, other in product(leaves, leaves):
            if one is not other:
                found.append((f"{one.source} % {other.source} == 0", one.size + other.size + 3))
            if one.source < other.source:
                size = one.size + other.size + 1
                found += [(f"{one.source} {op} {other.source}", size + (op in ("==", ">=", "<="))) for op in _ORDERS]
        found += [(f"{leaf.source} % {k} == 0", leaf.size + 3) for leaf, k in product(leaves, _DIVISORS)]
        found += [(f"{leaf.source} > {c}", leaf.size + 3) for leaf, c in product(leaves, (0, *_CONSTANTS, 5, 50))]
        words = [n for n, k in self.kinds.items() if k == "word"]
        for name in words:
            others = [other for other in words if other != name]
            found.append((f"lower({name}) == lower(reverse({name}))", 3))
            found += [(f"lower({name}) in lower({other})", 3) for other in others]
            found += [(f"lower({name}) < lower({other})", 3) for other in others]
            found += [(f"sorted(lower({name})) == sorted(lower({other}))", 5) for other in others if other < name]
        for name in (n for n, k in self.kinds.items() if k == "list"):
            found += [(f"{name} == sorted({name})", 3), (f"{name} == reverse({name})", 3)]
            found.append((f"len({name}) == len(unique({name}))", 4))
            found += [(f"{leaf.source} in {name}", leaf.size + 2) for leaf in leaves if name not in leaf.source]
        for pair in self._pairs(leaves, leaves, "+-*"):
            found += [(f"{pair.source} == {leaf.source}", pair.size + leaf.size + 2) for leaf in leaves]
            found += [(f"{pair.source} % {k} == 0", pair.size + 4) for k in _DIVISORS]
        return sorted(found, key=lambda pair: pair[1])[:_MOST_CONDITIONS]

    # ---- texts

    def _texts(self) -> Iterator[tuple[str, int]]:
        self.seen = set()
        words = [n for n, k in self.kinds.items() if k == "word"]
        sources: list[tuple[str, int]] = []
        for name in words:
            sources += [
                (name, 1),
                *((f"{f}({name})", 2) for f in ("reverse", "upper", "lower", "title", "first", "last", "sorted")),
            ]
            sources += [
                (f"upper(first({name}))", 3),
                (f"{name}[1:]", 3),
                (f"{name}[:-1]", 3),
                (f"upper(reverse({name}))", 3),
            ]
            sources += [(f"{f}({name}, {other})", 3) for f in ("min", "max") for other in words if name < other]
            sources += [(f"{name} + {other}", 3) for other in words if other != name]
            sources += [(f"{name} + ' ' + {other}", 4) for other in words if other != name]
            sources += [(f"join(split({name}, ''), {s!r})", 4) for s in (" ", "-", ", ")]
        for name in (n for n, k in self.kinds.items() if k == "list"):
            forms = (
                f"sorted({name})",
                f"reverse(sorted({name}))",
                f"reverse({name})",
                f"unique({name})",
                f"sorted(unique({name}))",
            )
            for separator in dict.fromkeys((self.separator, ", ", " ", ",")):
                sources += [(f"join({form}, {separator!r})", 3) for form in forms]
        for source, size in sources:
            if self._enough(tuple(self._tried(source, row) for row in self.rows), self.told):
                yield source, size
        chosen = sum(told in {row[n] for n in words} for told, row in zip(self.told, self.rows, strict=True))
        if len(words) >= 2 and chosen >= self.needed:
            for condition, size in self._conditions():
                truths = [self._tried(condition, row) for row in self.rows]
                for one, other in product(words, words):
                    if one != other and self._enough(
                        tuple(
                            None if t is None else row[one if t else other]
                            for t, row in zip(truths, self.rows, strict=True)
                        ),
                        self.told,
                    ):
                        yield f"{one} if {condition} else {other}", size + 2

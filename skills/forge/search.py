"""Explains answers: the smallest expression of the declared language that gives the samples' answers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from skills.declared.drawing import FACT
from skills.declared.expression import ExpressionError, evaluate, text

LOOKED_AT = 40
"""Samples on which candidates are tried; all of them decide in the end."""
AGREEING = 0.9
"""Share of the samples that an expression must give; those it does not give are named."""
_MOST = 60_000
"""Candidates of the third round."""
_CONSTANTS = (1, 2, 3, 10, 100)
_DIVISORS = (2, 3, 4, 5, 7, 10)
_WORTH = 1 << 80
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
        agrees = _agreement(source, rows, answers, facts)
        if sum(agrees) >= AGREEING * len(rows) and (best is None or sum(agrees) > sum(best.agrees)):
            used = {name: known for name, known in facts.items() if f"{name}{FACT}" in source}
            best = Explained(source, size, agrees, used)
        if best is not None and best.share == 1:
            break
    return best


def _with_facts(row: Values, facts: Mapping[str, Mapping[str, int | str]]) -> dict[str, Any]:
    return {**row, **{f"{name}{FACT}": known[row[name]] for name, known in facts.items()}}


def _agreement(
    source: str, rows: Sequence[Values], answers: Sequence[str], facts: Mapping[str, Mapping[str, int | str]]
) -> tuple[bool, ...]:
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
                yield _bare(candidate.source), candidate.size
        for candidate in (*leaves, *second):
            yield from self._line(candidate, target)
        for candidate in self._pairs(second, [*leaves, *self._constants()], "+-*/", most=_MOST, both=True):
            if self._enough(candidate.vector, target):
                yield _bare(candidate.source), candidate.size

    def _leaves(self) -> list[_Candidate]:
        found: list[_Candidate] = []
        letters = [n for n, k in self.kinds.items() if k == "word" and all(len(row[n]) == 1 for row in self.rows)]
        for name, kind in self.kinds.items():
            if kind == "int":
                sources = [name, f"sum(digits({name}))", f"len(digits({name}))", f"reverse({name})"]
            elif kind == "list":
                sources = [f"{f}({name})" for f in ("sum", "max", "min", "len", "first", "last", "product")]
                sources += [f"len(unique({name}))", f"sorted({name})[1]", f"sorted({name})[-2]"]
            else:
                sources = [f"{name}{FACT}", f"len({name})", f"len(unique(split({name}, '')))"]
                sources += [f"count(lower({name}), lower({letter}))" for letter in letters if letter != name]
            found += self._made(sources, 1)
        return found

    def _constants(self) -> list[_Candidate]:
        return [_Candidate(str(c), (c,) * len(self.rows), 1) for c in _CONSTANTS]

    def _made(self, sources: Sequence[str], size: int) -> list[_Candidate]:
        found = []
        for source in sources:
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

    def _pairs(
        self,
        left: Sequence[_Candidate],
        right: Sequence[_Candidate],
        ops: str,
        *,
        most: int = _MOST,
        both: bool = False,
    ) -> Iterator[_Candidate]:
        tried = 0
        for one, other in product(left, right):
            for op in ops:
                form, apply = _OPERATORS[op]
                for a, b in ((one, other), (other, one)) if both and op in "-/" else ((one, other),):
                    tried += 1
                    if tried > most:
                        return
                    vector = tuple(_safely(apply, x, y) for x, y in zip(a.vector, b.vector, strict=True))
                    if any(v is not None for v in vector) and vector not in self.seen:
                        self.seen.add(vector)
                        yield _Candidate(form.format(a.source, b.source), vector, a.size + b.size + 1)

    def _line(self, candidate: _Candidate, target: Vector) -> Iterator[tuple[str, int]]:
        """``k * candidate + c`` through the samples."""
        pairs = [(x, y) for x, y in zip(candidate.vector, target, strict=True) if isinstance(x, int) and y is not None]
        other = next(((x, y) for x, y in pairs if x != pairs[0][0]), None) if pairs else None
        if other is None or (other[1] - pairs[0][1]) % (other[0] - pairs[0][0]):
            return
        k = (other[1] - pairs[0][1]) // (other[0] - pairs[0][0])
        c = pairs[0][1] - k * pairs[0][0]
        if not k or (k, c) in ((1, 0),):
            return
        line = tuple(None if not isinstance(x, int) else k * x + c for x in candidate.vector)
        if self._enough(line, target):
            scaled = candidate.source if k == 1 else f"{k} * {candidate.source}"
            yield (scaled if not c else f"{scaled} {'+' if c > 0 else '-'} {abs(c)}"), candidate.size + 3

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

    def _conditions(self) -> Iterator[tuple[str, int]]:
        self.seen = set()
        leaves = [c for c in self._leaves() if all(isinstance(v, int) for v in c.vector)]
        for one, other in product(leaves, leaves):
            if one.source < other.source:
                yield from ((f"{one.source} {op} {other.source}", 3) for op in (">", "<", "==", ">=", "<="))
        yield from ((f"{leaf.source} % {k} == 0", 4) for leaf, k in product(leaves, _DIVISORS))
        yield from ((f"{a.source} % {b.source} == 0", 4) for a, b in product(leaves, leaves) if a is not b)
        yield from ((f"{leaf.source} > {c}", 3) for leaf, c in product(leaves, (0, *_CONSTANTS, 5, 50)))
        words = [n for n, k in self.kinds.items() if k == "word"]
        for name in words:
            yield f"lower({name}) == lower(reverse({name}))", 4
            yield from ((f"lower({name}) in lower({other})", 4) for other in words if other != name)
            yield from ((f"sorted(lower({name})) == sorted(lower({other}))", 6) for other in words if other < name)
        for name in (n for n, k in self.kinds.items() if k == "list"):
            yield f"{name} == sorted({name})", 4
            yield f"{name} == reverse({name})", 4
            yield f"len({name}) == len(unique({name}))", 5
            yield from ((f"{leaf.source} in {name}", 4) for leaf in leaves if leaf.source != name)
        for pair in self._pairs(leaves, leaves, "+-*"):
            yield from ((f"{pair.source} == {leaf.source}", pair.size + 2) for leaf in leaves)
            yield from ((f"{pair.source} % {k} == 0", pair.size + 3) for k in _DIVISORS)

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
        if len(words) >= 2:
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


def _power(a: int, b: int) -> int | None:
    return a**b if 0 <= b <= 12 and abs(a) <= 1000 else None


_OPERATORS: Mapping[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "+": ("({} + {})", lambda a, b: a + b),
    "-": ("({} - {})", lambda a, b: a - b),
    "*": ("({} * {})", lambda a, b: a * b),
    "/": ("({} // {})", lambda a, b: a // b if b else None),
    "%": ("({} % {})", lambda a, b: a % b if b else None),
    "^": ("({} ** {})", _power),
    "g": ("gcd({}, {})", math.gcd),
    "l": ("lcm({}, {})", math.lcm),
    "m": ("max({}, {})", max),
    "n": ("min({}, {})", min),
    "a": ("abs({} - {})", lambda a, b: abs(a - b)),
}


def _safely(apply: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    if not isinstance(a, int) or not isinstance(b, int):
        return None
    value = apply(a, b)
    return value if value is not None and abs(value) < _WORTH else None


def _bare(source: str) -> str:
    """Without a pair of brackets around the whole."""
    if not (source.startswith("(") and source.endswith(")")):
        return source
    depth = 0
    for position, c in enumerate(source):
        depth += (c == "(") - (c == ")")
        if not depth and position < len(source) - 1:
            return source
    return source[1:-1]

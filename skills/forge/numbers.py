"""Arithmetic of the search: operators on samples, and whole factors that fit them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

_WORTH = 1 << 80
"""Numbers beyond are given up."""


def solved(table: Sequence[tuple[Sequence[int], int]]) -> list[Fraction] | None:
    """Factors with which the rows' numbers add up to their results, from the first rows that determine them; None: none do."""
    width = len(table[0][0]) if table else 0
    kept: list[list[Fraction]] = []
    for numbers, result in table:
        row = [Fraction(v) for v in (*numbers, result)]
        for known in kept:
            lead = next(i for i, v in enumerate(known) if v)
            row = [v - row[lead] * k for v, k in zip(row, known, strict=True)]
        lead = next((i for i, v in enumerate(row[:width]) if v), -1)
        if lead < 0:
            continue
        row = [v / row[lead] for v in row]
        kept = [[v - known[lead] * r for v, r in zip(known, row, strict=True)] for known in kept] + [row]
        if len(kept) == width:
            return [next(k[width] for k in kept if k[i]) for i in range(width)]
    return None


def sum_of(terms: Sequence[tuple[int, str]]) -> str:
    """``[(60, "a"), (1, "b"), (-3, "")]`` as ``60 * a + b - 3``."""
    said = ""
    for factor, name in terms:
        sign = "-" if factor < 0 else "+" if said else ""
        one = f"{abs(factor)}" if not name else name if abs(factor) == 1 else f"{abs(factor)} * {name}"
        said += f" {sign} {one}" if said else f"{sign}{one}"
    return said


def _power(a: int, b: int) -> int | None:
    return a**b if 0 <= b <= 12 and abs(a) <= 1000 else None


OPERATORS: Mapping[str, tuple[str, Callable[[Any, Any], Any]]] = {
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


def safely(apply: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """An operator on two whole numbers; None where they are none, or the result has no use."""
    if not isinstance(a, int) or not isinstance(b, int):
        return None
    value = apply(a, b)
    return value if value is not None and abs(value) < _WORTH else None


def bare(source: str) -> str:
    """Without a pair of brackets around the whole."""
    if not (source.startswith("(") and source.endswith(")")):
        return source
    depth = 0
    for position, c in enumerate(source):
        depth += (c == "(") - (c == ")")
        if not depth and position < len(source) - 1:
            return source
    return source[1:-1]

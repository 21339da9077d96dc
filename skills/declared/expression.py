"""The answer language of declared skills: arithmetic, comparison, text and lists over slots, and nothing else.

An expression is read by Python's parser and evaluated by this module, node by node: no attributes, no loops, no names but the
slots and the functions below, no number beyond `MAX_BITS`, no text beyond `MAX_TEXT`. Division is exact (``1 / 3`` is a third).
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from configs.errors import RealmError

MAX_TEXT = 20_000
"""Characters of a text, and members of a list."""
MAX_BITS = 1024
"""Size of a number."""
_MAX_SOURCE = 500
_MAX_POWER = 64

Value = Any
"""A whole number, a fraction, a truth, a text, or a list of them."""


class ExpressionError(RealmError):
    """An expression that cannot be read or evaluated."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(
            f"the expression {source[:80]!r} cannot be used",
            why=why,
            fix=f"use slots, + - * / // % **, comparisons, `x if y else z`, and {', '.join(sorted(FUNCTIONS))}",
            code="BAD_EXPRESSION",
        )


def text(value: Value) -> str:
    """A value as an answer shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(text(v) for v in value)
    return str(value)


def _decimal(value: Value, places: int) -> str:
    if not 0 <= places <= 12:
        raise ValueError("between 0 and 12 places can be shown")
    scaled = round(Fraction(value) * 10**places)
    sign, digits = ("-" if scaled < 0 else ""), str(abs(scaled)).rjust(places + 1, "0")
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def _unique(values: list[Value]) -> list[Value]:
    found: list[Value] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _reverse(value: Value) -> Value:
    return value[::-1] if isinstance(value, str | list) else int(str(value)[::-1])


def _sorted(value: Value) -> Value:
    return "".join(sorted(value)) if isinstance(value, str) else sorted(value)


def _split(value: str, separator: str = " ") -> list[str]:
    return value.split(separator) if separator else list(value)


def _join(values: Value, separator: str = ", ") -> str:
    return separator.join(text(v) for v in values)


def _count(values: Value, wanted: Value) -> int:
    found: int = values.count(wanted)
    return found


FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "abs": abs,
    "count": _count,
    "decimal": _decimal,
    "digits": lambda number: [int(c) for c in str(abs(number))],
    "first": lambda values: values[0],
    "gcd": math.gcd,
    "int": int,
    "join": _join,
    "last": lambda values: values[-1],
    "lcm": math.lcm,
    "len": len,
    "lower": lambda value: value.lower(),
    "max": max,
    "min": min,
    "product": math.prod,
    "reverse": _reverse,
    "sorted": _sorted,
    "split": _split,
    "sum": sum,
    "text": text,
    "title": lambda value: value.title(),
    "unique": _unique,
    "upper": lambda value: value.upper(),
}

_BINARY: Mapping[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Value, Value], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


@lru_cache(maxsize=4096)
def read(source: str) -> ast.expr:
    """An expression's tree, with everything that the language lacks refused.

    Raises:
        ExpressionError: it is no expression of the language.
    """
    if len(source) > _MAX_SOURCE:
        raise ExpressionError(source, f"it is longer than {_MAX_SOURCE} characters")
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError(source, f"it is no expression: {error}") from error
    for node in ast.walk(tree):
        _check(source, node)
    return tree


def _check(source: str, node: ast.AST) -> None:
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS or node.keywords:
            raise ExpressionError(
                source, f"{ast.unparse(node)[:40]} calls something that is not a function of the language"
            )
    elif isinstance(node, ast.BinOp):
        if type(node.op) not in (*_BINARY, ast.Div, ast.Pow):
            raise ExpressionError(source, "an operator is not of the language")
    elif isinstance(node, ast.Compare):
        if any(type(op) not in _COMPARE for op in node.ops):
            raise ExpressionError(source, "a comparison is not of the language")
    elif isinstance(node, ast.Constant):
        if not isinstance(node.value, int | str):
            raise ExpressionError(source, f"{node.value!r} is neither a whole number nor a text")
    elif not isinstance(
        node,
        ast.Name | ast.Load | ast.UnaryOp | ast.USub | ast.Not | ast.BoolOp | ast.And | ast.Or | ast.IfExp
        | ast.List | ast.Subscript | ast.Slice | ast.operator | ast.cmpop,
    ):  # fmt: skip
        raise ExpressionError(source, f"{type(node).__name__} is not of the language")


def names(source: str) -> set[str]:
    """The slots that an expression names."""
    called = {
        node.func.id
        for node in ast.walk(read(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return {node.id for node in ast.walk(read(source)) if isinstance(node, ast.Name)} - called


def evaluate(source: str, slots: Mapping[str, Value]) -> Value:
    """The value of an expression.

    Raises:
        ExpressionError: it cannot be evaluated for these slots.
    """
    try:
        return _value(read(source), slots)
    except RealmError:
        raise
    except (ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise ExpressionError(source, f"{type(error).__name__}: {error}") from error


def _value(node: ast.expr, slots: Mapping[str, Value]) -> Value:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return slots[node.id]
    if isinstance(node, ast.BinOp):
        return _binary(node.op, _value(node.left, slots), _value(node.right, slots))
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        return _bounded(FUNCTIONS[node.func.id](*(_value(argument, slots) for argument in node.args)))
    if isinstance(node, ast.UnaryOp):
        inner = _value(node.operand, slots)
        return not inner if isinstance(node.op, ast.Not) else -inner
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, slots) else node.orelse, slots)
    if isinstance(node, ast.BoolOp):
        stop_at = isinstance(node.op, ast.Or)
        return next((True for v in node.values if bool(_value(v, slots)) is stop_at), False) is stop_at
    if isinstance(node, ast.Compare):
        left = _value(node.left, slots)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = _value(right_node, slots)
            if not _COMPARE[type(op)](left, right):
                return False
            left = right
        return True
    if isinstance(node, ast.List):
        return [_value(v, slots) for v in node.elts]
    if isinstance(node, ast.Subscript):
        return _value(node.value, slots)[_place(node.slice, slots)]
    raise TypeError(f"{type(node).__name__} has no value")


def _place(node: ast.expr, slots: Mapping[str, Value]) -> Any:
    if isinstance(node, ast.Slice):
        return slice(*(None if part is None else _value(part, slots) for part in (node.lower, node.upper, node.step)))
    return _value(node, slots)


def _binary(op: ast.operator, left: Value, right: Value) -> Value:
    if isinstance(op, ast.Div):
        whole = Fraction(left) / Fraction(right)
        return whole.numerator if whole.denominator == 1 else whole
    if isinstance(op, ast.Pow):
        if not (isinstance(right, int) and 0 <= right <= _MAX_POWER and abs(left) <= 1 << 32):
            raise ValueError(f"powers go up to {_MAX_POWER}")
        return _bounded(left**right)
    if isinstance(op, ast.Mult | ast.Mod) and not (_is_number(left) and _is_number(right)):
        raise TypeError("only numbers are multiplied or divided")
    return _bounded(_BINARY[type(op)](left, right))


def _is_number(value: Value) -> bool:
    return isinstance(value, int | Fraction) and not isinstance(value, bool)


def _bounded(value: Value) -> Value:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ValueError("the number is too large")
    if isinstance(value, Fraction) and max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise ValueError("the fraction is too large")
    if isinstance(value, str | list) and len(value) > MAX_TEXT:
        raise ValueError("the text is too long")
    return value

"""The operations: what each computes, how its result is written, which operands it takes.

An expression is ``(operation, argument, …)``; an argument is an integer or another expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeAlias

from skills.bin.chance import Entropy
from skills.bin.digits import fits_signed, high, low

Expression: TypeAlias = "tuple[str | int | Expression, ...]"
Values: TypeAlias = tuple[int, ...]
Writing = Literal["width", "carry", "verdict", "decimal", "signed"]

TIERS = ("easy", "medium", "hard", "expert")
SIGNALS = {"easy": "", "medium": "[verify]", "hard": "[show-work]", "expert": "[trace]"}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on integers."""

    name: str
    tier: str
    """The tier in which it appears first."""
    arity: int
    compute: Callable[[Sequence[int], int], int | None]
    """(operands, width) to the result; None: a signed result that does not fit."""
    writing: Writing
    propose: Callable[[Entropy, int, int], Values]
    """(entropy, width, class) to operands; a class is one of `classes`."""
    classes: tuple[int, ...] = (0,)
    """The classes drawn in turn: verdicts false and true, or products that fit and that do not."""
    class_of: Callable[[Sequence[int], int], int] = lambda values, width: 0
    decimal_operand: bool = False
    primitives: Callable[[Sequence[int], int], tuple[str, ...]] = lambda values, width: ()

    @property
    def verdict(self) -> bool:
        """Whether the answer is one digit, false or true."""
        return self.writing == "verdict"

    @property
    def signed(self) -> bool:
        """Whether operands are two's complement."""
        return self.writing == "signed"

    def domain(self, width: int, wanted: int) -> Iterator[Values]:
        """Every tuple of operands of class ``wanted``, in order; only for small widths."""
        values = range(low(width), high(width) + 1) if self.signed else range(1 << width)
        for operands in product(values, repeat=self.arity):
            if self._allowed(operands, width) and self.class_of(operands, width) == wanted:
                yield operands

    def _allowed(self, operands: Values, width: int) -> bool:
        if self.name in ("subtract", "decrement"):
            return operands[0] >= (operands[1] if self.arity == 2 else 1)
        if self.name == "multiply":
            return operands[0] * operands[1] < 1 << width
        return self.name != "divide" or operands[1] >= 1


# ---------------------------------------------------------------- operands


def _one(entropy: Entropy, width: int, wanted: int) -> Values:
    return (entropy.below(1 << width),)


def _one_above_zero(entropy: Entropy, width: int, wanted: int) -> Values:
    return (1 + entropy.below((1 << width) - 1),)


def _two(entropy: Entropy, width: int, wanted: int) -> Values:
    return entropy.below(1 << width), entropy.below(1 << width)


def _descending(entropy: Entropy, width: int, wanted: int) -> Values:
    a, b = _two(entropy, width, wanted)
    return (a, b) if a >= b else (b, a)


def some_length(entropy: Entropy, width: int) -> int:
    """A number from 1 up whose length, not its value, is uniform: small factors and divisors are as common as large."""
    top = 1 << entropy.below(width)
    return top + entropy.below(top)


def _factors(entropy: Entropy, width: int, wanted: int) -> Values:
    a = some_length(entropy, width) if entropy.below(16) else 0
    b = entropy.below(((1 << width) - 1) // a + 1) if a else entropy.below(1 << width)
    return (a, b) if entropy.below(2) else (b, a)


def _division(entropy: Entropy, width: int, wanted: int) -> Values:
    return entropy.below(1 << width), some_length(entropy, width)


def _near_or_any(entropy: Entropy, width: int, wanted: int) -> Values:
    """Half the pairs share a prefix of any length, so that the first digit alone seldom decides."""
    if entropy.below(2):
        return _two(entropy, width, wanted)
    rest = width - 1 - entropy.below(width - 1)
    prefix = entropy.below(1 << (width - rest)) << rest
    return prefix + entropy.below(1 << rest), prefix + entropy.below(1 << rest)


def _ordered(less: bool) -> Callable[[Entropy, int, int], Values]:
    def propose(entropy: Entropy, width: int, wanted: int) -> Values:
        a, b = _near_or_any(entropy, width, wanted)
        if a == b and wanted:
            b = a ^ 1 << entropy.below(width)
        return (a, b) if (a < b) == (less == bool(wanted)) or a == b else (b, a)

    return propose


def _same_or_not(entropy: Entropy, width: int, wanted: int) -> Values:
    if wanted:
        a = entropy.below(1 << width)
        return a, a
    a, b = _near_or_any(entropy, width, wanted)
    return (a, b) if a != b else (a, a ^ 1 << entropy.below(width))


def _signed(count: int) -> Callable[[Entropy, int, int], Values]:
    def propose(entropy: Entropy, width: int, wanted: int) -> Values:
        return tuple(low(width) + entropy.below(1 << width) for _ in range(count))

    return propose


def _signed_factors(entropy: Entropy, width: int, wanted: int) -> Values:
    if wanted:
        a, b = _signed(2)(entropy, width, wanted)
        for _ in range(8):
            if not fits_signed(a * b, width):
                return a, b
            a, b = _signed(2)(entropy, width, wanted)
        return low(width), -1
    a, b = _factors(entropy, width - 1, wanted)
    a, b = (-a if entropy.below(2) else a), (-b if entropy.below(2) else b)
    return a, b


# ---------------------------------------------------------------- primitives touched


def _add_primitive(values: Sequence[int], width: int) -> tuple[str, ...]:
    a, b = values if len(values) == 2 else (values[0], 1)
    return ("binary_add_with_carry" if a & b else "binary_add_no_carry",)


def _subtract_primitive(values: Sequence[int], width: int) -> tuple[str, ...]:
    a, b = values if len(values) == 2 else (values[0], 1)
    return ("binary_sub_with_borrow" if ~a & b else "binary_sub_no_borrow",)


def _fixed(*names: str) -> Callable[[Sequence[int], int], tuple[str, ...]]:
    return lambda values, width: names


def _fitting(compute: Callable[[Sequence[int]], int]) -> Callable[[Sequence[int], int], int | None]:
    def result(values: Sequence[int], width: int) -> int | None:
        value = compute(values)
        return value if fits_signed(value, width) else None

    return result


_SIGNED = _fixed("twos_complement", "overflow_detection")
_COMPARE = _fixed("binary_compare")
_VERDICT = (0, 1)

_ALL = (
    Operation("add", "easy", 2, lambda v, w: v[0] + v[1], "carry", _two, primitives=_add_primitive),
    Operation("subtract", "easy", 2, lambda v, w: v[0] - v[1], "width", _descending, primitives=_subtract_primitive),
    Operation(
        "multiply", "medium", 2, lambda v, w: v[0] * v[1], "width", _factors, primitives=_fixed("binary_add_with_carry")
    ),
    Operation(
        "divide", "hard", 2, lambda v, w: v[0] // v[1], "width", _division, primitives=_fixed("binary_sub_with_borrow")
    ),
    Operation("increment", "easy", 1, lambda v, w: v[0] + 1, "carry", _one, primitives=_add_primitive),
    Operation("decrement", "easy", 1, lambda v, w: v[0] - 1, "width", _one_above_zero, primitives=_subtract_primitive),
    Operation("add_signed", "medium", 2, _fitting(lambda v: v[0] + v[1]), "signed", _signed(2), primitives=_SIGNED),
    Operation(
        "subtract_signed", "medium", 2, _fitting(lambda v: v[0] - v[1]), "signed", _signed(2), primitives=_SIGNED
    ),
    Operation(
        "multiply_signed",
        "medium",
        2,
        _fitting(lambda v: v[0] * v[1]),
        "signed",
        _signed_factors,
        classes=(0, 0, 0, 1),
        class_of=lambda v, w: int(not fits_signed(v[0] * v[1], w)),
        primitives=_SIGNED,
    ),
    Operation("negate", "medium", 1, _fitting(lambda v: -v[0]), "signed", _signed(1), primitives=_SIGNED),
    Operation("absolute_value", "medium", 1, _fitting(lambda v: abs(v[0])), "signed", _signed(1), primitives=_SIGNED),
    Operation(
        "sign_of",
        "medium",
        1,
        lambda v, w: (v[0] > 0) - (v[0] < 0),
        "signed",
        _signed(1),
        primitives=_fixed("twos_complement"),
    ),
    Operation(
        "equals",
        "medium",
        2,
        lambda v, w: int(v[0] == v[1]),
        "verdict",
        _same_or_not,
        classes=_VERDICT,
        class_of=lambda v, w: int(v[0] == v[1]),
        primitives=_COMPARE,
    ),
    Operation(
        "lessthan",
        "medium",
        2,
        lambda v, w: int(v[0] < v[1]),
        "verdict",
        _ordered(less=True),
        classes=_VERDICT,
        class_of=lambda v, w: int(v[0] < v[1]),
        primitives=_COMPARE,
    ),
    Operation(
        "greaterthan",
        "medium",
        2,
        lambda v, w: int(v[0] > v[1]),
        "verdict",
        _ordered(less=False),
        classes=_VERDICT,
        class_of=lambda v, w: int(v[0] > v[1]),
        primitives=_COMPARE,
    ),
    Operation("minimum", "easy", 2, lambda v, w: min(v), "width", _near_or_any, primitives=_COMPARE),
    Operation("maximum", "easy", 2, lambda v, w: max(v), "width", _near_or_any, primitives=_COMPARE),
    Operation("and", "easy", 2, lambda v, w: v[0] & v[1], "width", _two, primitives=_fixed("bitwise_and")),
    Operation("or", "easy", 2, lambda v, w: v[0] | v[1], "width", _two, primitives=_fixed("bitwise_or")),
    Operation("xor", "easy", 2, lambda v, w: v[0] ^ v[1], "width", _two, primitives=_fixed("bitwise_xor")),
    Operation("not", "easy", 1, lambda v, w: v[0] ^ (1 << w) - 1, "width", _one, primitives=_fixed("bitwise_xor")),
    Operation("multiply_by_2", "easy", 1, lambda v, w: 2 * v[0], "carry", _one),
    Operation("divide_by_2", "easy", 1, lambda v, w: v[0] // 2, "width", _one),
    Operation(
        "tobinary",
        "easy",
        1,
        lambda v, w: v[0],
        "width",
        _one,
        decimal_operand=True,
        primitives=_fixed("decimal_to_binary"),
    ),
    Operation("todecimal", "easy", 1, lambda v, w: v[0], "decimal", _one, primitives=_fixed("binary_to_decimal")),
)

OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in _ALL}


def canonical(expression: Expression) -> str:
    """The expression in plain decimal: the identity of a problem, whatever its level and wording."""
    parts = [canonical(a) if isinstance(a, tuple) else str(a) for a in expression[1:]]
    return f"{expression[0]}({','.join(parts)})"


def evaluate(expression: Expression, width: int) -> int | None:
    """The value of an expression at ``width`` digits; None: overflow anywhere in it."""
    name, *arguments = expression
    values: list[int] = []
    for argument in arguments:
        if isinstance(argument, int):
            values.append(argument)
        elif isinstance(argument, tuple):
            value = evaluate(argument, width)
            if value is None:
                return None
            values.append(value)
    return OPERATIONS[str(name)].compute(values, width)

"""The work shown in the hard and expert tiers: key steps, and the full trace column by column. All of it is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from skills.bin.digits import ONE, ZERO, high, low, write
from skills.bin.operations import Operation

Lines = list[str]
_SIGN = {-1: "neg", 0: "zero", 1: "pos"}


def _digits(a: int, b: int, width: int) -> list[tuple[int, int]]:
    """Pairs of digits, rightmost first."""
    return [(a >> i & 1, b >> i & 1) for i in range(width)]


def _mark(digit: int) -> str:
    return ONE if digit else ZERO


def _sign(value: int) -> str:
    return _SIGN[(value > 0) - (value < 0)]


def _second(values: Sequence[int]) -> int:
    return values[1] if len(values) == 2 else 1


def _carry(values: Sequence[int], result: int | None, width: int) -> Lines:
    a, b = values[0], _second(values)
    return [f"carry: {write((a + b) ^ a ^ b, width + 1)}"]


def _borrow(values: Sequence[int], result: int | None, width: int) -> Lines:
    a, b = values[0], _second(values)
    return [f"borrow: {write((a - b) ^ a ^ b, width)}"]


def _partials(values: Sequence[int], result: int | None, width: int) -> Lines:
    a, b = values
    parts = [write(a << i, width) for i in range(b.bit_length()) if b >> i & 1]
    return [f"partial: {', '.join(parts) if a and parts else 'none'}"]


def _quotient(values: Sequence[int], result: int | None, width: int) -> Lines:
    a, b = values
    return [f"remainder: {write(a % b, width)}"]


def _difference(values: Sequence[int], result: int | None, width: int) -> Lines:
    a, b = values
    return [f"first difference: digit {width - (a ^ b).bit_length() + 1}" if a != b else "no difference"]


def _columns(values: Sequence[int], result: int | None, width: int) -> Lines:
    if len(values) == 1:
        return [f"digits: {' '.join(write(values[0], width))}"]
    pairs = _digits(values[0], values[1], width)
    return [f"digits: {' '.join(_mark(x) + _mark(y) for x, y in reversed(pairs))}"]


def _appended(values: Sequence[int], result: int | None, width: int) -> Lines:
    return [f"append: {ZERO}"]


def _dropped(values: Sequence[int], result: int | None, width: int) -> Lines:
    return [f"drop: {_mark(values[0] & 1)}"]


def _places(values: Sequence[int], result: int | None, width: int) -> Lines:
    value = values[0]
    places = [str(1 << i) for i in reversed(range(width)) if value >> i & 1]
    return [f"{value} = {' + '.join(places) or '0'}"]


def _decoded(values: Sequence[int], result: int | None, width: int) -> Lines:
    return [f"{write(v, width)} = {v}" for v in values] + [f"range: {low(width)}..{high(width)}"]


def _signs(values: Sequence[int], result: int | None, width: int) -> Lines:
    a, b = values
    return [*_decoded(values, result, width), f"{_sign(a)}×{_sign(b)} = {_sign(a * b)}"]


def _leading(values: Sequence[int], result: int | None, width: int) -> Lines:
    return [f"leading digit: {write(values[0], width)[0]}"]


_KEY: dict[str, Callable[[Sequence[int], int | None, int], Lines]] = {
    "add": _carry,
    "increment": _carry,
    "subtract": _borrow,
    "decrement": _borrow,
    "multiply": _partials,
    "divide": _quotient,
    "equals": _difference,
    "lessthan": _difference,
    "greaterthan": _difference,
    "minimum": _difference,
    "maximum": _difference,
    "and": _columns,
    "or": _columns,
    "xor": _columns,
    "not": _columns,
    "multiply_by_2": _appended,
    "divide_by_2": _dropped,
    "tobinary": _places,
    "todecimal": _places,
    "add_signed": _decoded,
    "subtract_signed": _decoded,
    "multiply_signed": _signs,
    "negate": _decoded,
    "absolute_value": _decoded,
    "sign_of": _leading,
}


def key_steps(operation: Operation, values: Sequence[int], result: int | None, width: int) -> Lines:
    """What decides the result, in a line or two."""
    return _KEY[operation.name](values, result, width)


# ---------------------------------------------------------------- full trace


def _trace_add(values: Sequence[int], width: int) -> Lines:
    lines, carry = [], 0
    for x, y in _digits(values[0], _second(values), width):
        total = x + y + carry
        lines.append(f"{_mark(x)}+{_mark(y)}+{_mark(carry)} = {write(total, 2)}")
        carry = total >> 1
    return lines


def _trace_subtract(values: Sequence[int], width: int) -> Lines:
    lines, borrow = [], 0
    for x, y in _digits(values[0], _second(values), width):
        total = x - y - borrow
        lines.append(f"{_mark(x)}−{_mark(y)}−{_mark(borrow)} = {_mark(total & 1)}, borrow {_mark(total < 0)}")
        borrow = int(total < 0)
    return lines


def _trace_multiply(values: Sequence[int], width: int) -> Lines:
    a, b = values
    lines, total = [], 0
    for i in range(b.bit_length() if a else 0):
        if b >> i & 1:
            lines.append(f"{write(total, width)} + {write(a << i, width)} = {write(total + (a << i), width)}")
            total += a << i
    return lines


def _trace_divide(values: Sequence[int], width: int) -> Lines:
    a, b = values
    lines, rest = [], 0
    for i in reversed(range(width)):
        rest = rest << 1 | a >> i & 1
        digit = int(rest >= b)
        rest -= digit * b
        lines.append(f"{_mark(digit)}, rest {write(rest, width)}")
    return lines


def _trace_compare(values: Sequence[int], width: int) -> Lines:
    lines = []
    for x, y in reversed(_digits(values[0], values[1], width)):
        lines.append(f"{_mark(x)} {'=' if x == y else '<' if x < y else '>'} {_mark(y)}")
        if x != y:
            break
    return lines


def _trace_bits(name: str, values: Sequence[int], width: int) -> Lines:
    if name == "not":
        return [f"not {_mark(values[0] >> i & 1)} = {_mark(1 - (values[0] >> i & 1))}" for i in reversed(range(width))]
    rule: Callable[[int, int], int] = {
        "and": lambda x, y: x & y,
        "or": lambda x, y: x | y,
        "xor": lambda x, y: x ^ y,
    }[name]
    return [
        f"{_mark(x)} {name} {_mark(y)} = {_mark(rule(x, y))}" for x, y in reversed(_digits(values[0], values[1], width))
    ]


def _trace_to_decimal(values: Sequence[int], width: int) -> Lines:
    value, lines, total = values[0], [], 0
    for i in reversed(range(width)):
        digit = value >> i & 1
        lines.append(f"{total} × 2 + {digit} = {2 * total + digit}")
        total = 2 * total + digit
    return lines


def _trace_to_binary(values: Sequence[int], width: int) -> Lines:
    value, lines = values[0], []
    while value:
        lines.append(f"{value} / 2 = {value // 2}, digit {_mark(value & 1)}")
        value //= 2
    return lines


def trace(operation: Operation, values: Sequence[int], result: int | None, width: int) -> Lines:
    """Every column, partial sum or halving, in the order in which it is worked out."""
    name = operation.name
    if name in ("add", "increment"):
        return _trace_add(values, width)
    if name in ("subtract", "decrement"):
        return _trace_subtract(values, width)
    if name == "multiply":
        return _trace_multiply(values, width)
    if name == "divide":
        return _trace_divide(values, width)
    if name in ("equals", "lessthan", "greaterthan", "minimum", "maximum"):
        return _trace_compare(values, width)
    if name in ("and", "or", "xor", "not"):
        return _trace_bits(name, values, width)
    if name == "todecimal":
        return _trace_to_decimal(values, width)
    if name == "tobinary":
        return _trace_to_binary(values, width)
    if name == "add_signed":
        return _trace_add([v & (1 << width) - 1 for v in values], width)
    if name == "subtract_signed":
        return _trace_subtract([v & (1 << width) - 1 for v in values], width)
    if name == "multiply_signed" and result is not None:
        a, b = abs(values[0]), abs(values[1])
        return _trace_multiply((a, b), width) if a * b < 1 << width else []
    if name in ("negate", "absolute_value") and (name == "negate" or values[0] < 0):
        flipped = ~values[0]
        return [f"flip: {write(flipped, width)}", f"add {ONE}: {write(flipped + 1 & (1 << width) - 1, width)}"]
    return []

"""Arithmetic by hand: add, subtract, multiply and divide small numbers, parity, digit sums and remainders."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from random import Random

from skills.primitives.material import joined
from skills.primitives.rows import Item, asked_in_row, row, row_score
from skills.streams import Kind, Made

Operands = Callable[[Random, int, int], tuple[int, ...]]
"""(random stream, how many, rung) to operands."""

_LADDER = (
    (3, 2, 0.0),
    (4, 2, 0.0),
    (5, 2, 0.0),
    (3, 3, 0.0),
    (4, 3, 0.0),
    (4, 2, 1.0),
    (3, 3, 1.0),
    (4, 3, 0.5),
    (6, 3, 0.5),
    (8, 3, 0.5),
)
"""For each rung: items of a row, operands of an item, and the share of items that hide an operand."""


def _value(sign: str, operands: tuple[int, ...]) -> int:
    first, rest = operands[0], operands[1:]
    match sign:
        case "+":
            return sum(operands)
        case "-":
            return first - sum(rest)
        case "×":
            return prod(operands)
        case _:
            return first // prod(rest)


def _computed(head: str, sign: str, operands: Operands, fewer: int = 0) -> Callable[[Random, int], Made]:
    """The generator of one sign; its rows are ``fewer`` items shorter than the ladder's."""

    def make(random: Random, level: int) -> Made:
        count, terms, hidden = _LADDER[level - 1]

        def one(random: Random) -> Item:
            chosen = operands(random, terms, level)
            value = _value(sign, chosen)
            if random.random() >= hidden:
                return joined(chosen, sign), str(value)
            at = random.randrange(terms)
            shown = ["?" if i == at else str(n) for i, n in enumerate(chosen)]
            return f"{joined(shown, sign)}={value}", str(chosen[at])

        return asked_in_row(head, row(random, count - fewer, one))

    return make


def _digits(accept: Callable[[int], bool], first: int) -> Operands:
    """Digits from ``first`` on whose sum is accepted."""

    def draw(random: Random, count: int, level: int) -> tuple[int, ...]:
        while True:
            chosen = tuple([random.randrange(first, 10) for _ in range(count)])
            if accept(sum(chosen)):
                return chosen

    return draw


def _two_digits(random: Random, count: int, level: int) -> tuple[int, ...]:
    while True:
        chosen = tuple([random.randrange(10, 100) for _ in range(count)])
        # The first rung has no carry.
        if level > 1 or (sum(n % 10 for n in chosen) < 10 and sum(n // 10 for n in chosen) < 10):
            return chosen


def _taken_away(first: int, below: int) -> Operands:
    def draw(random: Random, count: int, level: int) -> tuple[int, ...]:
        while True:
            most = random.randrange(first, below)
            less = tuple([random.randrange(first, below) for _ in range(count - 1)])
            if sum(less) <= most:
                return (most, *less)

    return draw


def _factors(random: Random, count: int, level: int) -> tuple[int, ...]:
    return tuple([random.randrange(1, 10) for _ in range(count)])


def _quotients(random: Random, count: int, level: int) -> tuple[int, ...]:
    divisors = tuple([random.randrange(1 if count == 2 else 2, 10) for _ in range(count - 1)])
    quotient = random.randrange(1, 10 if level < 5 else 40)
    return (quotient * prod(divisors), *divisors)


def _parity(random: Random, level: int) -> Made:
    below = 10 ** min(2 + level // 2, 4)

    def one(random: Random) -> Item:
        a, b, c = random.randrange(below), random.randrange(below), random.randrange(below)
        if level < 5:
            return str(a), _odd(a)
        if level < 8:
            return f"{a}+{b}", _odd(a + b)
        return (f"{a}×{b}+{c}", _odd(a * b + c)) if random.random() < 0.5 else (f"{a}×{b}", _odd(a * b))

    return asked_in_row("Even or odd", row(random, 3 + level // 3, one))


def _odd(number: int) -> str:
    return "odd" if number % 2 else "even"


def _digit_sum(random: Random, level: int) -> Made:
    size = 4 + level
    number = random.randrange(10 ** (size - 1), 10**size)
    return Made(str(number), f"Digit sum: {number}", str(sum(int(digit) for digit in str(number))))


_MODULI = ((2, 5, 10), (3, 4, 9, 10), (3, 4, 6, 7, 8, 9), (6, 7, 8, 9, 11, 12))


def _modulo(random: Random, level: int) -> Made:
    if level < 5:
        divisor = random.choice(_MODULI[level - 1])
        number: int = random.randrange(10_000)
        asked = str(number)
    else:
        divisor = random.randrange(7, 20 if level < 7 else 100)
        a, b = random.randrange(10, 1000), random.randrange(10, 1000)
        if level < 8:
            number = a * 100 + b % 100
            asked = str(number)
        elif level == 8:
            number, asked = a + b, f"({a}+{b})"
        else:
            few = b % (100 if level == 9 else 1000)
            number, asked = a * few, f"({a}×{few})"
    return Made(f"{asked} mod {divisor}", f"Remainder: {asked} mod {divisor}", str(number % divisor))


KINDS = (
    Kind("add_single_digit_no_carry", _computed("Add", "+", _digits(lambda n: n < 10, 0)), score=row_score),
    Kind("add_single_digit_with_carry", _computed("Add", "+", _digits(lambda n: n > 9, 1)), score=row_score),
    Kind("add_two_digit", _computed("Add", "+", _two_digits, fewer=1), score=row_score),
    Kind("sub_single_digit", _computed("Subtract", "-", _taken_away(0, 10)), score=row_score),
    Kind("sub_two_digit", _computed("Subtract", "-", _taken_away(10, 100), fewer=1), score=row_score),
    Kind("mul_single_digit", _computed("Multiply", "×", _factors), score=row_score),
    Kind("div_exact", _computed("Divide", "/", _quotients), score=row_score),
    Kind("parity", _parity, score=row_score),
    Kind("digit_sum", _digit_sum),
    Kind("modulo", _modulo),
)

"""Binary numbers, as Binary Alchemy writes them: rows of its computations, each row with one primitive only.

No row holds a problem that Binary Alchemy keeps for its exams: a drill must not give them away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from skills.bin.chance import problem_hash, side
from skills.bin.digits import ONE, ZERO, fits_signed, high, low, write
from skills.bin.operations import OPERATIONS, Expression, canonical, evaluate
from skills.bin.wording import written_expression, written_result
from skills.primitives.rows import Item, asked_in_row, fair, row, row_score
from skills.streams import Kind, Made

Accept = Callable[[Sequence[int]], bool]


def _width(level: int, arity: int) -> int:
    """Digits of an operand; one operand alone needs more, so that there are enough to ask."""
    return level + (3 if arity == 2 else 4)


def _count(level: int, arity: int) -> int:
    """Items of a row: the narrower, the more, so that no rung is soon used up."""
    if arity == 1:
        return 4 if level == 1 else 3 if level < 4 else 2
    return 4 if level == 1 else 3 if level == 2 else 2 if level < 7 else 1


def _computed(*names: str, accept: Accept = lambda values: True) -> Callable[[Random, int], Made]:
    """The generator of rows of operations that take operands alike."""
    operations = [OPERATIONS[name] for name in names]
    arity = operations[0].arity

    def make(random: Random, level: int) -> Made:
        width = _width(level, arity)
        span = 1 << width

        def one(random: Random) -> Item:
            while True:
                operation = operations[random.randrange(len(operations))]
                values = [random.randrange(span) for _ in range(arity)]
                if operation.signed:
                    values = [value + low(width) for value in values]
                elif operation.name == "subtract" and values[0] < values[1]:
                    values.reverse()
                if not accept(values) or (operation.name == "decrement" and not values[0]):
                    continue
                expression: Expression = (operation.name, *values)
                if side(problem_hash(canonical(expression))) == "train":
                    result = written_result(operation, evaluate(expression, width), width)
                    return written_expression(expression, width), result

        return asked_in_row("Compute", row(random, _count(level, arity), one))

    return make


def _carries(values: Sequence[int]) -> bool:
    return values[0] & values[1] != 0


def _borrows(values: Sequence[int]) -> bool:
    return max(values) & min(values) != min(values)


def _compare(random: Random, level: int) -> Made:
    """Verdicts, and the smaller or greater of two numbers; half of the pairs are close to each other."""
    width = _width(level, 2)
    span = 1 << width
    names = ("equals", "lessthan", "greaterthan", "minimum", "maximum")

    def one(random: Random) -> Item:
        while True:
            name = names[random.randrange(len(names))]
            a = random.randrange(span)
            b = random.randrange(span) if random.random() < 0.5 else a ^ (1 << random.randrange(width))
            if name == "equals" and random.random() < 0.5:
                b = a
            expression = (name, a, b)
            if side(problem_hash(canonical(expression))) == "train":
                result = written_result(OPERATIONS[name], evaluate(expression, width), width)
                return written_expression(expression, width), result

    return asked_in_row("Compute", row(random, 4 if level < 7 else 3, one))


def _overflow(random: Random, level: int) -> Made:
    """Whether a signed sum or difference still fits: ① where it does not."""
    width = _width(level, 2)

    def one(random: Random) -> Item:
        while True:
            a, b = random.randint(low(width), high(width)), random.randint(low(width), high(width))
            name, result = ("add_signed", a + b) if random.random() < 0.5 else ("subtract_signed", a - b)
            over = not fits_signed(result, width)
            if side(problem_hash(canonical((name, a, b)))) == "train":
                return written_expression((name, a, b), width), ONE if over else ZERO

    return asked_in_row(
        f"Overflow ({ONE} if so, else {ZERO})", row(random, 3 if level < 5 else 4, fair(one, (ONE, ZERO)))
    )


def _twos_complement(random: Random, level: int) -> Made:
    """Signed numbers: read them, write them, negate them."""
    width = _width(level, 1)
    way = random.randrange(3 if level > 2 else 2)

    def one(random: Random) -> Item:
        while True:
            value = random.randint(low(width), high(width))
            if way == 0:
                return write(value, width), str(value)
            if way == 1:
                return str(value), write(value, width)
            if value > low(width) and side(problem_hash(canonical(("negate", value)))) == "train":
                return write(value, width), write(-value, width)

    head = ("Signed value", f"Two's complement of {width} digits", "Negate")[way]
    made = asked_in_row(head, row(random, _count(level, 1), one))
    return Made(f"{way}|{width}|{made.canonical}", made.prompt, made.answer)


KINDS = (
    Kind("binary_add_no_carry", _computed("add", accept=lambda v: not _carries(v)), score=row_score),
    Kind("binary_add_with_carry", _computed("add", accept=_carries), score=row_score),
    Kind("binary_sub_no_borrow", _computed("subtract", accept=lambda v: not _borrows(v)), score=row_score),
    Kind("binary_sub_with_borrow", _computed("subtract", accept=_borrows), score=row_score),
    Kind("bitwise_and", _computed("and"), score=row_score),
    Kind("bitwise_or", _computed("or"), score=row_score),
    Kind("bitwise_xor", _computed("xor"), score=row_score),
    Kind("binary_compare", _compare, score=row_score),
    Kind("binary_to_decimal", _computed("todecimal"), score=row_score),
    Kind("decimal_to_binary", _computed("tobinary"), score=row_score),
    Kind("increment", _computed("increment"), score=row_score),
    Kind("decrement", _computed("decrement"), score=row_score),
    Kind("overflow_detection", _overflow, score=row_score),
    Kind("twos_complement", _twos_complement, score=row_score),
)

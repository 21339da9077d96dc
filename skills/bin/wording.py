"""The words of a problem: its prompt, and its answer in each of the four tiers."""

from __future__ import annotations

from collections.abc import Sequence

from skills.bin.digits import ONE, OVERFLOW, ZERO, write
from skills.bin.nested import NESTED, rule_of
from skills.bin.operations import OPERATIONS, SIGNALS, Expression, Operation, evaluate
from skills.bin.steps import key_steps, trace


def written_expression(expression: Expression, width: int) -> str:
    """The expression as the prompt shows it: operands zero-padded to the level's width."""
    operation = OPERATIONS[str(expression[0])]
    parts = []
    for argument in expression[1:]:
        if isinstance(argument, tuple):
            parts.append(written_expression(argument, width))
        elif isinstance(argument, int):
            parts.append(str(argument) if operation.decimal_operand else write(argument, width))
    return f"{operation.name}({', '.join(parts)})"


def decimal_expression(expression: Expression) -> str:
    """The expression with decimal operands."""
    parts = [decimal_expression(a) if isinstance(a, tuple) else str(a) for a in expression[1:]]
    return f"{expression[0]}({', '.join(parts)})"


def written_result(operation: Operation, value: int | None, width: int) -> str:
    """A result in the operation's own writing."""
    if value is None:
        return OVERFLOW
    match operation.writing:
        case "carry":
            return write(value, width + 1)
        case "verdict":
            return ONE if value else ZERO
        case "decimal":
            return str(value)
        case _:
            return write(value, width)


def prompt_of(expression: Expression, width: int, tier: str) -> str:
    """`Compute: op(bits, bits)`, with the tier's signal before the colon."""
    return f"Compute{' ' + SIGNALS[tier] if SIGNALS[tier] else ''}: {written_expression(expression, width)}"


def _check_line(operation: Operation, expression: Expression, value: int | None, width: int) -> str:
    """The decimal verification; a conversion is verified by the opposite conversion."""
    if value is None:
        return f"{decimal_expression(expression)} = {OVERFLOW}"
    if operation.name == "tobinary":
        return f"todecimal({write(value, width)}) = {value}"
    if operation.name == "todecimal":
        return f"tobinary({value}) = {write(value, width)}"
    return f"{decimal_expression(expression)} = {value}"


def _inner_lines(expression: Expression, width: int) -> list[str]:
    """Every inner operation with its value, innermost first; written at the level's width, where the next one reads it."""
    lines: list[str] = []
    for argument in expression[1:]:
        if isinstance(argument, tuple):
            lines += _inner_lines(argument, width)
            plain: Expression = (argument[0], *(_value(a, width) for a in argument[1:] if not isinstance(a, str)))
            lines.append(f"{written_expression(plain, width)} = {write(_value(argument, width), width)}")
    return lines


def _value(argument: int | Expression, width: int) -> int:
    """The value of an inner argument, which always fits."""
    value = evaluate(argument, width) if isinstance(argument, tuple) else argument
    assert value is not None
    return value


def _work(
    kind: str, expression: Expression, values: Sequence[int], result: int | None, width: int, tier: str
) -> list[str]:
    if kind in NESTED:
        lines = _inner_lines(expression, width)
        return [rule_of(expression), *lines] if kind == "sign_rules" else lines
    operation = OPERATIONS[kind]
    lines = key_steps(operation, values, result, width)
    return lines + trace(operation, values, result, width) if tier == "expert" else lines


def work_of(expression: Expression, width: int, tier: str) -> list[str]:
    """The work of one operation on numbers, as the hard and expert tiers show it."""
    values = [a for a in expression[1:] if isinstance(a, int)]
    return _work(str(expression[0]), expression, values, evaluate(expression, width), width, tier)


def answer_of(kind: str, expression: Expression, width: int, tier: str) -> str:
    """The expected answer: the result alone when easy, else the expression with it, its check and its work."""
    operation = OPERATIONS[str(expression[0])]
    result = evaluate(expression, width)
    written = written_result(operation, result, width)
    if tier == "easy":
        return written
    lines = [f"{written_expression(expression, width)} = {written}", _check_line(operation, expression, result, width)]
    if tier in ("hard", "expert"):
        values = [a for a in expression[1:] if isinstance(a, int)]
        lines = _work(kind, expression, values, result, width, tier) + lines
    return "\n".join(lines)


def primitives_of(kind: str, expression: Expression, width: int) -> tuple[str, ...]:
    """The primitives that a problem exercises, without repeats."""
    found: dict[str, None] = {}
    values: list[int] = []
    for argument in expression[1:]:
        if isinstance(argument, tuple):
            found.update(dict.fromkeys(primitives_of(kind, argument, width)))
            values.append(evaluate(argument, width) or 0)
        elif isinstance(argument, int):
            values.append(argument)
    own = OPERATIONS[str(expression[0])].primitives(values, width)
    return tuple({**found, **dict.fromkeys(own)}) if found else own

"""Tasks around a computation: is it right, where is it wrong, what is missing, which is greater, does it overflow.

Each is an expression ``(task, …)``; one about a computation holds it as its first argument and stays on its side of the split: who
has learnt ``add(3, 5)`` is never examined on whether ``add(3, 5) = 8`` is true. Answers show the work of their tier and end with the
result alone in the last line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from skills.bin.chance import Entropy, problem_hash
from skills.bin.digits import ONE, OVERFLOW, ZERO, write
from skills.bin.operations import OPERATIONS, Expression, canonical, evaluate
from skills.bin.wording import decimal_expression, work_of, written_expression, written_result

BLANK = "_"
NONE = "none"
_SHOWN = ("add", "subtract", "and", "or", "xor", "minimum", "maximum", "increment", "decrement")
_SIGNED = ("add_signed", "subtract_signed", "multiply_signed", "negate", "absolute_value")
_REVERSIBLE = ("add", "subtract", "xor")
_PROPERTIES = ("even", "power of two")
_TRIES = 12
"""Draws until a signed computation overflows, or does not, as wanted."""
_HEAD = 8
"""Leading bytes of a digest that decide the side."""


@dataclass(frozen=True, slots=True)
class Task:
    """One auxiliary task."""

    name: str
    tier: str
    """The tier in which it appears first."""
    head: str
    """How its prompt begins."""
    propose: Callable[[Entropy, int, int], Expression]
    """(entropy, width, class) to an expression."""
    asked: Callable[[Expression, int], str]
    """(expression, width) to what stands behind the head."""
    result: Callable[[Expression, int], str]
    """(expression, width) to the last line of the answer."""
    classes: tuple[int, ...] = (0,)
    verdict: bool = False
    """The answer is one digit, false or true, asked equally often."""
    primitives: tuple[str, ...] = ()


def inner_of(expression: Expression) -> Expression | None:
    """The computation that a task is about; None where it compares bare numbers."""
    first = expression[1]
    return first if isinstance(first, tuple) else None


def _numbers(expression: Expression) -> Sequence[int]:
    return [a for a in expression[1:] if isinstance(a, int)]


def _computation(expression: Expression) -> Expression:
    inner = inner_of(expression)
    assert inner is not None
    return inner


def _drawn(names: Sequence[str], entropy: Entropy, width: int) -> Expression:
    operation = OPERATIONS[names[entropy.below(len(names))]]
    kinds = operation.classes
    return (operation.name, *operation.propose(entropy, width, kinds[entropy.below(len(kinds))]))


def _result_digits(inner: Expression, width: int) -> str:
    return written_result(OPERATIONS[str(inner[0])], evaluate(inner, width), width)


def _flipped(digits: str, position: int) -> str:
    """``digits`` with one of them, counted from 1 at the left, turned over; 0 turns none."""
    if not position:
        return digits
    other = ZERO if digits[position - 1] == ONE else ONE
    return digits[: position - 1] + other + digits[position:]


# ---------------------------------------------------------------- a computation shown with its result


def _shown(entropy: Entropy, width: int, wanted: int, task: str) -> Expression:
    """``wanted``: 0 shows the right result, 1 one with a wrong digit."""
    inner = _drawn(_SHOWN, entropy, width)
    digits = len(_result_digits(inner, width))
    return (task, inner, 1 + entropy.below(digits) if wanted else 0)


def _equation(expression: Expression, width: int) -> str:
    inner = _computation(expression)
    return f"{written_expression(inner, width)} = {_flipped(_result_digits(inner, width), _last(expression))}"


def _last(expression: Expression) -> int:
    number = expression[-1]
    assert isinstance(number, int)
    return number


# ---------------------------------------------------------------- the other tasks


def _blanked(entropy: Entropy, width: int, wanted: int) -> Expression:
    inner = _drawn(_SHOWN, entropy, width)
    return ("fill_blank", inner, 1 + entropy.below(len(_result_digits(inner, width))))


def _with_blank(expression: Expression, width: int) -> str:
    inner = _computation(expression)
    digits, at = _result_digits(inner, width), _last(expression)
    return f"{written_expression(inner, width)} = {digits[: at - 1]}{BLANK}{digits[at:]}"


def _reversed(entropy: Entropy, width: int, wanted: int) -> Expression:
    return ("reverse", _drawn(_REVERSIBLE, entropy, width), 1 + entropy.below(2))


def _with_operand_hidden(expression: Expression, width: int) -> str:
    inner, hidden = _computation(expression), _last(expression)
    parts = ["?" if i == hidden else write(n, width) for i, n in enumerate(_numbers(inner), 1)]
    return f"{inner[0]}({', '.join(parts)}) = {_result_digits(inner, width)}"


def _pair(entropy: Entropy, width: int, wanted: int) -> Expression:
    name = ("lessthan", "greaterthan")[entropy.below(2)] if wanted != 2 else "equals"
    a, b = OPERATIONS[name].propose(entropy, width, 1)
    return ("comparison", a, b)


def _sign(expression: Expression, width: int) -> str:
    a, b = _numbers(expression)
    return "<" if a < b else ">" if a > b else "="


def _with_property(entropy: Entropy, width: int, wanted: int) -> Expression:
    which = entropy.below(len(_PROPERTIES))
    value = entropy.below(1 << width)
    if which == 0:
        value = value & ~1 if wanted else value | 1
    elif wanted:
        value = 1 << entropy.below(width)
    elif _is_power(value):
        value ^= (1 << width) - 1 if width > 1 else 1
    return ("properties", value, which)


def _is_power(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


def _has_property(expression: Expression, width: int) -> str:
    value, which = _numbers(expression)
    return ONE if (_is_power(value) if which else value % 2 == 0) else ZERO


def _maybe_overflowing(entropy: Entropy, width: int, wanted: int) -> Expression:
    inner = _drawn(_SIGNED, entropy, width)
    for _ in range(_TRIES):
        if (evaluate(inner, width) is None) == bool(wanted):
            break
        inner = _drawn(_SIGNED, entropy, width)
    return ("overflow", inner)


_ALL = (
    Task(
        "true_false",
        "easy",
        "True or false",
        lambda e, w, c: _shown(e, w, 1 - c, "true_false"),
        _equation,
        lambda x, w: ZERO if _last(x) else ONE,
        classes=(0, 1),
        verdict=True,
    ),
    Task(
        "error_detection",
        "medium",
        "Find the wrong digit",
        lambda e, w, c: _shown(e, w, c, "error_detection"),
        _equation,
        lambda x, w: str(_last(x)) if _last(x) else NONE,
        classes=(1, 1, 1, 0),
    ),
    Task(
        "fill_blank",
        "easy",
        "Fill the blank",
        _blanked,
        _with_blank,
        lambda x, w: _result_digits(_computation(x), w)[_last(x) - 1],
    ),
    Task(
        "comparison",
        "easy",
        "Compare",
        _pair,
        lambda x, w: " ? ".join(write(n, w) for n in _numbers(x)),
        _sign,
        classes=(0, 1, 2),
        primitives=("binary_compare",),
    ),
    Task(
        "properties",
        "easy",
        "Is it",
        _with_property,
        lambda x, w: f"{_PROPERTIES[_numbers(x)[1]]}? {write(_numbers(x)[0], w)}",
        _has_property,
        classes=(0, 1),
        verdict=True,
    ),
    Task(
        "overflow",
        "medium",
        "Does it overflow",
        _maybe_overflowing,
        lambda x, w: written_expression(_computation(x), w),
        lambda x, w: ONE if evaluate(_computation(x), w) is None else ZERO,
        classes=(0, 1),
        verdict=True,
        primitives=("overflow_detection",),
    ),
    Task(
        "reverse",
        "medium",
        "Find the operand",
        _reversed,
        _with_operand_hidden,
        lambda x, w: write(_numbers(_computation(x))[_last(x) - 1], w),
    ),
)

TASKS: dict[str, Task] = {task.name: task for task in _ALL}


def class_of(expression: Expression, width: int) -> int:
    """The class of a verdict task's expression: 1 where the answer is true."""
    return int(TASKS[str(expression[0])].result(expression, width) == ONE)


def identity(expression: Expression) -> bytes:
    """The digest of a task: its computation's own digest decides the side, the rest tells tasks on one computation apart."""
    whole = problem_hash(canonical(expression))
    inner = inner_of(expression)
    return whole if inner is None else problem_hash(canonical(inner))[:_HEAD] + whole[_HEAD:]


def task_prompt(expression: Expression, width: int, signal: str) -> str:
    """The task's head, the tier's signal, and what is asked."""
    task = TASKS[str(expression[0])]
    return f"{task.head}{' ' + signal if signal else ''}: {task.asked(expression, width)}"


def task_answer(expression: Expression, width: int, tier: str) -> str:
    """The work of the tier, then the result alone."""
    result = TASKS[str(expression[0])].result(expression, width)
    if tier == "easy":
        return result
    inner = inner_of(expression)
    if inner is None:
        return f"{_in_decimal(expression)}\n{result}"
    value = evaluate(inner, width)
    written = written_result(OPERATIONS[str(inner[0])], value, width)
    lines = [f"{written_expression(inner, width)} = {written}"]
    lines.append(f"{decimal_expression(inner)} = {OVERFLOW if value is None else value}")
    if tier in ("hard", "expert"):
        lines = work_of(inner, width, tier) + lines
    return "\n".join([*lines, result])


def _in_decimal(expression: Expression) -> str:
    numbers = _numbers(expression)
    if expression[0] == "comparison":
        return f"{numbers[0]} {_sign(expression, 0)} {numbers[1]}"
    return str(numbers[0])


def task_primitives(expression: Expression, of_inner: Callable[[Expression], tuple[str, ...]]) -> tuple[str, ...]:
    """What the task exercises: its own primitives and those of its computation, without repeats."""
    inner = inner_of(expression)
    own = TASKS[str(expression[0])].primitives
    return tuple(dict.fromkeys((*own, *(of_inner(inner) if inner is not None else ()))))

"""Small Python programs, followed line by line; their values are worked out beside their text, and nothing is ever run."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from skills.primitives.material import joined
from skills.primitives.rows import Item, asked_in_row, fair, row, row_score
from skills.streams import Kind, Made

_MOST = 9_999
"""Values stay between this and its negative."""
_NAMES = "abcd"


def _program(lines: list[str], answer: int) -> Made:
    code = joined(lines, "\n")
    return Made(code, f"Prints?\n{code}", str(answer))


# ---- assignments


def _assignment(random: Random, level: int) -> Made:
    names = _NAMES[: 2 + (level >= 4) + (level >= 7)]
    known: dict[str, int] = {}
    lines = []
    for name in names:
        known[name] = random.randrange(2, 100)
        lines.append(f"{name} = {known[name]}")
    changes = 1 + level // 2
    while changes:
        name, value, text = _changed(random, known, level)
        if abs(value) <= _MOST:
            known[name] = value
            lines.append(text)
            changes -= 1
        if level >= 7 and random.random() < 0.2:
            one, other = random.sample(names, 2)
            known[one], known[other] = known[other], known[one]
            lines.append(f"{one}, {other} = {other}, {one}")
    shown = name if level < 4 or random.random() < 0.7 else random.choice(names)
    return _program([*lines, f"print({shown})"], known[shown])


def _changed(random: Random, known: dict[str, int], level: int) -> tuple[str, int, str]:
    """A variable, its new value, and the line that gives it."""
    one, other = random.sample(sorted(known), 2)
    few = random.randrange(2, 20)
    changes: list[tuple[str, int]] = [
        (f"{one} = {other} + {few}", known[other] + few),
        (f"{one} += {few}", known[one] + few),
        (f"{one} = {one} + {other}", known[one] + known[other]),
        (f"{one} = {other} - {few}", known[other] - few),
        (f"{one} -= {other}", known[one] - known[other]),
        (f"{one} = {few} - {other}", few - known[other]),
        (f"{one} = {other} * {few % 5 + 2}", known[other] * (few % 5 + 2)),
        (f"{one} *= {few % 3 + 2}", known[one] * (few % 3 + 2)),
        (f"{one} = {other} // {few}", known[other] // few),
        (f"{one} = {other} % {few}", known[other] % few),
    ]
    text, value = random.choice(changes[: min(2 + level, len(changes))])
    return one, value, text


# ---- conditions


def _near(random: Random, value: int) -> int:
    return value + random.randint(-9, 9)


_TESTS: tuple[tuple[str, Callable[[int, int], bool]], ...] = (
    (">", lambda a, b: a > b),
    ("<", lambda a, b: a < b),
    (">=", lambda a, b: a >= b),
    ("<=", lambda a, b: a <= b),
    ("==", lambda a, b: a == b),
    ("!=", lambda a, b: a != b),
)


def _test(random: Random, known: dict[str, int], level: int) -> tuple[str, bool]:
    """A comparison of a variable with a number near it or with another variable, and whether it holds."""
    name = random.choice(sorted(known))
    sign, holds = random.choice(_TESTS[:2] if level < 3 else _TESTS)
    if level >= 5 and len(known) > 1 and random.random() < 0.4:
        other = random.choice([n for n in sorted(known) if n != name])
        return f"{name} {sign} {other}", holds(known[name], known[other])
    bound = known[name] if random.random() < 0.2 else _near(random, known[name])
    return f"{name} {sign} {bound}", holds(known[name], bound)


def _condition(random: Random, known: dict[str, int], level: int) -> tuple[str, bool]:
    text, value = _test(random, known, level)
    if level >= 6 and random.random() < 0.5:
        second, other = _test(random, known, level)
        return (
            (f"{text} and {second}", value and other)
            if random.random() < 0.5
            else (f"{text} or {second}", value or other)
        )
    return text, value


def _if_else(random: Random, level: int) -> Made:
    known = {name: random.randrange(2, 100) for name in _NAMES[: 1 if level < 4 else 2]}
    lines = [f"{name} = {value}" for name, value in known.items()]
    result = random.randrange(100)
    lines.append(f"r = {result}")
    for _ in range(1 if level < 8 else 2):
        texts, taken = [], False
        for branch in ("if", "elif", "else") if level >= 3 else ("if", "else"):
            few = random.randrange(2, 30)
            condition, holds = ("", True) if branch == "else" else _condition(random, known, level)
            way = random.randrange(3 if level >= 2 else 2)
            if way == 2:
                name = random.choice(sorted(known))
                step, value = f"r = {name} + {few}", known[name] + few
            else:
                step, value = (f"r += {few}", result + few) if way else (f"r -= {few}", result - few)
            texts.append(f"{branch}{' ' if condition else ''}{condition}: {step}")
            if holds and not taken:
                taken, new = True, value
        lines += texts
        result = new
    return _program([*lines, "print(r)"], result)


# ---- loops


def _loop(random: Random, level: int) -> Made:
    start, few, times = random.randrange(300), random.randint(2, 40), random.randint(2, 4 + level // 2)
    total, other = start, random.randrange(1, 10)
    way = random.randrange(min(level, 7))
    first = random.randrange(4) if level >= 5 else 0
    lines = [f"t = {start}"]
    span = f"range({times})" if not first else f"range({first}, {first + times})"
    body = ""
    if way == 4:
        lines.append(f"u = {other}")
    for i in range(first, first + times):
        match way:
            case 0:
                body, total = f"t += {few}", total + few
            case 1:
                body, total = f"t -= {few}", total - few
            case 2:
                body, total = f"t += i + {few}", total + i + few
            case 3:
                body, total = f"t += {few} * i", total + few * i
            case 4:
                body, total, other = f"t += u; u += {few}", total + other, other + few
            case 5:
                body, total = f"t += {few} if i % 2 else i", total + (few if i % 2 else i)
            case _:
                body, total = f"t = {few + 5} - t + i", few + 5 - total + i
    return _program([*lines, f"for i in {span}: {body}", "print(t)"], total)


# ---- Boolean expressions


def _bool_expr(random: Random, level: int) -> Made:
    known = {name: random.randrange(2, 50) for name in _NAMES[: 2 if level < 6 else 3]}

    def one(random: Random) -> Item:
        text, value = _test(random, known, max(3, level))
        if level >= 2 and random.random() < 0.4:
            text, value = f"not {text}", not value
        for _ in range(level // 3):
            second, other = _test(random, known, level)
            if random.random() < 0.5:
                text, value = f"({text}) and {second}", value and other
            else:
                text, value = f"{second} or ({text})", other or value
        return text, str(value)

    head = joined([f"{name} = {value}" for name, value in known.items()], ", ")
    items = row(random, 3 if level < 7 else 4, fair(one, ("True", "False")))
    made = asked_in_row(f"True or False? {head}", items)
    return Made(f"{head}|{made.canonical}", made.prompt, made.answer)


# ---- functions


def _function_call(random: Random, level: int) -> Made:
    few, more, given, second = (random.randrange(2, most) for most in (60, 60, 250, 60))
    factor, bound = random.randint(2, 4), random.randint(20, 230)
    ways: list[tuple[list[str], int]] = [
        ([f"def f(x): return x + {few}", f"print(f({given}))"], given + few),
        ([f"def f(x): return {few + 60} - x", f"print(f({given}))"], few + 60 - given),
        ([f"def f(x, y): return x + {few} - y", f"print(f({given}, {second}))"], given + few - second),
        ([f"def f(x): return {factor} * x + {few}", f"print(f({given}))"], factor * given + few),
        ([f"def f(x): return x - {few}", f"print(f(f({given})) + {more})"], given - 2 * few + more),
        (
            [f"def f(x): return x + {few}", f"def g(x): return f(x) * {factor}", f"print(g({given}))"],
            (given + few) * factor,
        ),
        (
            [f"def f(x, y={few}): return x + {factor} * y", f"print(f({given}) - f({second}, {more}))"],
            given + factor * few - second - factor * more,
        ),
        (
            [f"def f(x): return x + {few} if x > {bound} else {more} - x", f"print(f({given}))"],
            given + few if given > bound else more - given,
        ),
        (
            [
                f"def f(x): return x if x < {few} else f(x - {few})",
                f"print(f({given + second}))",
            ],
            (given + second) % few,
        ),
        (
            [
                f"def f(x): return x % {few}",
                f"def g(x, y): return f(x) - f(y) * {factor}",
                f"print(g({given + more}, {second}))",
            ],
            (given + more) % few - second % few * factor,
        ),
    ]
    newest = min(level, len(ways))
    lines, value = ways[newest - 1 if random.random() < 0.4 else random.randrange(newest)]
    if newest == 1:
        # The first rung asks one form only: numbers to a hundred keep it from running out.
        lines, value = (
            [f"def f(x): return x + {few + more}", f"print(f({given + second}))"],
            few + more + given + second,
        )
    return _program(lines, value)


KINDS = (
    Kind("trace_assignment", _assignment),
    Kind("trace_if_else", _if_else),
    Kind("trace_loop_fixed", _loop),
    Kind("eval_bool_expr", _bool_expr, score=row_score),
    Kind("function_call_trace", _function_call),
)

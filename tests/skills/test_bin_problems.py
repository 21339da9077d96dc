"""Binary Alchemy: every answer is right, computed here a second time from the prompt alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills.contract import Problem
from skills.registry import get_skill

BIN = get_skill("bin")
LEVELS = range(1, 31)
ALL = BIN.operations(30, "plain")
UNSIGNED_WIDER = {"add", "increment", "multiply_by_2"}
VERDICTS = {"equals", "lessthan", "greaterthan"}
SIGNED = {"add_signed", "subtract_signed", "multiply_signed", "negate", "absolute_value", "sign_of"}
SIGNAL = {
    "easy": "Compute: ",
    "medium": "Compute [verify]: ",
    "hard": "Compute [show-work]: ",
    "expert": "Compute [trace]: ",
}
TOKEN = re.compile(r"[a-z_0-9]*[a-z_]\w*|[⓪①]+|-?\d+|[(),]")


def width_of(level: int) -> int:
    return 32 if level == 30 else level + 1


def unwritten(text: str) -> str:
    return text.replace("⓪", "0").replace("①", "1")


class OverflowedError(Exception):
    """A signed result that does not fit."""


def second_opinion(name: str, args: list[int], width: int) -> int:
    """An implementation of its own, by name, on plain integers."""
    top = 1 << width
    if name in SIGNED:
        a, *rest = (x - top if x >= top // 2 else x for x in args)
        signed: dict[str, Callable[[], int]] = {
            "add_signed": lambda: a + rest[0],
            "subtract_signed": lambda: a - rest[0],
            "multiply_signed": lambda: a * rest[0],
            "negate": lambda: 0 - a,
            "absolute_value": lambda: -a if a < 0 else a,
            "sign_of": lambda: -1 if a < 0 else 1 if a > 0 else 0,
        }
        result = signed[name]()
        if not -(top // 2) <= result < top // 2:
            raise OverflowedError
        return result % top
    a, b = args[0], args[-1]
    strings = [format(x, f"0{width}b") for x in args]

    def columns(rule: str) -> int:
        return int("".join("1" if rule[int(x) + int(y)] == "1" else "0" for x, y in zip(*strings, strict=True)), 2)

    table: dict[str, Callable[[], int]] = {
        "add": lambda: a + b,
        "subtract": lambda: a - b,
        "multiply": lambda: sum(a for _ in range(b)) if b < 64 else a * b,
        "divide": lambda: (a - a % b) // b,
        "increment": lambda: a + 1,
        "decrement": lambda: a - 1,
        "equals": lambda: int(strings[0] == strings[-1]),
        "lessthan": lambda: int(strings[0] < strings[-1]),
        "greaterthan": lambda: int(strings[0] > strings[-1]),
        "minimum": lambda: sorted(args)[0],
        "maximum": lambda: sorted(args)[-1],
        "and": lambda: columns("001"),
        "or": lambda: columns("011"),
        "xor": lambda: columns("010"),
        "not": lambda: top - 1 - a,
        "multiply_by_2": lambda: a + a,
        "divide_by_2": lambda: int(strings[0][:-1] or "0", 2),
        "tobinary": lambda: a,
        "todecimal": lambda: a,
    }
    return table[name]()


def read_prompt(problem: Problem) -> tuple[list[str], str, int | None]:
    """The operations in a prompt, the outermost first, and the value of the expression (None: overflow)."""
    width = width_of(problem.level)
    head = SIGNAL[problem.tier]
    assert problem.prompt.startswith(head)
    tokens = TOKEN.findall(problem.prompt.removeprefix(head))
    names: list[str] = []

    def parse(at: int, parent: str) -> tuple[int, int]:
        token = tokens[at]
        if set(token) <= {"⓪", "①"}:
            assert len(token) == width, f"operand {token} is not padded to {width}"
            return int(unwritten(token), 2), at + 1
        if re.fullmatch(r"\d+", token):
            assert parent == "tobinary"
            return int(token), at + 1
        names.append(token)
        assert tokens[at + 1] == "("
        args, at = [], at + 2
        while tokens[at - 1] != ")":
            value, at = parse(at, token)
            args.append(value)
            assert tokens[at] in ",)"
            at += 1
        value = second_opinion(token, args, width)
        assert value >= 0, "an unsigned result is never negative"
        return value, at

    try:
        value, end = parse(0, "")
    except OverflowedError:
        return names, tokens[0], None
    assert end == len(tokens)
    return names, tokens[0], value


def check(problem: Problem) -> None:
    width = width_of(problem.level)
    names, outer, value = read_prompt(problem)
    if problem.operation == "chain":
        least, most = {"easy": (2, 2), "medium": (2, 2), "hard": (2, 3), "expert": (3, 5)}[problem.tier]
        assert least <= len(names) <= most
    elif problem.operation == "sign_rules":
        assert outer in ("subtract_signed", "multiply_signed") and "negate" in names
    else:
        assert names == [problem.operation]
    if value is None:
        expected = "overflow"
    elif outer == "todecimal":
        expected = str(value)
    elif outer in VERDICTS:
        expected = "①" if value else "⓪"
    else:
        digits = width + 1 if outer in UNSIGNED_WIDER else width
        expected = format(value, f"0{digits}b").replace("0", "⓪").replace("1", "①")
        assert len(expected) == digits, "the product, quotient or difference fits its width"
    expression = problem.prompt.split(": ", 1)[1]
    if problem.tier == "easy":
        assert problem.answer == expected
        return
    lines = problem.answer.splitlines()
    assert lines[-2] == f"{expression} = {expected}"
    if problem.tier == "medium":
        assert len(lines) == 2
    assert check_decimal_line(lines[-1], problem, value, outer, width)


def check_decimal_line(line: str, problem: Problem, value: int | None, outer: str, width: int) -> bool:
    stated = line.rsplit(" = ", 1)[1]
    if value is None:
        return stated == "overflow"
    if outer == "tobinary":
        return line.startswith("todecimal(") and int(stated) == value
    if outer == "todecimal":
        return line.startswith(f"tobinary({value})") and int(unwritten(stated), 2) == value
    meant = value - 2**width if outer in SIGNED and value >= 2 ** (width - 1) else value
    return int(stated) == meant and not set(line) & {"⓪", "①"}


@pytest.mark.parametrize("level", LEVELS)
def test_every_answer_is_right_in_training_and_exam(level: int) -> None:
    for split in ("train", "exam"):
        tiers = set()
        for index in range(4 * len(ALL)):
            problem = BIN.generate(level, index, split, "plain")
            check(problem)
            tiers.add(problem.tier)
        assert {"easy", "medium", "hard"} <= tiers
    for index in range(28):
        problem = BIN.generate(level, index, "train", "hatchling")
        assert problem.tier == "easy"
        check(problem)


@pytest.mark.parametrize("operation", ALL)
def test_every_operation_in_every_tier_it_is_asked_in(operation: str) -> None:
    seen: dict[str, int] = {}
    for level in (1, 2, 3, 7, 16, 30):
        for index in range(120):
            problem = BIN.generate(level, index, "train", "plain", operation=operation)
            assert problem.operation == operation
            check(problem)
            seen[problem.tier] = seen.get(problem.tier, 0) + 1
    first = ("easy", "medium", "hard", "expert").index(
        BIN.generate(1, 0, "train", "hatchling", operation=operation).tier
    )
    assert first == 0, "a mix that asks only the easy tier keeps to it"
    lowest = min(("easy", "medium", "hard", "expert").index(t) for t in seen)
    assert set(seen) == set(("easy", "medium", "hard", "expert")[lowest:])


@given(level=st.integers(1, 30), index=st.integers(0, 10**15), operation=st.sampled_from(ALL))
def test_any_training_problem_is_right_and_always_the_same(level: int, index: int, operation: str) -> None:
    problem = BIN.generate(level, index, "train", "plain", operation=operation)
    check(problem)
    assert BIN.generate(level, index, "train", "plain", operation=operation) == problem


def test_the_four_tiers_show_more_and_more_work() -> None:
    by_tier: dict[str, Problem] = {}
    for index in range(400):
        problem = BIN.generate(6, index, "train", "plain", operation="add")
        by_tier.setdefault(problem.tier, problem)
    lines = {tier: by_tier[tier].answer.splitlines() for tier in ("easy", "medium", "hard", "expert")}
    assert [len(lines[t]) for t in ("easy", "medium", "hard")] == [1, 2, 3]
    assert lines["hard"][0].startswith("carry: ")
    assert len(lines["expert"]) == 3 + 7, "the trace shows every column of seven digits"


def test_signed_results_that_do_not_fit_are_called_overflow_and_are_neither_rare_nor_the_rule() -> None:
    for operation in ("add_signed", "subtract_signed", "multiply_signed"):
        for level in (3, 12, 30):
            problems = [BIN.generate(level, i, "train", "plain", operation=operation) for i in range(200)]
            share = sum("overflow" in p.answer for p in problems) / 200
            assert 0.1 < share < 0.45, (operation, level, share)


def test_sign_rules_are_named_in_the_work() -> None:
    seen = set()
    for index in range(60):
        problem = BIN.generate(5, index, "train", "plain", operation="sign_rules")
        seen.add(problem.answer.splitlines()[0])
    assert seen == {"a−(−b) = a+b", "neg×neg = pos", "neg×pos = neg"}


@pytest.mark.parametrize("operation", ["equals", "lessthan", "greaterthan"])
def test_half_of_the_verdicts_are_true(operation: str) -> None:
    for level in (1, 4, 12, 30):
        answers = [BIN.generate(level, i, "train", "hatchling", operation=operation).answer for i in range(600)]
        assert 240 < answers.count("①") < 360
        pool = BIN.held_out(level, "hatchling", operation, 200)
        exam = [BIN.generate(level, i, "exam", "hatchling", operation=operation).answer for i in range(pool)]
        assert exam.count("①") == exam.count("⓪")


@pytest.mark.parametrize("operation", ["lessthan", "greaterthan", "minimum", "maximum"])
def test_half_of_the_comparisons_share_a_prefix(operation: str) -> None:
    shared = 0
    for index in range(400):
        prompt = BIN.generate(20, index, "train", "hatchling", operation=operation).prompt
        a, b = re.findall("[⓪①]+", prompt)
        shared += a[:3] == b[:3]
    assert 0.4 < shared / 400 < 0.65, "by chance only an eighth would"


def test_primitives_tell_carries_from_plain_columns() -> None:
    known = {p.name for p in BIN.config.primitives}
    for index in range(300):
        problem = BIN.generate(6, index, "train", "plain", operation="add")
        a, b = (int(unwritten(x), 2) for x in re.findall("[⓪①]+", problem.prompt))
        carries = bin(a + b).count("1") != bin(a).count("1") + bin(b).count("1")
        assert problem.primitives == (("binary_add_with_carry",) if carries else ("binary_add_no_carry",))
    for operation in ALL:
        assert set(BIN.generate(6, 1, "train", "plain", operation=operation).primitives) <= known

"""The work shown in the hard and expert tiers: every line of it is true, read here on its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest

from skills.contract import Problem
from skills.registry import get_skill
from tests.skills.test_bin_problems import ALL, OverflowedError, second_opinion, width_of

BIN = get_skill("bin")
B = "([⓪①]+)"
N = r"(-?\d+)"


def number(bits: str) -> int:
    return int(bits.replace("⓪", "0").replace("①", "1"), 2)


def signed(bits: str) -> int:
    value = number(bits)
    return value - (1 << len(bits)) if bits[0] == "①" else value


def operands(problem: Problem) -> list[int]:
    return [number(x) for x in re.findall(B, problem.prompt)]


def inner(problem: Problem, found: Sequence[str]) -> bool:
    name, bits, result = found
    width = width_of(problem.level)
    try:
        return second_opinion(name, [number(x) for x in re.findall(B, bits)], width) == number(result)
    except OverflowedError:
        return False


def carries(problem: Problem, found: Sequence[str]) -> bool:
    a, b = [*operands(problem), 1][:2]
    kept = [int(x) for x in reversed(found[0].replace("⓪", "0").replace("①", "1"))]
    into = [0]
    for i in range(len(kept) - 1):
        into.append(((a >> i & 1) + (b >> i & 1) + into[-1]) // 2)
    return kept == into


def borrows(problem: Problem, found: Sequence[str]) -> bool:
    a, b = [*operands(problem), 1][:2]
    kept = [int(x) for x in reversed(found[0].replace("⓪", "0").replace("①", "1"))]
    into = [0]
    for i in range(len(kept) - 1):
        into.append(int((a >> i & 1) - (b >> i & 1) - into[-1] < 0))
    return kept == into


def digit_pairs(problem: Problem, found: Sequence[str]) -> bool:
    columns = found[0].split(" ")
    written = re.findall(B, problem.prompt)
    return ["".join(column) for column in zip(*columns, strict=True)] == written


def first_difference(problem: Problem, found: Sequence[str]) -> bool:
    a, b = re.findall(B, problem.prompt)
    at = int(found[0]) - 1
    return bool(a[:at] == b[:at] and a[at] != b[at])


def partials(problem: Problem, found: Sequence[str]) -> bool:
    a, b = operands(problem)
    parts = [] if found[0] == "none" else [number(x) for x in found[0].split(", ")]
    return sum(parts) == a * b and len(parts) <= b.bit_length()


def sign(value: int) -> str:
    return "neg" if value < 0 else "pos" if value > 0 else "zero"


def sign_product(problem: Problem, found: Sequence[str]) -> bool:
    a, b = (signed(x) for x in re.findall(B, problem.prompt))
    return list(found) == [sign(a), sign(b), sign(a * b)]


LINES: list[tuple[str, Callable[[Problem, Sequence[str]], bool]]] = [
    (rf"(\w+)\((.+)\) = {B}", inner),
    (f"carry: {B}", carries),
    (f"borrow: {B}", borrows),
    (rf"{B}\+{B}\+{B} = {B}", lambda p, f: number(f[0]) + number(f[1]) + number(f[2]) == number(f[3])),
    (
        f"{B}−{B}−{B} = {B}, borrow {B}",
        lambda p, f: number(f[0]) - number(f[1]) - number(f[2]) == number(f[3]) - 2 * number(f[4]),
    ),
    (r"partial: (.+)", partials),
    (rf"{B} \+ {B} = {B}", lambda p, f: number(f[0]) + number(f[1]) == number(f[2])),
    (f"remainder: {B}", lambda p, f: number(f[0]) == operands(p)[0] % operands(p)[1]),
    (f"{B}, rest {B}", lambda p, f: number(f[1]) < operands(p)[1]),
    (r"first difference: digit (\d+)", first_difference),
    ("no difference", lambda p, f: len(set(operands(p))) == 1),
    ("digits: (.+)", digit_pairs),
    (f"{B} = {B}", lambda p, f: f[0] == f[1]),
    (f"{B} < {B}", lambda p, f: number(f[0]) < number(f[1])),
    (f"{B} > {B}", lambda p, f: number(f[0]) > number(f[1])),
    (f"{B} (and|or|xor) {B} = {B}", lambda p, f: second_opinion(f[1], [number(f[0]), number(f[2])], 1) == number(f[3])),
    (f"not {B} = {B}", lambda p, f: {f[0], f[1]} == {"⓪", "①"}),
    ("append: ⓪", lambda p, f: p.operation == "multiply_by_2"),
    (f"drop: {B}", lambda p, f: number(f[0]) == operands(p)[0] % 2),
    (rf"{N} = ([\d +]+)", lambda p, f: sum(map(int, f[1].split(" + "))) == int(f[0])),
    (rf"{N} × 2 \+ ([01]) = {N}", lambda p, f: 2 * int(f[0]) + int(f[1]) == int(f[2])),
    (rf"{N} / 2 = {N}, digit {B}", lambda p, f: int(f[0]) == 2 * int(f[1]) + number(f[2])),
    (f"{B} = {N}", lambda p, f: signed(f[0]) == int(f[1])),
    (
        rf"range: {N}\.\.{N}",
        lambda p, f: int(f[1]) - int(f[0]) + 1 == 1 << width_of(p.level) and int(f[0]) + int(f[1]) == -1,
    ),
    (r"(neg|pos|zero)×(neg|pos|zero) = (neg|pos|zero)", sign_product),
    (f"leading digit: {B}", lambda p, f: re.findall(B, p.prompt)[0].startswith(f[0])),
    (f"flip: {B}", lambda p, f: number(f[0]) == (1 << width_of(p.level)) - 1 - operands(p)[0]),
    (f"add ①: {B}", lambda p, f: (number(f[0]) + operands(p)[0]) % (1 << width_of(p.level)) == 0),
]
RULES = {"a−(−b) = a+b", "neg×neg = pos", "neg×pos = neg"}


def true_line(problem: Problem, line: str) -> bool:
    if problem.operation == "sign_rules" and line in RULES:
        return True
    for pattern, holds in LINES:
        found = re.fullmatch(pattern, line)
        if found and holds(problem, found.groups()):
            return True
    return False


@pytest.mark.parametrize("operation", ALL)
def test_every_line_of_the_work_is_true(operation: str) -> None:
    shown = 0
    for level in (1, 2, 5, 11, 30):
        for index in range(150):
            problem = BIN.generate(level, index, "train", "plain", operation=operation)
            if problem.tier in ("hard", "expert"):
                *work, _, _ = problem.answer.splitlines()
                shown += len(work)
                for line in work:
                    assert true_line(problem, line), (problem.prompt, line)
    assert shown > 50


def test_a_wrong_line_would_be_seen() -> None:
    """The reader above accepts nothing it should not."""
    problem = next(
        p
        for p in (BIN.generate(5, i, "train", "plain", operation="add") for i in range(400))
        if p.tier == "expert" and p.primitives == ("binary_add_with_carry",)
    )
    for wrong in ("carry: ⓪⓪⓪⓪⓪⓪⓪", "①+①+⓪ = ①①", "⓪① = 2", "5 = 4 + 2", "neg×neg = pos", "add(⓪⓪⓪⓪⓪①, ⓪⓪⓪⓪⓪①) = ①①"):
        assert not true_line(problem, wrong), wrong

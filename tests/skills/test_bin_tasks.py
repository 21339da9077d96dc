"""Tasks around a computation, and the symbol language: every answer is right by a second opinion, no twin crosses the split."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from skills.contract import Problem, Result
from skills.registry import get_skill
from tests.skills.test_bin_problems import OverflowedError, second_opinion, width_of

BIN = get_skill("bin")
TASKS = ("true_false", "error_detection", "fill_blank", "comparison", "properties", "overflow", "reverse")
BITS = "[⓪①]+"


def number(bits: str) -> int:
    return int(bits.replace("⓪", "0").replace("①", "1"), 2)


def plain(problem: Problem) -> tuple[str, str]:
    """Prompt and answer without symbols, translated here on its own."""
    key = problem.meta.get("key")
    if not key:
        return problem.prompt, problem.answer
    head, _, prompt = problem.prompt.partition("\n")
    assert head == "Key: " + ", ".join(f"{word} = {meaning}" for word, meaning in key.items())
    out = []
    for text in (prompt, problem.answer):
        for word, meaning in key.items():
            text = re.sub(rf"\b{word}\b", meaning, text)
        while (closer := re.sub("([⓪①_]) ([⓪①_])", r"\1\2", text)) != text:
            text = closer
        out.append(text)
    return out[0], out[1]


def computed(call: str, problem: Problem) -> str | None:
    """The digits of `name(bits, bits)`; None: overflow."""
    found = re.fullmatch(r"(\w+)\((.*)\)", call)
    assert found is not None
    name, operands = found.groups()
    width = width_of(problem.level)
    try:
        value = second_opinion(name, [number(b) for b in re.findall(BITS, operands)], width)
    except OverflowedError:
        return None
    digits = width + 1 if name in ("add", "increment") else width
    return format(value, f"0{digits}b").replace("0", "⓪").replace("1", "①")


def second_answer(problem: Problem) -> str:
    prompt, _ = plain(problem)
    head, asked = prompt.split(": ", 1)
    if head.startswith("Compare"):
        a, b = (number(x) for x in asked.split(" ? "))
        return "<" if a < b else ">" if b < a else "="
    if head.startswith("Is it"):
        which, bits = asked.split("? ")
        ones = bits.count("①")
        return "①" if (ones == 1 if which == "power of two" else bits.endswith("⓪")) else "⓪"
    if head.startswith("Does it overflow"):
        return "①" if computed(asked, problem) is None else "⓪"
    call, shown = asked.split(" = ")
    if head.startswith("Find the operand"):
        width = width_of(problem.level)
        name = call.split("(")[0]
        result, known = number(shown), number(re.findall(BITS, call)[0])
        first = call.split("(")[1].startswith("?")
        solved = {
            "add": result - known,
            "xor": result ^ known,
            "subtract": result + known if first else known - result,
        }[name]
        fits = format(solved, f"0{width}b").replace("0", "⓪").replace("1", "①")
        assert computed(call.replace("?", fits), problem) == shown
        return fits
    right = computed(call, problem)
    assert right is not None
    if head.startswith("True or false"):
        return "①" if right == shown else "⓪"
    wrong = [i for i, (a, b) in enumerate(zip(right, shown, strict=True), 1) if a != b]
    assert len(wrong) <= 1
    if head.startswith("Fill the blank"):
        return right[wrong[0] - 1]
    return str(wrong[0]) if wrong else "none"


@pytest.mark.parametrize("task", TASKS)
def test_every_answer_of_a_task_is_right(task: str) -> None:
    for level in (4, 7, 8, 15, 30):
        problems = [BIN.generate(level, i, "train", "full", operation=task) for i in range(60)]
        problems += [BIN.generate(level, i, "exam", "full", operation=task) for i in range(40)]
        for problem in problems:
            prompt, answer = plain(problem)
            assert answer.splitlines()[-1] == second_answer(problem), prompt
            assert (len(answer.splitlines()) == 1) == (problem.tier == "easy")
            assert BIN.score(problem, problem.answer).result is Result.CRIT
            last = problem.answer.splitlines()[-1]
            assert BIN.score(problem, f"I think the answer is {last}").correct
            assert not BIN.score(problem, "no idea").correct


@pytest.mark.parametrize("task", ["true_false", "properties", "overflow"])
def test_verdicts_are_asked_equally_often(task: str) -> None:
    asked = Counter(plain(BIN.generate(6, i, "exam", "full", operation=task))[1][-1] for i in range(60))
    assert abs(asked["①"] - asked["⓪"]) <= 2
    assert BIN.chance(task, 6) == 0.5


def test_a_task_on_a_computation_stays_on_its_side_of_the_split() -> None:
    """Whoever has learnt that add(3, 5) = 8 is not examined on whether add(3, 5) = 8 is true."""
    sides: dict[str, str] = {}
    for split in ("train", "exam"):
        for index in range(1500):
            problem = BIN.generate(3, index, split, "plain")
            if problem.operation in ("add", "subtract", "and", "or", "xor", "minimum", "maximum", "add_signed"):
                sides[plain(problem)[0].split(": ")[1]] = split
    met = 0
    for split in ("train", "exam"):
        for task in ("true_false", "error_detection", "fill_blank", "overflow"):
            for index in range(400):
                problem = BIN.generate(3, index, split, "full", operation=task)  # type: ignore[arg-type]
                call = plain(problem)[0].split(": ", 1)[1].split(" = ")[0]
                if call in sides:
                    met += 1
                    assert sides[call] == split
    assert met > 300


def test_from_level_eight_on_three_in_four_are_spelt_in_symbols() -> None:
    assert not any(BIN.generate(7, i, "train", "full").meta for i in range(200))
    for split in ("train", "exam"):
        share = sum(bool(BIN.generate(12, i, split, "full").meta) for i in range(800)) / 800
        assert 0.70 < share < 0.80
    assert not any(BIN.generate(12, i, "train", "hatchling").meta for i in range(200))


def test_a_symbol_twin_is_the_same_problem_in_other_words() -> None:
    keys = set()
    for index in range(120):
        spelt, digits = (BIN.generate(12, index, "train", mix, operation="add") for mix in ("full", "plain"))
        assert spelt.problem_digest == digits.problem_digest
        if not spelt.meta:
            continue
        keys.add(tuple(spelt.meta["key"]))
        prompt, answer = plain(spelt)
        assert prompt.split(": ")[1] == digits.prompt.split(": ")[1]
        assert not re.search("[⓪①]", spelt.prompt.split("\n", 1)[1]) and not re.search("[⓪①]", spelt.answer)
        assert BIN.score(spelt, spelt.answer).result is Result.CRIT
        assert BIN.score(spelt, answer).result is Result.HIT
        zero, one = list(spelt.meta["key"])[:2]
        swapped = spelt.answer.replace(zero, "\0").replace(one, zero).replace("\0", one)
        assert not BIN.score(spelt, swapped).correct
    assert len(keys) > 60


def test_chains_in_symbols_name_every_operation() -> None:
    spelt = [p for i in range(60) if (p := BIN.generate(10, i, "train", "full", operation="chain")).meta]
    assert spelt
    for problem in spelt:
        assert BIN.score(problem, problem.answer).result is Result.CRIT
        assert not re.search(r"\b(add|subtract|xor|minimum)\(", problem.prompt.split("\n", 1)[1])

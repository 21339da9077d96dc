"""Answers of the micro-primitives, worked out a second time from the prompt alone by another road."""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import re
from collections.abc import Callable

import pytest

from configs.catalogue import PASSIVES, passive_primitives, primitive_id, primitives
from skills.bin.chance import problem_hash, side
from skills.bin.digits import plain
from skills.contract import Problem, Result
from skills.registry import get_skill
from skills.sy.words import load_words

PRIM = get_skill("prim")
MICRO = {
    "arithmetic": "add_single_digit_no_carry add_single_digit_with_carry add_two_digit sub_single_digit sub_two_digit "
    "mul_single_digit div_exact compare_integers parity digit_sum modulo",
    "binary": "binary_add_no_carry binary_add_with_carry binary_sub_no_borrow binary_sub_with_borrow bitwise_and "
    "bitwise_or bitwise_xor binary_compare binary_to_decimal decimal_to_binary",
    "logic": "truth_table_basic implication_eval modus_ponens modus_tollens syllogism_all syllogism_some de_morgan",
    "string": "reverse_string count_char substring_check sort_letters palindrome_check string_length",
    "code": "trace_assignment trace_if_else trace_loop_fixed eval_bool_expr function_call_trace",
}
ASKED = {
    "arithmetic": "compare_integers digit_sum modulo parity",
    "logic": "truth_table_basic de_morgan xor_vs_or",
    "binary_arithmetic": MICRO["binary"] + " increment decrement",
    "word_puzzles": "definition_to_word assembly_ordered assembly_shuffled syllable_count word_from_bank",
    "counting": "count_char count_objects string_length",
    "string_craft": "palindrome_check reverse_string sort_letters substring_check",
    "code_trace": MICRO["code"],
    "combinatorics": "arrangement_word combination_count factorial multiplication_principle permutation_count",
}
VERDICTS = (
    "truth_table_basic",
    "xor_vs_or",
    "implication_eval",
    "syllogism_all",
    "syllogism_some",
    "eval_bool_expr",
    "substring_check",
    "palindrome_check",
    "parity",
    "overflow_detection",
)


def _problems(name: str, count: int = 40) -> list[Problem]:
    return [PRIM.generate(rung, i, "train", operation=name) for rung in range(1, 11) for i in range(count)]


def _rows(name: str, mark: str = ", ", count: int = 40) -> list[tuple[str, str]]:
    """Every item of the rows with its answer; items are set apart by ``mark`` outside of brackets."""
    found = []
    for problem in _problems(name, count):
        items = re.split(mark + r"(?![^()]*\))", problem.prompt.rpartition(": ")[2])
        answers = problem.answer.split()
        assert len(items) == len(answers)
        found += list(zip(items, answers, strict=True))
    return found


def test_every_published_name_is_an_entry_and_every_passive_asks_what_it_should() -> None:
    names = [name for track in MICRO.values() for name in track.split()]
    assert len(names) == 39 and len({primitive_id(name) for name in names}) == 39
    for passive, asked in ASKED.items():
        assert {primitive_id(name) for name in asked.split()} == set(passive_primitives(passive))
        assert passive in PASSIVES


# ---- arithmetic


@pytest.mark.parametrize(
    "name",
    [n for n in MICRO["arithmetic"].split() if n.startswith(("add", "sub", "mul", "div"))],
)
def test_sums_are_right_whether_the_result_or_an_operand_is_asked(name: str) -> None:
    for asked, answer in _rows(name):
        whole = asked.replace("?", answer) if "?" in asked else f"{asked}={answer}"
        left, right = whole.replace("×", "*").split("=")
        assert eval(left) == int(right)
        digits = [int(n) for n in re.findall(r"\d+", left)]
        if name.endswith("carry"):
            assert (int(right) > 9) is name.endswith("with_carry") and max(digits) < 10
        if "two_digit" in name:
            assert min(digits) > 9 and max(digits) < 100


def test_parity_digit_sums_and_remainders() -> None:
    for asked, answer in _rows("parity"):
        assert (answer == "odd") == bool(eval(asked.replace("×", "*")) & 1)
    for problem in _problems("digit_sum"):
        total, rest = 0, int(problem.prompt.removeprefix("Digit sum: "))
        while rest:
            rest, digit = divmod(rest, 10)
            total += digit
        assert total == int(problem.answer)
    for problem in _problems("modulo"):
        number, divisor = problem.prompt.removeprefix("Remainder: ").replace("×", "*").split(" mod ")
        rest = int(problem.answer)
        assert 0 <= rest < int(divisor) and (eval(number) - rest) % int(divisor) == 0


# ---- binary


def _call(asked: str) -> tuple[str, list[int], int]:
    """Operation, operands, and how many digits they have."""
    name, operands = re.fullmatch(r"(\w+)\((.+)\)", asked).groups()  # type: ignore[union-attr]
    parts = plain(operands).split(", ")
    return name, [int(p, 10 if name == "tobinary" else 2) for p in parts], len(parts[0])


_RESULTS: dict[str, Callable[..., int]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "equals": lambda a, b: a == b,
    "lessthan": lambda a, b: a < b,
    "greaterthan": lambda a, b: a > b,
    "minimum": min,
    "maximum": max,
    "increment": lambda a: a + 1,
    "decrement": lambda a: a - 1,
    "tobinary": lambda a: a,
    "todecimal": lambda a: a,
}


@pytest.mark.parametrize("name", [*MICRO["binary"].split(), "increment", "decrement"])
def test_binary_rows_and_nothing_of_them_is_asked_by_the_exams_of_binary_alchemy(name: str) -> None:
    for asked, answer in _rows(name):
        operation, values, _ = _call(asked)
        assert int(plain(answer), 10 if operation == "todecimal" else 2) == _RESULTS[operation](*values)
        assert side(problem_hash(f"{operation}({','.join(map(str, values))})")) == "train"
        if "carry" in name:
            assert (sum(values) != values[0] | values[1]) == name.endswith("with_carry")
        if "borrow" in name:
            assert (values[0] - values[1] != values[0] ^ values[1]) == name.endswith("with_borrow")


def _signed(digits: str) -> int:
    bits = plain(digits)
    return int(bits, 2) - (int(bits[0]) << len(bits))


def test_signed_numbers() -> None:
    for asked, answer in _rows("overflow_detection"):
        name, operands = re.fullmatch(r"(\w+)_signed\((.+)\)", asked).groups()  # type: ignore[union-attr]
        a, b = (_signed(part) for part in operands.split(", "))
        bound = 1 << len(operands.split(", ")[0]) - 1
        result = a + b if name == "add" else a - b
        assert (answer == "①") == (not -bound <= result < bound)
    for problem in _problems("twos_complement"):
        head, _, body = problem.prompt.partition(": ")
        for asked, answer in zip(body.split(", "), problem.answer.split(), strict=True):
            if head == "Negate":
                assert _signed(asked) == -_signed(answer)
            else:
                bits, number = (asked, answer) if head == "Signed value" else (answer, asked)
                assert _signed(bits) == int(number)


# ---- logic


_JOINED: dict[str, Callable[[bool, bool], bool]] = {
    "and": lambda a, b: min(a, b),
    "or": lambda a, b: max(a, b),
    "nand": lambda a, b: a + b < 2,
    "nor": lambda a, b: a + b == 0,
    "xor": lambda a, b: a + b == 1,
    "implies": lambda a, b: a <= b,
    "same": lambda a, b: a == b,
}


def _reduced(text: str) -> str:
    """A statement in words, folded from the inside out until its value is left."""

    def compared(found: re.Match[str]) -> str:
        one, sign, other = list(found[0])
        return "true" if sorted((one, other))[sign == "<"] == other else "false"

    def flat(text: str) -> str:
        parts = text.replace("not true", "FALSE").replace("not false", "TRUE").lower().split()
        if len(parts) == 3:
            return "true" if _JOINED[parts[1]](parts[0] == "true", parts[2] == "true") else "false"
        return parts[0]

    text = re.sub(r"\d[<>]\d", compared, text)
    while "(" in text:
        text = re.sub(r"\(([^()]*)\)", lambda m: flat(m[1]), text)
    return flat(text)


@pytest.mark.parametrize("name", ["truth_table_basic", "xor_vs_or"])
def test_values_of_statements(name: str) -> None:
    for asked, answer in _rows(name):
        assert _reduced(asked) == answer


def test_values_of_conditions() -> None:
    for asked, answer in _rows("implication_eval"):
        text = re.sub(r"^if (.+?) then \(if (.+?) then (.+)\)$", r"(\1) implies ((\2) implies (\3))", asked)
        text = re.sub(r"^if (.+) then (.+)$", r"(\1) implies (\2)", text)
        text = re.sub(r"^(.+) only if (.+)$", r"(\1) implies (\2)", text.replace(" if and only if ", " same "))
        if " same " in text:
            text = "({}) same ({})".format(*text.split(" same "))
        assert _reduced(text) == answer


def test_de_morgan_keeps_the_value_in_every_world() -> None:
    for problem in _problems("de_morgan"):
        text = problem.prompt.partition(": ")[2]
        signs = sorted(set(re.findall(r"\b[a-z]{2}\b", text)) - {"or"})
        assert signs == sorted(set(re.findall(r"\b[a-z]{2}\b", problem.answer)) - {"or"})
        for values in itertools.product((True, False), repeat=len(signs)):
            world = dict(zip(signs, values, strict=True))
            assert eval(text, {}, world) == eval(problem.answer, {}, world)
        assert ("inside" in problem.prompt) == ("not (" not in problem.answer)


def test_de_morgan_takes_the_terms_of_a_bracket_in_any_order() -> None:
    flat = next(p for p in _problems("de_morgan") if "inside" in p.prompt and "(" not in p.answer)
    name = " or " if " or " in flat.answer else " and "
    turned = name.join(reversed(flat.answer.split(name)))
    assert PRIM.score(flat, turned).result is Result.HIT
    assert not PRIM.score(flat, turned.replace(name, " and " if name == " or " else " or ")).correct


def _worlds(premises: list[str], names: list[str]) -> list[set[str]]:
    """The kinds of things that may exist: the sets of classes which the premises on all and no allow."""
    allowed = []
    for chosen in itertools.product((True, False), repeat=len(names)):
        kind = {n for n, inside in zip(names, chosen, strict=True) if inside}
        for premise in premises:
            word, a, _, b = premise.split()
            if (word == "All" and a in kind and b not in kind) or (word == "No" and a in kind and b in kind):
                break
        else:
            allowed.append(kind)
    return allowed


@pytest.mark.parametrize("name", ["syllogism_all", "syllogism_some"])
def test_what_follows_holds_in_every_world(name: str) -> None:
    for problem in _problems(name, count=12):
        text, asked = problem.prompt.split(". Does it follow (yes or no): ")
        premises = text.split(". ")
        names = sorted({word for premise in premises for word in premise.split()[1::2]})
        kinds = _worlds(premises, names)
        for question, answer in zip(asked.split(", "), problem.answer.split(), strict=True):
            word, a, _, b = question.split()
            if word == "all":
                follows = all(b in kind for kind in kinds if a in kind)
            elif word == "no":
                follows = not any(a in kind and b in kind for kind in kinds)
            else:
                some = [p.split()[1::2] for p in premises if p.startswith("Some")]
                follows = any(all({a, b} <= kind for kind in kinds if {x, y} <= kind) for x, y in some)
            assert (answer == "yes") == follows


# ---- text and code


def test_letters_and_things() -> None:
    for problem in _problems("substring_check"):
        text, parts = re.fullmatch(r"Found in (\w+) \(yes or no\): (.+)", problem.prompt).groups()  # type: ignore[union-attr]
        found = ["yes" if re.search(part, text) else "no" for part in parts.split(", ")]
        assert found == problem.answer.split()
    for asked, answer in _rows("palindrome_check"):
        mirrored = all(asked[i] == asked[-1 - i] for i in range(len(asked) // 2))
        assert (answer == "yes") == mirrored
    for problem in _problems("sort_letters"):
        text = problem.prompt.removeprefix("Sort letters: ")
        assert problem.answer == "".join(c * text.count(c) for c in "abcdefghijklmnopqrstuvwxyz")
    for problem in _problems("string_length"):
        assert int(problem.answer) == sum(1 for _ in problem.prompt.removeprefix("Length: "))


def _single(thing: str) -> str:
    return re.sub(r"(?<=sh|ch)es$|(?<=x)es$|(?<=ss)es$|s$", "", thing) if not thing.endswith("ss") else thing


def test_counting_things() -> None:
    for problem in _problems("count_objects"):
        listed, asked = re.fullmatch(r"(.+)\. How many (.+)\?", problem.prompt).groups()  # type: ignore[union-attr]
        known: dict[str, int] = {}
        for item in listed.split(", "):
            count, _, thing = item.rpartition(" ")
            key = _single(thing) if count not in ("", "1") else thing
            known[key] = known.get(key, 0) + int(count or 1)
        if asked == "things":
            assert int(problem.answer) == sum(known.values())
        elif asked == "kinds":
            assert int(problem.answer) == len(known)
        else:
            assert int(problem.answer) == known.get(_single(asked), 0)


@pytest.mark.parametrize("name", ["trace_assignment", "trace_if_else", "trace_loop_fixed", "function_call_trace"])
def test_programs_print_what_is_said(name: str) -> None:
    for problem in _problems(name):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(problem.prompt.partition("\n")[2], {})
        assert printed.getvalue().strip() == problem.answer


def test_conditions_hold_as_said() -> None:
    for problem in _problems("eval_bool_expr"):
        given, asked = problem.prompt.removeprefix("True or False? ").split(": ")
        known = {name: int(value) for name, value in (pair.split(" = ") for pair in given.split(", "))}
        assert [str(eval(part, {}, known)) for part in asked.split(", ")] == problem.answer.split()


# ---- combinatorics


def test_counting_without_counting_out() -> None:
    for asked, answer in _rows("factorial"):
        text = re.sub(r"(\d+)!", lambda m: str(math.factorial(int(m[1]))), asked).replace("×", "*")
        assert eval(text) == int(answer)
    for problem in _problems("arrangement_word"):
        text = problem.prompt.split()[-1]
        if len(text) < 7:
            assert int(problem.answer) == len(set(itertools.permutations(text)))
    for name, ways in (("combination_count", itertools.combinations), ("permutation_count", itertools.permutations)):
        for asked, answer in _rows(name, count=10):
            sizes = [int(n) for n in re.findall(r"\d+", asked)]
            counted = sum(1 for _ in ways(range(sizes[1]), sizes[0]))
            assert int(answer) == counted * (sizes[3] if len(sizes) == 4 else 1)
    for asked, answer in _rows("multiplication_principle", mark="; "):
        places = [[int(n) for n in re.findall(r"\d+", place)] for place in asked.split(" and ")]
        assert int(answer) == len(list(itertools.product(*[range(sum(place)) for place in places])))


# ---- words


def test_words_are_laid_from_their_syllables() -> None:
    known = {word.text: word for word in load_words()}
    for asked, answer in _rows("syllable_assembly_ordered"):
        assert asked.split() == list(known[answer].syllables)
    for asked, answer in _rows("syllable_assembly_shuffled"):
        assert asked.split() != list(known[answer].syllables) and sorted(asked.split()) == sorted(
            known[answer].syllables
        )
    for asked, answer in _rows("syllable_count"):
        assert int(answer) == len(known[asked].syllables)


def test_a_meaning_leads_to_one_word() -> None:
    known = {word.text: word for word in load_words()}
    for problem in _problems("definition_to_word"):
        told, clue = re.fullmatch(r"Which word means: (.+) \((.+)\)", problem.prompt).groups()  # type: ignore[union-attr]
        assert told in known[problem.answer].hints["definition"]
        if " or " in clue:
            assert [told in known[word].hints["definition"] for word in clue.split(" or ")].count(True) == 1
        else:
            letters, start = re.fullmatch(r"(\d+) letters, begins with (\w+)", clue).groups()  # type: ignore[union-attr]
            assert len(problem.answer) == int(letters) and problem.answer.startswith(start)
    for problem in _problems("word_from_bank"):
        tiles, told = re.fullmatch(r"Tiles: (.+)\. Which word means: (.+)\?", problem.prompt).groups()  # type: ignore[union-attr]
        laid = [word.text for word in known.values() if set(word.syllables) <= set(tiles.split())]
        own = set(known[problem.answer].syllables)
        # A shorter word may lie in the word itself, as "ceremonious" in "unceremoniously"; none lies in the bank beside it.
        assert all(set(known[word].syllables) <= own for word in laid)
        assert problem.answer in laid and told in known[problem.answer].hints["definition"]


def test_a_word_keeps_its_side_however_it_is_asked_for() -> None:
    for name in ("definition_to_word", "word_from_bank"):
        train = {p.answer for p in _problems(name)}
        exam = {PRIM.generate(rung, i, "exam", operation=name).answer for rung in (1, 5, 10) for i in range(60)}
        assert len(exam) > 40 and not train & exam


# ---- scoring


def test_a_row_is_read_however_it_is_set_apart() -> None:
    problem = PRIM.generate(1, 0, "train", operation="add_two_digit")
    one, other = problem.answer.split()
    sums = problem.prompt.removeprefix("Add: ").split(", ")
    for text in (f"{one}, {other}", f"{one}\n{other}", f"[{one}, {other}]", f"{sums[0]}={one}, {sums[1]} = {other}"):
        assert PRIM.score(problem, text).result is Result.HIT
    assert one != other
    for text in (f"{other} {one}", one, f"{one} {other} {other}", f"{one}{other}", f"{one} {other}1"):
        assert not PRIM.score(problem, text).correct


@pytest.mark.parametrize("name", VERDICTS)
def test_no_row_of_verdicts_is_won_by_one_answer(name: str) -> None:
    assert max(PRIM.chance(name, rung) for rung in range(1, 11)) < 0.4


def test_aliases_stand_for_one_entry() -> None:
    for name, entry in (
        ("compare_integers", "attn_compare"),
        ("count_char", "attn_count"),
        ("modus_tollens", "logic_contrapose"),
    ):
        assert primitive_id(name) == entry and entry in primitives()


def test_what_other_skills_report_can_be_drilled_under_the_same_name() -> None:
    told = {primitive.name for primitive in get_skill("bin").config.primitives}
    assert told and told <= set(primitives())

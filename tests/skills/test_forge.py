"""The Skill Forge: what it finds in samples, what it does not, and what speaks against a proposal."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from configs.catalogue import primitives
from configs.errors import BlockedError, UsageError
from configs.exam_plan import load_exam_plan
from skills.forge.consistency import answer_to
from skills.forge.decompose import primitives_of
from skills.forge.proposal import Proposal, decide, propose, skill_id_of
from skills.forge.samples import read_samples
from skills.registry import forget, get_skill, skill_ids

Make = Callable[[Random], tuple[str, str]]
WORDS = [
    "river",
    "apple",
    "stone",
    "cloud",
    "tiger",
    "plane",
    "grape",
    "chair",
    "house",
    "mouse",
    "light",
    "bread",
    "night",
    "dream",
    "green",
    "sugar",
    "table",
    "lemon",
]
NAMES = ("Ann", "Bob", "Cleo", "Dan")


def addition(r: Random) -> tuple[str, str]:
    a, b = r.randint(1, 99), r.randint(1, 99)
    return f"{r.choice(NAMES)} has {a} pears and buys {b}. How many?", str(a + b)


def eaten(r: Random) -> tuple[str, str]:
    b, a = sorted((r.randint(1, 99), r.randint(1, 99)))
    return f"{a} pears, {b} are eaten. How many are left?", f"There are {a - b} left."


def shared(r: Random) -> tuple[str, str]:
    b, c = r.randint(2, 9), r.randint(2, 12)
    return f"Share {b * c} nuts among {b} squirrels.", str(c)


def greater(r: Random) -> tuple[str, str]:
    a, b = r.sample(range(100), 2)
    return f"Is {a} greater than {b}?", "yes" if a > b else "no"


def operators(r: Random) -> tuple[str, str]:
    a, b, word = r.randint(0, 20), r.randint(0, 20), r.choice(["plus", "minus", "times"])
    return f"What is {a} {word} {b}?", str({"plus": a + b, "minus": a - b, "times": a * b}[word])


def backwards(r: Random) -> tuple[str, str]:
    word = r.choice(WORDS)
    return f"Reverse the word {word}.", word[::-1]


def ordered(r: Random) -> tuple[str, str]:
    numbers = [r.randint(0, 60) for _ in range(r.randint(3, 7))]
    return f"Sort: {', '.join(map(str, numbers))}", ", ".join(map(str, sorted(numbers)))


def taller(r: Random) -> tuple[str, str]:
    (one, other), (a, b) = r.sample(NAMES, 2), r.sample(range(100, 200), 2)
    return f"{one} is {a} cm tall and {other} is {b} cm tall. Who is taller?", one if a > b else other


def spoken(r: Random) -> tuple[str, str]:
    numbers = {"two": 2, "three": 3, "five": 5, "seven": 7}
    word, a = r.choice(sorted(numbers)), r.randint(1, 30)
    return f"What is {word} times {a}?", str(numbers[word] * a)


def sentence(r: Random) -> tuple[str, str]:
    a, b = r.randint(1, 99), r.randint(2, 9)
    return f"Work out {a} × {b}.", f"{a} × {b} = {a * b}"


def division(r: Random) -> tuple[str, str]:
    a, b = r.randint(10, 99), r.randint(2, 9)
    return f"Divide {a} by {b}.", f"{a // b} remainder {a % b}"


def minutes(r: Random) -> tuple[str, str]:
    hours, rest = r.randint(1, 9), r.randint(1, 59)
    return f"How many minutes are {hours} hours and {rest} minutes?", str(60 * hours + rest)


def fahrenheit(r: Random) -> tuple[str, str]:
    degrees = r.randint(-20, 40)
    return f"Convert {degrees} degrees Celsius to Fahrenheit, rounded down.", str(degrees * 9 // 5 + 32)


def earlier(r: Random) -> tuple[str, str]:
    one, other = r.sample(WORDS, 2)
    return f"Which comes first in the dictionary: {one} or {other}?", min(one, other)


def capital(r: Random) -> tuple[str, str]:
    known = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Peru": "Lima", "Kenya": "Nairobi"}
    country = r.choice(sorted(known))
    return f"Name the capital of {country}.", known[country]


def noise(r: Random) -> tuple[str, str]:
    return f"Tell me about {r.choice(WORDS)} number {r.randint(1, 50)}.", str(r.randint(0, 99))


def written(path: Path, makes: Sequence[Make], count: int = 80, seed: int = 3) -> Path:
    r = Random(seed)
    records = [make(r) for make in makes for _ in range(count)]
    path.write_text("".join(json.dumps({"prompt": p, "answer": a}) + "\n" for p, a in records), encoding="utf-8")
    return path


@pytest.fixture
def forged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Proposes a skill from samples that some makers give."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path / "realm"))
    monkeypatch.delenv("REALM_CONFIG_DIR", raising=False)
    forget()
    yield lambda *makes, **how: propose(written(tmp_path / "toy.jsonl", makes, **how), "toy")
    forget()


@pytest.mark.parametrize(
    "make",
    [
        addition, eaten, shared, greater, operators, backwards, ordered, taller, spoken,
        sentence, division, minutes, fahrenheit, earlier,
    ],
)  # fmt: skip
def test_a_domain_whose_answers_follow_is_explained_and_goes_on_beyond_the_samples(forged: Any, make: Make) -> None:
    found: Proposal = forged(make, count=150)
    assert found.doubts == []
    r = Random(99)
    fresh = [make(r) for _ in range(60)]
    told = [answer_to(found.declared, prompt) for prompt, _ in fresh]
    assert told == [answer for _, answer in fresh]


def test_the_simplest_reason_is_taken_where_a_stranger_one_fits_as_well(forged: Any) -> None:
    def mirrored(r: Random) -> tuple[str, str]:
        word = r.choice(
            [
                "level",
                "radar",
                "river",
                "noon",
                "stone",
                "civic",
                "apple",
                "kayak",
                "grape",
                "madam",
                "house",
                "refer",
                "light",
                "rotor",
            ]
        )
        return f"Is '{word}' a palindrome?", "Yes." if word == word[::-1] else "No."

    (operation,) = forged(mirrored).declared.operations.values()
    assert operation.answer == "'Yes.' if lower(w) == lower(reverse(w)) else 'No.'"


def test_a_mixed_file_becomes_several_operations_with_the_simple_ones_first(forged: Any) -> None:
    found: Proposal = forged(addition, eaten, greater, backwards)
    assert len(found.declared.operations) == 4
    assert min(o.first_level for o in found.declared.operations.values()) == 1
    assert max(o.first_level for o in found.declared.operations.values()) > 1
    assert all(exam.items == 64 for exam in found.declared.exams)


def test_operations_are_taken_apart_into_primitives_of_the_catalogue(forged: Any) -> None:
    found: Proposal = forged(addition, greater, backwards, ordered)
    drawn_on = {o.answer: o.primitives for o in found.declared.operations.values()}
    assert drawn_on["a + b"] == ("add_two_digit",)
    assert drawn_on["'yes' if a > b else 'no'"] == ("attn_compare",)
    assert drawn_on["reverse(w)"] == ("seq_reverse",)
    assert drawn_on["join(sorted(x), ', ')"] == ("attn_rank",)
    assert {p for named in drawn_on.values() for p in named} <= set(primitives())


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("sum(digits(a))", {"digit_sum"}),
        ("a // b + c % b", {"add_two_digit", "div_exact", "modulo"}),
        ("'even' if a % 2 == 0 else 'odd'", {"parity"}),
        ("'yes' if lower(w) == lower(reverse(w)) else 'no'", {"palindrome_check"}),
        ("upper(first(w)) + w[1:]", {"seq_extract", "xfm_map"}),
        ("max(x)", {"attn_compare"}),
        ("len(w)", {"string_length"}),
    ],
)
def test_what_an_expression_draws_on(source: str, named: set[str]) -> None:
    found = set(primitives_of(source, {"a": "int", "b": "int", "c": "int", "w": "word", "x": "list"}))
    assert found == named
    assert named <= set(primitives())


def test_an_accepted_skill_brings_its_part_of_the_exam_plan(forged: Any) -> None:
    forged(addition)
    assert "toy_watch" not in load_exam_plan().entries
    decide("toy", accept=True)
    entry = load_exam_plan().entries["toy_watch"]
    assert entry.asks[0].skill == "toy" and entry.follows.drift
    skill_file().write_text("id: [")
    assert "toy_watch" not in load_exam_plan().entries
    assert "core_gate" in load_exam_plan().entries


def test_two_wordings_of_one_problem_become_one_operation(forged: Any) -> None:
    def reworded(r: Random) -> tuple[str, str]:
        a, b = r.randint(1, 99), r.randint(1, 99)
        return (f"What is {a} + {b}?" if r.random() < 0.5 else f"Please add {a} and {b} for me."), str(a + b)

    found: Proposal = forged(reworded)
    (operation,) = found.declared.operations.values()
    assert len(operation.templates) == 2


def test_what_never_happens_in_the_samples_never_happens_in_the_skill(forged: Any) -> None:
    forged(eaten, shared)
    decide("toy", accept=True)
    forget()
    skill = get_skill("toy")
    for level in (1, 5):
        for index in range(80):
            problem = skill.generate(level, index, "train")
            assert "-" not in problem.answer and "/" not in problem.answer


def test_facts_and_noise_are_left_out_and_named(forged: Any) -> None:
    found: Proposal = forged(addition, capital, noise, count=60)
    assert list(found.declared.operations) == ["has_pears_buys"]
    reasons = " ".join(found.odd)
    assert "never taught" in reasons and "no expression" in reasons
    assert any("explained" in doubt for doubt in found.doubts)
    with pytest.raises(BlockedError, match="do not support"):
        decide("toy", accept=True)
    assert decide("toy", accept=True, anyway=True).review.state == "accepted"


def test_a_question_that_is_mostly_answered_alike_is_doubted(forged: Any) -> None:
    def rarely(r: Random) -> tuple[str, str]:
        a = r.randint(1, 999)
        return f"Is {a} divisible by 10?", "yes" if a % 10 == 0 else "no"

    assert any("constant answer" in doubt for doubt in forged(rarely, count=300).doubts)


def test_numbers_that_are_compared_come_from_one_range(forged: Any) -> None:
    def lopsided(r: Random) -> tuple[str, str]:
        a, b = r.randint(20, 99), r.randint(1, 60)
        return f"Is {a} greater than {b}?", "yes" if a > b else "no"

    found: Proposal = forged(lopsided, count=150)
    (operation,) = found.declared.operations.values()
    assert operation.slots["a"] == operation.slots["b"]
    assert found.doubts == []


def test_nothing_explained_is_no_skill(forged: Any) -> None:
    with pytest.raises(BlockedError, match="no sample could be explained"):
        forged(noise, capital)


def test_a_few_wrong_samples_are_named_and_do_not_spoil_the_rest(forged: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "some.jsonl", [addition], count=100)
    lines = path.read_text().splitlines()
    for number in (10, 20, 30):
        lines[number] = json.dumps({**json.loads(lines[number]), "answer": "7"})
    path.write_text("\n".join(lines))
    found = propose(path, "some")
    odd = {line for rows in found.odd.values() for line in rows}
    assert odd | set(found.checked.wrong) == {11, 21, 31}


def test_the_same_samples_give_the_same_proposal(forged: Any) -> None:
    one = forged(addition, operators).declared
    skill_file().unlink()
    other = forged(addition, operators).declared
    assert one.operations == other.operations and one.exams == other.exams


def skill_file() -> Path:
    from configs.declared import own_skill_files

    return own_skill_files()["toy"]


def test_only_an_accepted_proposal_is_listed(forged: Any) -> None:
    forged(addition)
    forget()
    assert "toy" not in skill_ids()
    path = skill_file()
    path.write_text(path.read_text() + "# my own remark\n")
    decide("toy", accept=True, note="good")
    forget()
    assert "toy" in skill_ids()
    assert "# my own remark" in path.read_text()
    decide("toy", accept=False)
    forget()
    assert "toy" not in skill_ids()


def test_a_proposal_is_not_overwritten_unasked(forged: Any) -> None:
    forged(addition)
    with pytest.raises(BlockedError, match="lies there already"):
        forged(addition)


@pytest.mark.parametrize("wanted", ["bin", "gym_lcm", "Toy", "9lives", "a", "../x"])
def test_an_id_must_be_free_and_plain(wanted: str) -> None:
    with pytest.raises(UsageError):
        skill_id_of(Path("x.jsonl"), wanted)


def test_lines_that_cannot_be_read_are_refused_one_by_one(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [addition], count=12)
    bad = [
        "{",
        '{"prompt": 1, "answer": "x"}',
        "[" * 60 + "]" * 60,
        '{"prompt": "", "answer": "x"}',
        '{"text": "x"}',
        "NaN",
    ]
    talk = {"messages": [{"role": "user", "content": "Hi 3?"}, {"role": "assistant", "content": "3"}]}
    path.write_bytes(path.read_bytes() + "\n".join([*bad, json.dumps(talk)]).encode() + b"\n\xff\xfe\n")
    samples = read_samples(path)
    assert len(samples.found) == 13
    assert len(samples.refused) == len(bad) + 1
    assert samples.refused[0].startswith("line 13:")


def test_too_few_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds 5 samples"):
        read_samples(written(tmp_path / "a.jsonl", [addition], count=5))
    with pytest.raises(UsageError, match="cannot read"):
        read_samples(tmp_path / "missing.jsonl")


def test_few_problems_are_marked_as_finite(forged: Any) -> None:
    found: Proposal = forged(addition, backwards)
    finite = {operation.answer: operation.finite for operation in found.declared.operations.values()}
    assert finite == {"a + b": True, "reverse(w)": False}


def test_samples_without_any_pattern_end_soon(forged: Any, tmp_path: Path) -> None:
    def chatter(r: Random) -> tuple[str, str]:
        return " ".join(r.choice(WORDS) for _ in range(30)), r.choice(WORDS)

    with pytest.raises(BlockedError, match="no sample could be explained"):
        forged(chatter, count=1500)
    large = tmp_path / "large.jsonl"
    with large.open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(UsageError, match="larger than 64 MiB"):
        read_samples(large)


def test_braces_in_the_samples_do_no_harm(forged: Any) -> None:
    def braced(r: Random) -> tuple[str, str]:
        a, b = r.randint(1, 99), r.randint(1, 99)
        return f"Given {{name}} and {{{a}}} what is {a} + {b}?", str(a + b)

    found: Proposal = forged(addition, braced)
    assert list(found.declared.operations) == ["has_pears_buys"]

"""Skills that are data: what a player may write, what is refused, and the language of answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from configs.errors import BlockedError, RealmError
from skills.contract import Result
from skills.declared.expression import ExpressionError, evaluate, text
from skills.registry import disabled, forget, get_skill, skill_ids

PETS: dict[str, Any] = {
    "id": "pets",
    "name": "Counting pets",
    "max_level": 3,
    "operations": {
        "total": {
            "templates": [
                "{who} has {a} cats and {b} dogs. How many pets?",
                "{a} cats, {b} dogs, all of {who}: how many?",
            ],
            "slots": {
                "who": {"kind": "choice", "levels": {1: ["Ann", "Bob"]}, "wording": True},
                "a": {"kind": "int", "levels": {1: [1, 20], 3: [1, 99]}},
                "b": {"kind": "int", "levels": {1: [1, 20], 3: [1, 99]}},
            },
            "answer": "a + b",
            "compare": "number",
        },
        "left": {
            "templates": ["{a} cats, {b} leave. How many stay?"],
            "slots": {"a": {"kind": "int", "levels": {1: [1, 50]}}, "b": {"kind": "int", "levels": {1: [1, 50]}}},
            "where": "a >= b",
            "answer": "a - b",
            "first_level": 2,
        },
    },
}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a declared skill into an empty realm."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    monkeypatch.delenv("REALM_CONFIG_DIR", raising=False)

    def write(data: Any, name: str = "pets") -> Path:
        path = tmp_path / "config" / "skills" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False))
        forget()
        return path

    forget()
    yield write
    forget()


def changed(**operation: Any) -> dict[str, Any]:
    total = {**PETS["operations"]["total"], **operation}
    return {**PETS, "operations": {"total": total}}


def test_a_players_file_is_a_skill(own: Any) -> None:
    own(PETS)
    assert "pets" in skill_ids()
    skill = get_skill("pets")
    assert skill.operations(1, "full") == ("total",)
    assert skill.operations(2, "full") == ("total", "left")
    for index in range(60):
        problem = skill.generate(2, index, "train")
        numbers = [int(w.strip(".,:")) for w in problem.prompt.split() if w.strip(".,:").isdigit()]
        assert int(problem.answer) == (numbers[0] - numbers[1] if problem.operation == "left" else sum(numbers))
        assert int(problem.answer) >= 0
        assert skill.score(problem, problem.answer).result is Result.CRIT


def test_training_and_exams_share_no_problem_in_any_wording(own: Any) -> None:
    own(PETS)
    skill = get_skill("pets")
    train = {skill.generate(1, i, "train").problem_digest for i in range(3000)}
    exam = {skill.generate(1, i, "exam").problem_digest for i in range(60)}
    assert not train & exam
    assert len(train) <= 400, "two names and two wordings of one sum are one problem"


def test_a_number_is_found_in_a_sentence_only_where_the_file_says_so(own: Any) -> None:
    own(PETS)
    skill = get_skill("pets")
    total, left = (skill.generate(2, 0, "train", operation=name) for name in ("total", "left"))
    assert skill.score(total, f"They have {total.answer} of them").result is Result.HIT
    assert not skill.score(left, f"They have {left.answer} of them").correct


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (changed(answer="a +"), "no expression"),
        (changed(answer="a + c"), "names c"),
        (changed(answer="__import__('os').system('true')"), "not a function"),
        (changed(answer="open('x')"), "not a function"),
        (changed(answer="9 ** 9 ** 9"), "powers"),
        (changed(answer="a // (b - b)"), "ZeroDivisionError"),
        (changed(where="a > 1000"), "none of"),
        (changed(templates=["{who} has {a}"]), "do not name the same"),
        (changed(slots={"a": {"kind": "int", "levels": {1: [9, 1]}}}), "no range"),
        (changed(slots={"a": {"kind": "int", "levels": {2: [1, 9]}}}), "level 1 says nothing"),
        (changed(slots={"a": {"kind": "int", "levels": {1: [1, 10**15]}}}), "less than or equal"),
        ({**PETS, "max_levle": 3}, "did you mean `max_level`"),
        ({**PETS, "id": "cats"}, "calls it cats"),
        ("operations: [", "cannot read"),
        ("id: &a [*a]", "skill pets is not valid"),
    ],
)
def test_a_broken_file_disables_the_skill_with_the_reason(own: Any, data: Any, said: str) -> None:
    own(data)
    assert "pets" not in skill_ids()
    assert said in disabled()["pets"].text()
    assert "bin" in skill_ids()


def test_a_shipped_skill_cannot_be_replaced(own: Any) -> None:
    own({**PETS, "id": "bin"}, "bin")
    assert get_skill("bin").config.name == "Binary arithmetic"
    assert "a shipped skill is called so" in disabled()["bin_own"].text()


def test_a_proposal_is_not_listed_and_a_rejected_skill_not_made(own: Any) -> None:
    own({**PETS, "review": {"state": "proposed"}})
    assert "pets" not in skill_ids()
    assert get_skill("pets").generate(1, 0, "train").prompt
    own({**PETS, "review": {"state": "rejected", "note": "too dull"}})
    with pytest.raises(BlockedError, match="too dull"):
        get_skill("pets")


def test_another_definition_is_another_version_and_a_remark_is_not(own: Any) -> None:
    path = own(PETS)
    first = get_skill("pets").config.version
    path.write_text(path.read_text() + "# a remark\nreview: {state: accepted, note: fine}\n")
    forget()
    assert get_skill("pets").config.version == first
    own(changed(answer="a + b + 0"))
    assert get_skill("pets").config.version != first


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("a + b * 2", "19"),
        ("(a + b) / 2", "6"),
        ("a / b", "5/7"),
        ("decimal(a / b, 3)", "0.714"),
        ("decimal(-1 / 8, 2)", "-0.12"),
        ("'yes' if a > b else 'no'", "no"),
        ("a < b < 10 and not a == b", "yes"),
        ("reverse(sorted(x))", "9, 4, 1"),
        ("join(x, '-')", "4-1-9"),
        ("x[1:] + [a]", "1, 9, 5"),
        ("upper(first(w)) + w[1:]", "River"),
        ("count(w, 'r')", "2"),
        ("'iv' in w", "yes"),
        ("sum(digits(987))", "24"),
        ("join(reverse(split(w, '')), '')", "revir"),
    ],
)
def test_the_language_of_answers(source: str, value: str) -> None:
    assert text(evaluate(source, {"a": 5, "b": 7, "w": "river", "x": [4, 1, 9]})) == value


@pytest.mark.parametrize(
    "source",
    [
        "w.upper()", "[v for v in x]", "lambda: 1", "f'{a}'", "x[w]", "a if", "eval('1')", "2 ** 65", "w * 9", "9" * 600, "(" * 300,
        "product([10 ** 64] * 9)", "1 << 9", "x.__class__", "text(*x)", "max(x, key=1)", "1.5 + a", "None", "a := 3", "b'x'", "~a",
    ],
)  # fmt: skip
def test_nothing_else_is_of_the_language(source: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(source, {"a": 5, "w": "river", "x": [4, 1, 9]})


def test_numbers_and_texts_have_an_end() -> None:
    with pytest.raises(RealmError):
        evaluate("a * a * a * a", {"a": 1 << 300})
    with pytest.raises(RealmError):
        evaluate("w + w", {"w": "x" * 15_000})

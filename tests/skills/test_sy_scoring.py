"""What an answer in woven words is worth: the words count first, then the form, and nothing a model may write does harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from skills.contract import Problem, Result
from skills.judging import judge
from skills.registry import get_skill

SY = get_skill("sy")
PROBLEM = SY.generate(6, 3, "train")
CRIT, HIT, GLANCING, MISS, CRIT_MISS = Result.CRIT, Result.HIT, Result.GLANCING, Result.MISS, Result.CRIT_MISS


def _result(answer: str, problem: Problem = PROBLEM) -> Result:
    return SY.score(problem, answer).result


def _changed(change: Callable[[Any], object]) -> str:
    value = json.loads(PROBLEM.answer)
    change(value)
    return json.dumps(value)


def _keyed(value: Any) -> dict[str, Any]:
    return {
        "solutions": {str(s["ans_num"]): {"word": s["answer"], "syllables": s["syllables"]} for s in value["solutions"]}
    }


def test_all_words_in_perfect_form_are_a_crit_however_json_is_spaced() -> None:
    value = json.loads(PROBLEM.answer)
    assert _result(PROBLEM.answer) is CRIT
    assert _result(json.dumps(value, indent=2)) is CRIT
    assert _result(json.dumps({"inventory_check": value["inventory_check"], "solutions": value["solutions"]})) is CRIT
    assert _result(f"<think>first the long ones</think>{PROBLEM.answer}") is CRIT


def test_all_words_with_a_blemish_are_a_hit() -> None:
    def lower(value: Any) -> None:
        value["solutions"][0]["answer"] = value["solutions"][0]["answer"].lower()

    def backwards(value: Any) -> None:
        value["solutions"][0] = dict(reversed(value["solutions"][0].items()))

    def reordered(value: Any) -> None:
        value["solutions"].reverse()

    def miscounted(value: Any) -> None:
        value["inventory_check"]["total_tiles"] += 1

    def truthy(value: Any) -> None:
        value["solutions"][0]["ans_num"] = "1"

    def unsplit(value: Any) -> None:
        value["solutions"][0]["syllables"] = [value["solutions"][0]["answer"]]

    def without_account(value: Any) -> None:
        del value["inventory_check"]

    def wordy(value: Any) -> None:
        value["note"] = "done"

    for change in (lower, backwards, reordered, miscounted, truthy, unsplit, without_account, wordy):
        assert _result(_changed(change)) is HIT, change.__name__
    assert _result(f"```json\n{PROBLEM.answer}\n```") is HIT
    assert _result(f"Here you are: {PROBLEM.answer}") is HIT


def test_the_keyed_form_is_accepted() -> None:
    value = json.loads(PROBLEM.answer)
    assert _result(json.dumps(_keyed(value))) is HIT
    keyed = _keyed(value)
    keyed["solutions"]["2"]["word"] = "OTHER"
    assert _result(json.dumps(keyed)) is GLANCING


def test_all_but_one_word_is_glancing_and_fewer_is_a_miss() -> None:
    def wrong(*places: int) -> Callable[[Any], None]:
        def change(value: Any) -> None:
            for place in places:
                value["solutions"][place]["answer"] = "OTHER"

        return change

    assert _result(_changed(wrong(0))) is GLANCING
    assert _result(_changed(lambda value: value["solutions"].pop())) is GLANCING
    assert _result(_changed(wrong(0, 1))) is MISS
    assert _result(_changed(wrong(*range(PROBLEM.meta["word_count"])))) is MISS


def test_swapped_words_are_wrong_and_nobody_wins_by_saying_more() -> None:
    def swap(value: Any) -> None:
        first, second = value["solutions"][:2]
        first["answer"], second["answer"] = second["answer"], first["answer"]

    def doubled(value: Any) -> None:
        value["solutions"] += [dict(value["solutions"][0], answer="OTHER")]

    def longer(value: Any) -> None:
        value["solutions"].append({"ans_num": 99, "syllables": ["a", "b"], "answer": "AB"})

    assert _result(_changed(swap)) is MISS
    assert _result(_changed(doubled)) is GLANCING
    assert _result(_changed(longer)) is GLANCING


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no idea",
        "[]",
        "{}",
        "null",
        "3",
        '{"solutions": 3}',
        '{"solutions": []}',
        '{"solutions": {"a": 1}}',
        "[" * 60_000,
        '{"solutions": ' * 500,
        '{"solutions": [{"ans_num": NaN}]}',
        "<think>forever",
        PROBLEM.answer[:-20],
        '{"solutions": [], "solutions": []}',
    ],
)
def test_babble_is_a_crit_miss(answer: str) -> None:
    assert _result(answer) is CRIT_MISS


@pytest.mark.parametrize(
    "answer",
    [
        '{"solutions": [null, 3, "x", [], {}]}',
        '{"solutions": [{"ans_num": true, "answer": "X"}]}',
        '{"solutions": [{"ans_num": 1, "answer": {"answer": []}}]}',
        '{"solutions": {"1": 5, "2": null}}',
        '{"solutions": [{"ans_num": 1' + "0" * 4000 + "}]}",
        '{"solutions": [{"ans_num": {}, "answer": "X"}]}',
        '{"solutions": {"\\u0661": {"word": "X"}}}',
        "\ud800",
        "x" * 200_000,
    ],
)
def test_nothing_a_model_may_write_does_harm(answer: str) -> None:
    found = judge(SY, PROBLEM, answer)
    assert found.outcome is not None and not found.outcome.correct and not found.error

"""``realm skill``: the ladder, and the very problems."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.paths import SaveFolder
from skills.registry import get_skill
from tests.cli.conftest import Answer

Realm = Callable[..., Answer]
FIELDS = {
    "prompt", "answer", "digest", "problem_digest", "level", "split", "index", "operation", "tier", "primitives",
}  # fmt: skip


def sample(realm: Realm, *args: str) -> list[dict[str, object]]:
    answer = realm("skill", "sample", "bin", "--level", "3", "--json", *args)
    assert answer.code == 0
    return answer.lines


def test_a_sample_prints_one_problem_a_line_and_always_the_same(realm: Realm) -> None:
    some = sample(realm, "--split", "train", "--start", "0", "--count", "40")
    assert len(some) == 40
    assert all(set(one) >= FIELDS for one in some)
    assert [one["index"] for one in some] == list(range(40))
    assert sample(realm, "--split", "train", "--start", "10", "--count", "5") == some[10:15]


def test_no_exam_problem_is_ever_a_training_problem(realm: Realm) -> None:
    train = {one["problem_digest"] for one in sample(realm, "--split", "train", "--count", "400")}
    exam = {one["problem_digest"] for one in sample(realm, "--split", "exam", "--count", "400")}
    assert train and exam
    assert not train & exam


def test_answers_are_right_by_the_skills_own_scorer(realm: Realm) -> None:
    skill = get_skill("bin")
    for one in sample(realm, "--split", "exam", "--count", "60"):
        problem = skill.generate(3, int(str(one["index"])), "exam", "full")
        assert problem.prompt == one["prompt"]
        assert skill.score(problem, str(one["answer"])).correct


def test_the_mix_is_full_unless_a_save_or_a_mix_is_named(realm: Realm, fresh: SaveFolder) -> None:
    assert {one["mix"] for one in sample(realm)} == {"full"}
    assert {one["mix"] for one in sample(realm, "--save", "main")} == {"hatchling"}
    assert {one["mix"] for one in sample(realm, "--mix", "hatchling")} == {"hatchling"}
    assert realm("skill", "sample", "bin", "--level", "3", "--mix", "nonsense").code == 2


def test_one_operation_can_be_asked_for(realm: Realm) -> None:
    assert {one["operation"] for one in sample(realm, "--operation", "xor")} == {"xor"}
    assert realm("skill", "sample", "bin", "--level", "3", "--operation", "nonsense").code == 2


def test_the_ladder(realm: Realm, golden: Callable[[str, str], None]) -> None:
    golden("skill_list.txt", realm("skill", "list").out)
    golden("skill_show_hatchling.txt", realm("skill", "show", "bin", "--mix", "hatchling").out)
    told = realm("skill", "show", "bin", "--json").json
    assert [level["level"] for level in told["levels"]] == list(range(1, 31))
    assert told["levels"][0]["operations"]["equals"] == {"chance": 0.5, "finite": False}


def test_the_gymnasium_is_listed_only_when_all_is_asked_for(realm: Realm) -> None:
    known = {one["id"] for one in realm("skill", "list", "--json").json}
    every = realm("skill", "list", "--all", "--json").json
    assert not any(str(i).startswith("gym_") for i in known)
    reasons = {one["id"]: one["left_out"] for one in every if "left_out" in one}
    assert known <= {one["id"] for one in every} - set(reasons)
    assert "today's date" in reasons["gym_time_intervals"]
    gym_skills = [one for one in every if str(one["id"]).startswith("gym_") and "left_out" not in one]
    assert len(gym_skills) > 70 or "gym_*" in reasons


def test_drills_that_words_limit_are_marked(realm: Realm) -> None:
    shown = realm("skill", "show", "prim", "--mix", "passive_language_basics")
    assert "limited by words: antonym_easy pluralize_regular synonym_easy" in shown.out
    level = realm("skill", "show", "prim", "--mix", "passive_language_basics", "--json").json["levels"][0]
    assert {op for op, facts in level["operations"].items() if facts["finite"]} == {
        "antonym_easy",
        "pluralize_regular",
        "synonym_easy",
    }


def test_a_problem_of_several_lines_is_still_printed_on_one(realm: Realm) -> None:
    shown = realm("skill", "sample", "prim", "--level", "2", "--operation", "fmt_table", "--count", "5").out
    assert len(shown.splitlines()) == 5 and " ⏎ " in shown


def test_broken_words_of_the_player_disable_the_drills_and_nothing_else(home: Path) -> None:
    def listed() -> dict[str, str]:
        answer = subprocess.run(
            [sys.executable, "-m", "realm_tui", "skill", "list", "--all", "--json"], capture_output=True, check=True
        )
        return {skill["id"]: skill.get("left_out", "") for skill in json.loads(answer.stdout)}

    words = home / "config" / "drill_words.yaml"
    words.parent.mkdir(parents=True)
    words.write_text("names: [Ingrid, Pelle]\n")
    assert listed()["prim"] == "" and listed()["bin"] == ""
    words.write_text("names: [Ingrid, 'Pelle is not']\n")
    found = listed()
    assert "names.51" in found["prim"] and "Pelle is not" in found["prim"] and found["logic_weaving"]
    assert found["bin"] == ""


def test_the_stock_of_words_is_checked_with_the_players_own(
    realm: Realm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = realm("skill", "check", "sy", "--json")
    assert sound.code == 0
    assert sound.json["words"] > 450 and not sound.json["findings"]
    monkeypatch.setenv("REALM_CONFIG_DIR", str(tmp_path))
    (tmp_path / "words").mkdir()
    own = tmp_path / "words" / "mine.yaml"
    own.write_text("words:\n  lamp: {syllables: la-mp, zipf: 4.2, pos: noun, definition: [a light]}\n")
    wrong = realm("skill", "check", "sy")
    assert wrong.code == 1
    assert wrong.out.startswith(f"{own}:2: lamp: ")
    assert realm("skill", "check", "sy", "--json").json["findings"][0]["line"] == 2
    assert realm("skill", "check", "bin").code == 2

"""The map: where the hero is, what opens a region, and what never opens one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from configs.errors import RealmError
from configs.loader import load_game
from configs.paths import config_dir
from lore import lexicon, world_rules
from lore.fold import ExamFact, Fact, Fold, LevelUpFact, Setting, TrialFact, WindowFact
from lore.own_file import forget
from lore.rules import rules
from lore.world import World, WorldPart, ages

CATEGORIES = {"bin": "math", "sy": "reasoning", "oath_binding": "generation"}


def setting(start: int = 0) -> Setting:
    return Setting(rules(), load_game().exams, {}, ("bin", "sy"), CATEGORIES, start)


def steps(last: int) -> WindowFact:
    n = 10
    return WindowFact(1, last - n + 1, last, float(last), 1.0, "bin", n, 1.0, 0, 0, n, 0, 0, 0, 0, 0, n, 10)


def exam(number: int, step: int, level: int, correct: int, items: int = 64, **over: Any) -> ExamFact:
    base: dict[str, Any] = {
        "id": number, "run_id": 1, "step": step, "skill": "bin", "level": level, "kind": "gate", "items": items,
        "correct": correct, "sequence": "", "primitives_json": "{}",
        "format_failures": 0, "at": float(step),
    }  # fmt: skip
    return ExamFact(**(base | over))


def won(number: int, step: int, level: int, skill: str = "bin") -> LevelUpFact:
    return LevelUpFact(number, 1, step, skill, level - 1, level, 10, 1.0, 2.0, 1.0, float(step))


def trial(number: int, step: int, discipline: str, level: int, correct: int = 100) -> TrialFact:
    return TrialFact(number, 1, step, discipline, level, 100, correct, 0.6, correct >= 60, float(step))


def folded(*facts: Fact, start: int = 0) -> tuple[World, Fold]:
    part = WorldPart()
    fold = Fold((part,), setting(start))
    fold.take(facts)
    return part.view(fold.states["world"]), fold


FOOTHILLS = (steps(10), exam(1, 20, 3, 45), won(1, 30, 1), won(2, 31, 2), won(3, 32, 3), won(4, 33, 4))


def test_before_the_first_step_the_hero_is_at_the_inn() -> None:
    world, _ = folded()
    assert (world.here, world.leading, dict(world.unlocked), dict(world.gates)) == ("inn", None, {}, {})


def test_the_first_step_leads_into_the_valley() -> None:
    world, fold = folded(steps(10))
    assert world.here == "novice_valley" and set(world.unlocked) == {"inn", "novice_valley", "binary_wastes"}
    assert not fold.told.happenings, "what steps alone complete is not told: merged windows forget its moment"


def test_a_veteran_counts_its_own_steps() -> None:
    assert folded(start=5000)[0].here == "inn"
    assert folded(steps(5010), start=5000)[0].here == "novice_valley"


def test_the_foothills_ask_a_level_and_silver_answers() -> None:
    world, fold = folded(*FOOTHILLS)
    assert (world.here, world.leading, world.level) == ("logic_foothills", "bin", 4)
    assert world.unlocked["logic_foothills"].source == "level_ups:4"
    assert [h.step for h in fold.told.happenings if h.data == {"region": "logic_foothills"}] == [33]


def test_a_level_alone_opens_nothing() -> None:
    """Level 4 with too few silver answers, or too few right ones, leaves the gate shut and the hero in the valley."""
    few, _ = folded(*FOOTHILLS[:1], exam(1, 20, 3, 16, 16), *FOOTHILLS[2:])
    assert few.here == "novice_valley"
    asked = {c.key: (c.have, c.need, c.met) for c in few.gates["logic_foothills"]}
    assert asked == {"level": (4, 4, True), "answers": (16, 20, False), "share": (1.0, 0.7, True)}
    poor, _ = folded(*FOOTHILLS[:1], exam(1, 20, 3, 44), *FOOTHILLS[2:])
    assert poor.here == "novice_valley", "44 of 64 is .69"


def test_the_newest_answers_of_a_tier_count() -> None:
    world, _ = folded(steps(10), exam(1, 20, 3, 64), exam(2, 21, 4, 10, 16), exam(3, 22, 3, 8, 16))
    assert world.tiers["silver"] == (18, 32), "the older exam is no longer needed to make up twenty answers"


def test_exams_on_command_open_nothing() -> None:
    world, _ = folded(steps(10), exam(1, 20, 3, 64, kind="asked"), exam(2, 21, 6, 64, kind="pair"), *FOOTHILLS[2:])
    assert world.here == "novice_valley" and not world.bosses


def test_the_mountains_ask_for_the_guardian() -> None:
    levels = [won(n, 40 + n, n) for n in (5, 6, 7)]
    gold = exam(5, 39, 5, 54)
    without, _ = folded(*FOOTHILLS, gold, *levels)
    assert without.here == "logic_foothills" and without.level == 7
    assert [c.key for c in without.gates["reasoning_mountains"] if not c.met] == ["boss"]
    world, fold = folded(*FOOTHILLS, gold, *levels, exam(6, 60, 6, 55))
    assert world.here == "reasoning_mountains" and world.bosses["foothills_guardian"].step == 60
    assert [h.kind for h in fold.told.happenings][-2:] == ["world.boss", "world.region"]


@pytest.mark.parametrize("short", [exam(6, 60, 6, 54), exam(6, 60, 6, 60, 63), exam(6, 60, 5, 64)])
def test_the_guardian_is_not_beaten_by_less(short: ExamFact) -> None:
    assert not folded(*FOOTHILLS, short)[0].bosses


def test_only_disciplines_of_logic_open_the_mountains() -> None:
    oaths = [trial(n, 100 + n, "oath_binding", n) for n in range(1, 8)]
    world, _ = folded(*FOOTHILLS, exam(5, 39, 5, 60), exam(6, 60, 6, 60), *oaths)
    assert world.leading == "oath_binding" and world.here == "logic_foothills"


def test_the_summit() -> None:
    ladder = [won(n, 40 + n, n) for n in range(5, 11)]
    climb = (*FOOTHILLS, exam(5, 39, 5, 60), exam(6, 60, 6, 60))
    assert folded(*climb, *ladder, exam(7, 70, 8, 54))[0].here == "reasoning_mountains", "54 of 64 is .84"
    assert folded(*climb, *ladder, exam(7, 70, 8, 55))[0].here == "summit"


def test_an_open_region_stays_open() -> None:
    world, _ = folded(*FOOTHILLS, exam(9, 90, 4, 5))
    assert "logic_foothills" in world.unlocked and world.tiers["silver"] == (5, 64)


def test_comparisons_lead_into_the_wastes_and_out_again() -> None:
    mostly = json.dumps({"binary_compare": {"correct": 30, "items": 48}})
    half = json.dumps({"binary_compare": {"correct": 30, "items": 47}})
    there = (*FOOTHILLS, exam(8, 80, 5, 40, primitives_json=mostly))
    assert folded(*there)[0].here == "binary_wastes"
    assert folded(*there, exam(9, 81, 5, 40, primitives_json=half))[0].here == "logic_foothills"
    assert folded(*FOOTHILLS, exam(8, 80, 1, 40, skill="sy", primitives_json=mostly))[0].here == "logic_foothills"


def test_hidden_talents_show_while_both_disciplines_are_high_enough() -> None:
    logic = [trial(n, n, "logic_weaving", n) for n in range(1, 6)]
    code = [trial(10 + n, 10 + n, "artificer_arts", n) for n in range(1, 6)]
    assert not folded(steps(10), *logic, *code[:4])[0].talents
    assert not folded(steps(10), *logic, *code[:4], trial(15, 15, "artificer_arts", 5, correct=50))[0].talents
    world, fold = folded(steps(10), *logic, *code)
    assert set(world.talents) == {"code_whisperer"}
    assert [h.data["talent"] for h in fold.told.happenings if h.kind == "world.talent"] == ["code_whisperer"]


def test_the_state_survives_json() -> None:
    _, fold = folded(*FOOTHILLS, exam(6, 60, 6, 60))
    again = Fold((WorldPart(),), setting())
    again.load(json.loads(json.dumps(fold.dump())))
    more = (won(5, 70, 5), exam(7, 71, 5, 60))
    fold.take(more)
    again.take(more)
    assert WorldPart().view(again.states["world"]) == WorldPart().view(fold.states["world"])


def test_one_window_or_many_open_the_same() -> None:
    small = [steps(n) for n in range(10, 110, 10)]
    assert folded(*small)[0] == folded(small[-1])[0]


def test_an_exam_before_the_first_window_opens_the_same() -> None:
    """Windows end at checkpoints or later, exams lie between: what steps alone open neither waits for one nor is told."""
    world, fold = folded(exam(1, 5, 1, 10, 29), steps(10))
    assert world.unlocked == folded(steps(10))[0].unlocked and world.here == "novice_valley"
    assert not fold.told.happenings


def test_an_age_begins_with_another_body() -> None:
    assert ages([]) == 1 and ages([("qwen3", "reasoning")] * 3) == 1
    assert ages([("pip", "reasoning"), ("qwen3", "reasoning"), ("qwen3", "code")]) == 3


# ---------------------------------------------------------------- the map's file


def test_everything_on_the_map_has_words() -> None:
    found = world_rules.world_rules()
    keys = [f"{kind}.{name}" for kind, names in (
        ("region", found.regions), ("boss", found.bosses), ("talent", found.talents), ("tier", found.tiers)
    ) for name in names]  # fmt: skip
    assert [key for key in keys if key not in lexicon.entries()] == []
    assert [found.tier(level) for level in (0, 1, 2, 3, 6, 8, 9, 30)] == [
        "bronze", "bronze", "bronze", "silver", "gold", "platinum", "dragon", "dragon"
    ]  # fmt: skip
    assert [found.stars(tier) for tier in found.tiers] == [1, 2, 3, 4, 5]


@pytest.fixture
def own_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    monkeypatch.delenv("REALM_CONFIG_DIR", raising=False)
    config_dir().mkdir(parents=True)
    forget()
    yield config_dir() / world_rules.FILE
    forget()


def test_a_player_adds_a_region_without_code(own_map: Path) -> None:
    own_map.write_text(
        "regions:\n  sunken_library: {label: Sunken Library, plain: Long texts, levels: [2, 3], opens: {steps: 100}}\n"
    )
    assert folded(steps(10), won(1, 30, 1), won(2, 31, 2))[0].here == "novice_valley"
    world, _ = folded(steps(10), won(1, 30, 1), won(2, 31, 2), steps(90), steps(100))
    assert world.here == "sunken_library" and world_rules.map_complaint() is None
    assert world.unlocked["sunken_library"].step == 100
    assert world_rules.named("region", "sunken_library", "plain") == "Long texts"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("regions:\n  summit:\n    opens: {levle: 3}\n", "levle"),
        ("regions:\n  summit:\n    opens: {tier: mithril}\n", "mithril"),
        ("tiers: [1\n", "world.yaml"),
    ],
)
def test_a_broken_map_is_named_and_the_shipped_one_used(own_map: Path, text: str, said: str) -> None:
    own_map.write_text(text)
    complaint = world_rules.map_complaint()
    assert isinstance(complaint, RealmError) and said in f"{complaint.what} {complaint.why}"
    assert "mithril" not in world_rules.world_rules().tiers and len(world_rules.world_rules().regions) == 6
    assert own_map.read_text() == text

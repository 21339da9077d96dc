"""How skills share the steps, which comes next, and what is said about it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from configs.curriculum import STRATEGIES, load_book
from configs.errors import RealmError, UsageError
from configs.loader import load_game
from engine.curriculum.presets import Settings, changed, from_dict, of_preset
from engine.curriculum.sampling import draw, observe
from engine.curriculum.state import CurriculumState, Progress, start
from engine.curriculum.strategy import Decision, Rules, decide, next_skill, preview, with_sampling
from tests.curriculum.school import CountingSkill

GAME = load_game()
RULES = Rules.of(GAME)
LEVELS = {"bin": 30, "sy": 50}


def hero(levels: dict[str, int] | None = None, **lost: tuple[int, ...]) -> dict[str, CurriculumState]:
    """A hero that won so many levels of each skill."""
    won = {"bin": 0, "sy": 0} if levels is None else levels
    return {
        skill: replace(start(skill, "full", LEVELS.get(skill, 10), GAME.exams, mastered=n), lost=lost.get(skill, ()))
        for skill, n in won.items()
    }


def turns(settings: Settings, states: dict[str, CurriculumState], first: int = 1, count: int = 1000) -> Counter[str]:
    return Counter(preview(settings, states, RULES, None, seed=3, step=first, count=count))


def said(settings: Settings, states: dict[str, CurriculumState], step: int = 1) -> Decision:
    return decide(settings, states, RULES, None, seed=3, step=step)


# ---------------------------------------------------------------- presets


def test_eight_presets_and_every_strategy_in_words() -> None:
    book = load_book()
    assert sorted(book.presets) == [
        "balanced", "bin_focus", "bin_heavy", "bin_only", "catch_up", "sy_focus", "sy_heavy", "sy_only",
    ]  # fmt: skip
    assert set(book.strategies) == set(STRATEGIES)


@pytest.mark.parametrize(
    ("preset", "share"),
    [
        ("balanced", 0.5),
        ("bin_focus", 0.95),
        ("bin_heavy", 2 / 3),
        ("bin_only", 1.0),
        ("sy_heavy", 1 / 3),
        ("sy_only", 0.0),
    ],
)
def test_a_preset_shares_the_steps_as_it_says(preset: str, share: float) -> None:
    settings = of_preset(preset, ["bin", "sy"])
    for first in (1, 10**6):
        assert turns(settings, hero({"bin": 4, "sy": 3}), first)["bin"] / 1000 == pytest.approx(share, abs=0.01)


def test_what_was_never_won_needs_no_floor() -> None:
    assert turns(of_preset("bin_focus", ["bin", "sy"]), hero({"bin": 4, "sy": 0})) == {"bin": 1000, "sy": 0}


def test_a_preset_about_a_skill_that_is_not_trained_is_refused() -> None:
    with pytest.raises(UsageError, match="does not train") as caught:
        of_preset("sy_only", ["bin"])
    assert "bin" in caught.value.fix
    with pytest.raises(UsageError) as caught:
        of_preset("balance", ["bin"])
    assert "balanced" in caught.value.why


def test_a_players_presets_stand_beside_the_shipped_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALM_CONFIG_DIR", str(tmp_path))
    mine = tmp_path / "curriculum.yaml"
    mine.write_text("presets: {words: {description: Words, strategy: weighted, skills: {sy: {weight: 9}}}}")
    assert turns(of_preset("words", ["bin", "sy"]), hero())["sy"] == pytest.approx(900, abs=5)
    mine.write_text("presets: {words: {description: Words, strategy: focus}}")
    with pytest.raises(RealmError, match="curriculum"):
        load_book()


# ---------------------------------------------------------------- strategies


def test_skills_take_turns_one_by_one() -> None:
    states = hero({"bin": 1, "sy": 2, "prim": 0})
    order = [next_skill(of_preset("balanced", list(states)), states, RULES, None, seed=3, step=s) for s in range(6)]
    assert order == ["bin", "sy", "prim"] * 2


def test_priority_decides_who_comes_first() -> None:
    states = hero()
    settings = changed(of_preset("balanced", list(states)), {"skills": {"bin": {"priority": 5}}}, LEVELS)
    assert [next_skill(settings, states, RULES, None, seed=3, step=s) for s in (0, 1)] == ["sy", "bin"]


def test_catch_up_helps_what_trails_until_it_no_longer_does() -> None:
    settings = of_preset("catch_up", ["bin", "sy"])
    assert turns(settings, hero({"bin": 5, "sy": 3}))["sy"] == 500
    behind = hero({"bin": 6, "sy": 3})
    assert turns(settings, behind)["sy"] == pytest.approx(750, abs=5)
    assert said(settings, behind).reason == "sy trails bin by 3 levels"


@pytest.mark.parametrize("target", [None, 4])
def test_a_skill_that_is_finished_is_only_kept(target: int | None) -> None:
    settings = changed(of_preset("balanced", ["bin", "sy"]), {"skills": {"bin": {"target": target}}}, LEVELS)
    states = hero({"bin": 30 if target is None else 4, "sy": 2})
    assert turns(settings, states)["bin"] == pytest.approx(200, abs=5)
    assert turns(settings, hero({"bin": 30, "sy": 50}))["bin"] == 500


def test_lost_levels_beyond_the_budget_come_first() -> None:
    settings = of_preset("bin_focus", ["bin", "sy"])
    within, beyond = hero({"bin": 18, "sy": 2}, sy=(1, 2)), hero({"bin": 3, "sy": 2}, sy=(1,))
    assert turns(settings, within)["sy"] == pytest.approx(50, abs=3)
    assert turns(settings, beyond)["sy"] == pytest.approx(500, abs=3)
    decision = said(settings, beyond)
    assert decision.reason == "1 of 5 levels lost, 0 may be: sy first"
    assert decision.budget.exceeded


def test_the_players_own_shares_stand_above_the_strategy() -> None:
    states = hero({"bin": 3, "sy": 2})
    decision = decide(of_preset("sy_only", list(states)), states, RULES, {"bin": 1.0}, seed=3, step=1)
    assert (decision.skill, decision.strategy, decision.plan) == ("bin", "shares", "bin 100 %")


def test_one_skill_alone_always_trains_and_says_why() -> None:
    states = hero({"bin": 2})
    decision = said(of_preset("balanced", ["bin"]), states)
    assert (decision.skill, decision.level, decision.top, decision.reason) == (
        "bin",
        3,
        8,
        "the only skill in training",
    )
    assert "L1, L2" in said(of_preset("balanced", ["bin"]), hero({"bin": 2}, bin=(1, 2))).reason
    assert decision.text == "next BIN L3: the only skill in training"


# ---------------------------------------------------------------- the bandit


def learning(state: CurriculumState, level: int) -> CurriculumState:
    """A record in which ``level`` has lately moved and every other stands still."""
    still = {n: Progress(0.97, 0.97, 2000) for n in range(1, 10)}
    return replace(state, progress={**still, level: Progress(0.75, 0.35, 2000)})


def test_the_bandit_goes_where_answers_change_and_leaves_nobody_out() -> None:
    settings = changed(of_preset("balanced", ["bin", "sy"]), {"strategy": "bandit"}, LEVELS)
    states = hero({"bin": 4, "sy": 4})
    states = {"bin": learning(states["bin"], 99), "sy": learning(states["sy"], 5)}
    share = turns(settings, states)
    assert share["sy"] > 850 and share["bin"] >= 45
    backwards = {**states, "bin": replace(states["bin"], progress={5: Progress(0.2, 0.9, 2000)})}
    assert turns(settings, backwards)["bin"] > 400, "what is being forgotten changes, too"


def test_the_bandit_draws_changing_levels_more_and_every_level_some() -> None:
    settings = changed(of_preset("balanced", ["bin"]), {"strategy": "bandit"}, {"bin": 30})
    state = learning(with_sampling(hero({"bin": 4}), settings)["bin"], 6)
    drawn = [
        d.level
        for step in range(60)
        for d in draw(state, CountingSkill(), "full", GAME.curriculum, seed=1, step=step, count=32)
    ]
    counts = Counter(drawn)
    assert sorted(counts) == list(range(1, 10))
    assert counts[6] > 0.4 * len(drawn)
    assert min(counts.values()) > 0.5 * len(drawn) * GAME.curriculum.bandit_wide / 9


def test_the_bandit_looks_at_what_it_knows_little_of() -> None:
    settings = Settings("bandit", skills=of_preset("balanced", ["bin", "sy"]).skills)
    states = hero({"bin": 4, "sy": 4})
    states["bin"] = learning(states["bin"], 99)
    assert turns(settings, states)["sy"] > 850
    assert said(settings, {"sy": states["sy"]}).reason == "little is known of L1 yet"


def test_records_of_progress_follow_the_answers() -> None:
    state = hero({"bin": 4})["bin"]
    skill = CountingSkill()
    for step in range(200):
        draws = draw(state, skill, "full", GAME.curriculum, seed=1, step=step, count=32)
        state = observe(state, draws, [d.level != 5 or step > 150 for d in draws], GAME.curriculum)
    moving, still = state.progress[5], state.progress[1]
    assert moving.fast - moving.slow > 0.1 and moving.answers > 400
    assert still.fast == pytest.approx(1.0) and still.slow == pytest.approx(1.0)


# ---------------------------------------------------------------- changes


def test_settings_survive_json_and_a_change_by_hand_leaves_the_preset() -> None:
    settings = of_preset("bin_heavy", ["bin", "sy"])
    assert from_dict(json.loads(json.dumps(settings.as_dict()))) == settings
    assert changed(settings, {}, LEVELS) == settings
    after = changed(settings, {"skills": {"sy": {"weight": 3, "target": 12}}}, LEVELS)
    assert (after.preset, after.strategy, after.of("sy").target, after.of("bin").weight) == (None, "weighted", 12, 2.0)
    assert changed(after, {"focus": "sy"}, LEVELS).strategy == "focus"
    assert changed(after, {"preset": "balanced"}, LEVELS) == of_preset("balanced", ["bin", "sy"])


@pytest.mark.parametrize(
    "change",
    [
        {"preset": "nonsense"},
        {"strategy": "luck"},
        {"strategy": "focus"},
        {"focus": "chess"},
        {"skills": {"chess": {"weight": 1}}},
        {"skills": {"bin": {"weight": -1}}},
        {"skills": {"bin": {"weight": "much"}}},
        {"skills": {"bin": {"speed": 1}}},
        {"skills": {"bin": {"target": 31}}},
        {"skills": {"bin": {"target": 0}}},
        {"skills": {"bin": 2}},
        {"skills": {"bin": {"enabled": False}, "sy": {"enabled": False}}},
        {"skills": {"bin": {"weight": 0}, "sy": {"weight": 0}}},
        {"focus": "bin", "skills": {"bin": {"enabled": False}}},
        {"speed": 3},
    ],
    ids=str,
)
def test_a_change_that_cannot_be_is_refused_with_the_way_out(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        changed(of_preset("balanced", ["bin", "sy"]), change, LEVELS)
    assert caught.value.fix and caught.value.code != "FAILED"

"""The hero panel: what it shows follows from facts, and unknown stays unknown."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import RealmError
from configs.loader import load_hero
from lore.health import health
from lore.hero import HeroStats, damage, hero_stats
from lore.identity import bloodline, hero_class, identity, parameters
from lore.rules import rules


def stats(steps: int = 0, **over: object) -> HeroStats:
    base: dict[str, object] = {
        "train_loss": None, "val_loss": None, "accuracies": (), "quests_completed": 0, "mastered": (),
    }  # fmt: skip
    return hero_stats(steps=steps, **{**base, **over})  # type: ignore[arg-type]


def test_worked_example() -> None:
    found = stats(184_321, train_loss=0.8, val_loss=0.5, quests_completed=37, mastered=[5, 2])
    assert (found.level, found.xp, found.xp_in_level, found.xp_per_level) == (184, 184_321, 321, 1000)
    assert (found.gold, found.attack, found.defence, found.total_level) == (3700, 1.25, 2.0, 7)


def test_a_new_hero_is_level_0_and_its_numbers_are_unknown() -> None:
    found = stats()
    assert (found.level, found.gold, found.total_level) == (0, 0, 0)
    assert found.attack is None and found.defence is None and found.accuracy is None


def test_accuracy_is_the_mean_of_the_skills_that_sat_an_exam() -> None:
    assert stats(accuracies=[0.5, None, 1.0]).accuracy == pytest.approx(0.75)
    assert stats(accuracies=[None]).accuracy is None


@given(st.floats(min_value=0, allow_infinity=False, allow_nan=False))
def test_damage_is_capped_and_positive(loss: float) -> None:
    found = damage(loss)
    assert found is not None and 0 < found <= rules().hero.damage_cap


def test_a_broken_loss_does_no_damage() -> None:
    assert damage(math.nan) is None and damage(math.inf) is None and damage(None) is None


@given(st.integers(0, 10**9))
def test_level_and_bar_add_up_to_xp(steps: int) -> None:
    found = stats(steps)
    assert found.level * found.xp_per_level + found.xp_in_level == found.xp == steps


@pytest.mark.parametrize(
    ("severities", "word"),
    [
        ([], "healthy"),
        (["medium", "medium"], "minor_issues"),
        (["low"], "minor_issues"),
        (["high"], "fatigued"),
        (["critical", "low"], "fatigued"),
        (["high", "critical"], "struggling"),
    ],
)
def test_health(severities: list[str], word: str) -> None:
    assert health(severities) == word


def test_identity_of_the_first_heroes() -> None:
    pip = identity(load_hero("pip"))
    assert pip.line("tavern") == "Qwen'dal Sprite · 0.5M"
    assert pip.line("plain") == "qwen3 · 0.5M parameters · base"
    dio = identity(load_hero("dio"), veteran=True)
    assert (dio.parameters, dio.bloodline, dio.hero_class) == ("0.6B", "third", "Guild Veteran")


@pytest.mark.parametrize(
    ("name", "generation", "variant"),
    [
        ("Qwen2.5-3B-Instruct", "second", "Academy-Trained"),
        ("Qwen3-4B", "third", "Wildborn"),
        ("Mistral-7B-v0.3", None, "Wildborn"),
        ("SmolLM2-1.7B", "second", "Wildborn"),
        ("gemma-2-2b-it", "second", "Academy-Trained"),
        ("Qwen2.5-Coder-7B", "second", "Artificer"),
        ("zephyr-7b-chat", None, "Diplomat"),
    ],
)
def test_names_of_models_are_read(name: str, generation: str | None, variant: str) -> None:
    assert (bloodline(name), hero_class(name)) == (generation, variant)


def test_sizes_are_drawn_short() -> None:
    assert [parameters(b) for b in (0.0005, 0.035, 0.6, 1.7, 14)] == ["0.5M", "35M", "0.6B", "1.7B", "14B"]


@pytest.fixture
def own_rules(tmp_path, monkeypatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("REALM_CONFIG_DIR", str(tmp_path))
    rules.cache_clear()
    yield tmp_path / "lore.yaml"
    rules.cache_clear()


def test_a_player_may_change_the_numbers(own_rules) -> None:  # type: ignore[no-untyped-def]
    own_rules.write_text("hero: {level_steps: 100}\n")
    assert stats(250).level == 2 and stats(quests_completed=1).gold == 100


def test_wrong_numbers_are_named(own_rules) -> None:  # type: ignore[no-untyped-def]
    own_rules.write_text("combat: {thresholds: [0, 50, 20]}\n")
    with pytest.raises(RealmError, match=r"thresholds: .*rise"):
        rules()

"""A hero with two skills in a real run: shares, holding both, attempts, and the same decisions after a crash."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from configs.errors import RealmError
from configs.paths import SaveFolder
from configs.schema import HeroConfig
from engine.curriculum.progress import Attempted
from engine.link.protocol import Command, Verb
from engine.trainer.game import Game
from saves import decisions, exams
from saves.database import create_save, open_save
from tests.trainer.conftest import EASY, Once, Script, World, command, tiny_hero
from tests.trainer.test_resume import assert_same, facts

MakeWorld = Callable[..., World]


def two_skills() -> HeroConfig:
    """The small hero, with primitive drills beside Binary Alchemy."""
    data = tiny_hero().model_dump(mode="json")
    data["skills"] = {"bin": "hatchling", "prim": "hatchling"}
    data["floors"] = {"bin": 0.02, "prim": 0.02}
    return HeroConfig.model_validate(data)


@pytest.fixture
def make_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeWorld:
    def make(name: str = "main", seed: int = 3, **rules: Any) -> World:
        monkeypatch.setitem(os.environ, "REALM_HOME", str(tmp_path / name))
        folder = SaveFolder.named("main")
        create_save(folder, two_skills(), seed=seed)
        return World(folder, {**EASY, **rules})

    return make


def trained(world: World) -> Counter[str]:
    """Live steps by skill."""
    with closing(open_save(world.folder, write=False)) as conn:
        found = conn.execute("SELECT skill, sum(steps) AS n FROM live_step_windows GROUP BY skill").fetchall()
    return Counter({row["skill"]: row["n"] for row in found})


def told(world: World, kind: str) -> list[Any]:
    with closing(open_save(world.folder, write=False)) as conn:
        return list(reversed(decisions.recent_decisions(conn, "campaign-001", kind=kind)))


def test_skills_take_turns_and_a_change_holds_from_the_next_step(make_two: MakeWorld) -> None:
    change = command(Verb.SET, curriculum={"skills": {"prim": {"weight": 3}}})
    world = make_two()
    game = world.train(60, [(20, change)])
    assert isinstance(game.channel, Script)
    step, result = game.channel.answers[change.id]
    assert step == 20 and result["curriculum"]["settings"]["strategy"] == "weighted"
    steps = trained(world)
    assert steps["bin"] + steps["prim"] == 60 and abs(steps["bin"] - 20) <= 1, "ten each, then one in four"
    assert [(row.step, row.strategy) for row in told(world, "strategy")] == [(0, "equal"), (20, "weighted")]
    assert told(world, "strategy")[1].reason == "shares bin 1 : prim 3"


def test_a_level_up_screens_what_was_won_in_the_other_skill(make_two: MakeWorld) -> None:
    game = make_two().train(70)
    won = {skill: state.mastered for skill, state in game.values.curricula.items()}
    assert won["bin"] >= 1 and won["prim"] >= 1
    for skill, others in (("bin", "prim"), ("prim", "bin")):
        steps = {up.step for up in exams.level_ups(game.conn, game.campaign.id, skill=others)}
        held = {hold.step for hold in exams.recent_holds(game.conn, game.campaign.id) if hold.skill == skill}
        assert held & steps, f"{skill} is asked when {others} wins a level"


def test_levels_lost_elsewhere_hold_a_level_up_back(make_two: MakeWorld) -> None:
    """Nothing reaches 1.01, so every screened level is lost; with the whole budget it may be."""
    lost = {**EASY["exams"], "held_share": 1.0}
    strict = make_two("strict", exams=lost).train(70).values.curricula
    lenient = make_two("lenient", exams=lost, forgetting={"budget": 1.0}).train(70).values.curricula
    assert sum(state.mastered for state in strict.values()) < sum(state.mastered for state in lenient.values())
    assert sorted(state.mastered for state in strict.values()) == [0, 1], "the first level won blocks the other skill"
    assert any(state.lost for state in strict.values())


def test_attempts_are_priced_and_end_without_a_level_too(make_two: MakeWorld) -> None:
    world = make_two(exams={**EASY["exams"], "pass_share": 1.0}, forgetting={"attempt_exams": 2, "maxed_delta": 1.0})
    game = world.train(70)
    attempts = [Attempted.from_dict(row.detail) for row in told(world, "attempt")]
    assert attempts and not any(a.won for a in attempts)
    assert all(a.exams == 2 and a.effort_new > 0 and a.effort_held == 0 and a.multiplier == 0 for a in attempts)
    plateau = told(world, "plateau")
    assert plateau and "no gain above 1.00 shown" in plateau[0].decision and plateau[0].detail["tokens"] > 0
    assert not told(world, "maxed"), "nothing regressed, so nobody says that the hero is done"
    assert told(world, "remedy")
    assert game.values.curricula["bin"].attempt.step == [a for a in attempts if a.skill == "bin"][-1].last_step


@pytest.mark.parametrize("cut", [17, 47])
def test_the_course_is_the_same_after_a_crash(make_two: MakeWorld, once: Once, cut: int) -> None:
    def given() -> list[tuple[int, Command]]:
        return [
            (12, command(Verb.SET, curriculum={"strategy": "bandit"})),
            (30, command(Verb.SET, curriculum={"preset": "catch_up"}, pin=2, skill="bin")),
            (45, command(Verb.SET, curriculum={"focus": "prim"}, pin=None, skill="bin")),
        ]

    def undisturbed() -> tuple[dict[str, list[Any]], list[str], Game]:
        whole = make_two("whole")
        game = whole.train(56, given())
        return facts(whole), [row.decision for row in told(whole, "attempt")], game

    known, attempts, expected = once("whole", undisturbed)
    broken = make_two("broken")
    broken.train(cut, given(), crash=True)
    resumed = broken.train(56, [order for order in given() if order[0] > cut])
    assert known == facts(broken)
    assert attempts == [row.decision for row in told(broken, "attempt")]
    assert_same(expected, resumed)
    assert resumed.values.settings is not None and resumed.values.settings.focus == "prim"


def test_a_preset_of_the_rules_is_where_a_campaign_begins(make_two: MakeWorld) -> None:
    world = make_two(strategy={"preset": "bin_only"})
    world.train(12)
    assert trained(world) == {"bin": 12}
    with pytest.raises(RealmError, match="sy_only"):
        make_two("words", strategy={"preset": "sy_only"}).train(3)


@pytest.mark.parametrize(
    "change",
    [{"preset": "nonsense"}, {"focus": "chess"}, [], {"skills": {"bin": {"weight": -1}}}, {"speed": 1}],
    ids=str,
)
def test_a_course_that_cannot_be_is_refused_whole(make_two: MakeWorld, change: Any) -> None:
    bad = command(Verb.SET, curriculum=change, rate=0.5) if change else command(Verb.SET, curriculum=[1])
    game = make_two().train(3, [(2, bad)])
    assert isinstance(game.channel, Script)
    assert game.channel.answers[bad.id][1].fix
    assert game.values.settings is not None and game.values.settings.preset == "balanced"
    assert game.values.rate_factor is None


def test_asking_for_the_course_writes_nothing(make_two: MakeWorld) -> None:
    ask = command(Verb.COURSE)
    game = make_two().train(8, [(5, ask)])
    assert isinstance(game.channel, Script)
    step, told_course = game.channel.answers[ask.id]
    assert step == 5 and set(told_course["skills"]) == set(told_course["trackers"]) == {"bin", "prim"}
    assert told_course["next"]["step"] == 6 and told_course["settings"]["preset"] == "balanced"
    assert game.conn.execute("SELECT count(*) FROM journal WHERE verb = 'course'").fetchone()[0] == 0

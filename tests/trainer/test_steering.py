"""What the player changes while the hero trains holds from the next step on, and a resumed run makes it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.curriculum.turns import skill_of_step
from engine.link.protocol import Command, Verb
from engine.trainer.game import Game
from saves import journal
from saves.database import open_save
from tests.trainer.conftest import Once, Script, World, command
from tests.trainer.test_resume import add_quest, assert_same, facts, write_quest

MakeWorld = Callable[..., World]


def rates(world: World) -> list[float]:
    conn = open_save(world.folder, write=False)
    found = conn.execute("SELECT last_step, learning_rate FROM live_step_windows ORDER BY last_step").fetchall()
    return [row["learning_rate"] for row in found]


def test_the_learning_rate_changes_with_the_next_step_and_back(make_world: MakeWorld) -> None:
    world = make_world(engine={"window_steps": 1, "min_free_gb": 0.0, "device": "cpu"})
    half, own = command(Verb.SET, rate=0.5), command(Verb.SET, rate=None)
    game = world.train(14, [(8, half), (11, own)])
    assert isinstance(game.channel, Script)
    full = game.hero.config.training.learning_rate
    assert rates(world)[5:] == pytest.approx([full] * 3 + [full / 2] * 3 + [full] * 3)
    step, result = game.channel.answers[half.id]
    assert step == 8 and result["rate_factor"] == 0.5 and result["learning_rate"] == pytest.approx(full / 2)


@pytest.mark.parametrize("cut", [17, 23, 31])
def test_changes_are_made_again_by_a_run_that_was_killed(
    make_world: MakeWorld, once: Once, tmp_path: Path, cut: int
) -> None:
    path = write_quest(tmp_path / "echo.jsonl", 60)
    orders: list[tuple[int, dict[str, Any]]] = [
        (9, {"rate": 0.3}),
        (15, {"replay": 0.6}),
        (22, {"rate": 2.0, "pin": 4}),
        (30, {"replay": None}),
    ]

    def given() -> list[tuple[int, Command]]:
        return [(at, command(Verb.SET, **args)) for at, args in orders]

    def undisturbed() -> tuple[dict[str, list[Any]], Game]:
        whole = make_world("whole")
        add_quest(whole, path)
        game = whole.train(40, given())
        return facts(whole), game

    told, expected = once("whole", undisturbed)
    broken = make_world("broken")
    add_quest(broken, path)
    broken.train(cut, given(), crash=True)
    resumed = broken.train(40, [order for order in given() if order[0] > cut])
    assert told == facts(broken)
    assert_same(expected, resumed)
    assert resumed.values.rate_factor == 2.0 and resumed.values.replay is None


def test_replay_takes_the_share_that_was_set(make_world: MakeWorld, tmp_path: Path) -> None:
    shares = []
    for share in (0.0, 0.5):
        world = make_world(str(share))
        add_quest(world, write_quest(tmp_path / f"{share}.jsonl", 80))
        game = world.wake([(0, command(Verb.SET, replay=share))])
        drawn = own = 0
        while game.values.step < 12:
            assert game._boundary()
            assert game.board.quest is not None
            cursor = game.values.quest
            assert cursor is not None
            practice = game.board.round(game.focus(), game.values.step + 1)
            drawn, own = drawn + len(practice.draws), own + practice.examples
            game._step()
        shares.append(drawn / (drawn + own))
        game.stop_at_step = 12
        game.run()
        game.recorder.close(game.recorder.state)
    assert shares[0] == 0 and shares[1] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    "args",
    [
        {"rate": 0},
        {"rate": -1},
        {"rate": "fast"},
        {"rate": 11},
        {"rate": float("nan")},
        {"rate": True},
        {"replay": 0.95},
        {"weights": {}},
        {"weights": {"bin": 0}},
        {"weights": {"chess": 1}},
        {"speed": 2},
        {"rate": 0.5, "pin": 77},
    ],
)
def test_a_bad_change_is_refused_and_nothing_of_it_holds(make_world: MakeWorld, args: dict[str, object]) -> None:
    bad = command(Verb.SET, **args)
    world = make_world()
    game = world.train(3, [(2, bad)])
    assert isinstance(game.channel, Script)
    assert game.channel.answers[bad.id][1].fix
    assert (game.values.rate_factor, game.values.replay, game.values.weights) == (None, None, None)
    assert journal.entry_of(game.conn, bad.id) is None


def test_without_a_change_set_says_what_holds(make_world: MakeWorld) -> None:
    ask = command(Verb.SET)
    game = make_world().train(3, [(2, ask)])
    assert isinstance(game.channel, Script)
    _, result = game.channel.answers[ask.id]
    assert result["rate_factor"] == 1.0 and result["weights"] is None and result["replay_share"] == 0.2


def test_skills_take_turns_and_weights_divide_the_steps_evenly() -> None:
    skills = ["a", "b", "c"]
    assert [skill_of_step(skills, None, step) for step in range(6)] == ["a", "b", "c"] * 2
    weights = {"a": 3.0, "c": 1.0}
    for first in (1, 5000, 10**7):
        turns = Counter(skill_of_step(skills, weights, step) for step in range(first, first + 100))
        assert turns["b"] == 0 and abs(turns["a"] - 75) <= 2

"""Drills in a real run: ordered by the player, chosen for a weak primitive, and the same after a crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from configs.errors import RealmError
from engine.link.protocol import Command, Verb
from engine.trainer.game import Game
from saves import decisions
from saves.database import open_save
from tests.trainer.conftest import Once, Script, World, command
from tests.trainer.test_resume import add_quest, assert_same, facts, write_quest

MakeWorld = Callable[..., World]


def forged(world: World) -> list[tuple[str, str, int, int, bool]]:
    """Live forged quests: skill, state, first and last step, whether it drills a primitive."""
    with closing(open_save(world.folder, write=False)) as conn:
        found = conn.execute("SELECT * FROM live_forged_quests ORDER BY id").fetchall()
    return [
        (
            row["skill"],
            row["state"],
            row["first_step"],
            row["last_step"],
            "drill_mode" in json.loads(row["recipe_json"]),
        )
        for row in found
    ]


def test_an_ordered_drill_begins_at_once_and_trains_nothing_else(make_world: MakeWorld) -> None:
    order = command(Verb.DRILL, primitive="bitwise_xor", steps=6)
    world = make_world()
    game = world.wake([(4, order)])
    drawn: dict[int, set[str]] = {}
    game.stop_at_step = 14
    while game.values.step < 14:
        assert game._boundary()
        skill = game.skill_of(game.values.step + 1)
        practice = game.board.round(game.state_of(skill), game.values.step + 1)
        drawn[game.values.step + 1] = {d.operation for d in practice.draws}
        game._step()
    game.run()
    game.recorder.close(game.recorder.state)
    assert isinstance(game.channel, Script)
    assert game.channel.answers[order.id][1]["text"] == "drill bitwise_xor: bin xor at L1, 6 steps"
    assert all(drawn[step] == {"xor"} for step in range(5, 11))
    assert all(len(drawn[step]) > 1 for step in (1, 2, 3, 4, 11, 12))
    assert forged(world)[:3] == [
        ("bin", "interrupted", 1, 4, False),
        ("bin", "completed", 5, 10, True),
        ("bin", "interrupted", 11, 14, False),
    ]
    (noted,) = decisions.recent_decisions(game.conn, game.campaign.id, kind="drill")
    assert (noted.detail["primitive"], noted.reason) == ("bitwise_xor", "asked for by the player")


def test_a_guest_is_drilled_without_exams_of_its_own(make_world: MakeWorld) -> None:
    world = make_world()
    game = world.train(16, [(2, command(Verb.DRILL, primitive="seq_reverse", steps=9))])
    assert set(game.values.curricula) == {"bin"} and game.values.guests["prim"].steps == 9
    assert {exam[1] for exam in facts(world)["exams"]} <= {"bin"}
    assert ("prim", "completed", 3, 11, True) in forged(world)


def test_a_drill_waits_for_the_quest_in_training(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world()
    add_quest(world, write_quest(tmp_path / "echo.jsonl", 60))
    order = command(Verb.DRILL, primitive="bitwise_xor", steps=5)
    game = world.train(40, [(3, order)])
    assert isinstance(game.channel, Script)
    assert game.channel.answers[order.id][1]["waits"] is True
    drills = [quest for quest in forged(world) if quest[4]]
    assert len(drills) == 1 and drills[0][2] > 10


def test_a_drill_that_a_quest_interrupts_is_finished_after_it(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world(quests={"samples": 0, "stable_s": 0.0})
    path = write_quest(tmp_path / "echo.jsonl", 24)
    world.train(
        40, [(3, command(Verb.DRILL, primitive="bitwise_xor", steps=12))], visits={7: lambda: add_quest(world, path)}
    )
    first, rest = [quest for quest in forged(world) if quest[4]]
    assert (first[1], first[2], first[3]) == ("interrupted", 4, 7)
    assert rest[1] == "completed" and rest[3] - rest[2] + 1 == 12 - 4


@pytest.mark.parametrize("cut", [6, 12, 27])
def test_drills_are_the_same_after_a_crash(make_world: MakeWorld, once: Once, cut: int) -> None:
    def given() -> list[tuple[int, Command]]:
        return [
            (5, command(Verb.DRILL, primitive="seq_reverse", steps=8)),
            (9, command(Verb.DRILL, primitive="bitwise_and", steps=8)),
        ]

    rules = {"primitives": {"remedy": "drill", "drill_every": 2, "drill_steps": 10}}

    def undisturbed() -> tuple[dict[str, list[Any]], Game]:
        whole = make_world("whole", **rules)
        game = whole.train(50, given())
        return facts(whole), game

    told, expected = once("whole", undisturbed)
    broken = make_world("broken", **rules)
    broken.train(cut, given(), crash=True)
    resumed = broken.train(50, [order for order in given() if order[0] > cut])
    assert told == facts(broken)
    assert_same(expected, resumed)


def test_weak_primitives_are_drilled_between_the_forged_quests(make_world: MakeWorld) -> None:
    """A hero that knows nothing is weak in everything: every second forged quest is a drill, and says why."""
    world = make_world(
        primitives={"remedy": "drill", "drill_every": 2, "drill_steps": 10},
        curriculum={"drill_steps": 10},
        exams={"items": 16, "interval_steps": 10},
    )
    game = world.train(65)
    kinds = [quest[4] for quest in forged(world)]
    assert kinds[:6] == [False, True, False, True, False, True]
    noted = decisions.recent_decisions(game.conn, game.campaign.id, kind="drill")
    assert noted and all("answers in bin" in row.reason for row in noted)


@pytest.mark.parametrize(
    "args", [{}, {"primitive": "nonsense"}, {"primitive": "bitwise_xor", "steps": 0}, {"primitive": 3}], ids=str
)
def test_a_drill_that_cannot_be_is_refused(make_world: MakeWorld, args: dict[str, object]) -> None:
    bad = command(Verb.DRILL, **args)
    game = make_world().train(3, [(2, bad)])
    assert isinstance(game.channel, Script)
    refused = game.channel.answers[bad.id][1]
    assert isinstance(refused, RealmError) and refused.fix
    assert game.values.drills == []

"""Going back to an older form: a dry run first, then a new way from there, and the old one can be taken up again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import BlockedError, RealmError, UsageError
from engine.link.protocol import Verb
from engine.trainer.summon import Summoned, summon
from saves import exams, ledger, runs, steps
from saves.checkpoint_folder import LEDGER_FILE
from saves.database import open_save
from saves.verify import verify_save
from tests.trainer.conftest import World, command
from tests.trainer.test_resume import add_quest, assert_same, facts, write_quest

MakeWorld = Callable[..., World]
KEPT = "UPDATE checkpoints SET protected = 1"


def go_back(world: World, which: str, *, really: bool = True) -> Summoned:
    conn = open_save(world.folder, write=True)
    try:
        return summon(world.folder, conn, which, really=really)
    finally:
        conn.close()


def keep_all(world: World) -> None:
    conn = open_save(world.folder, write=True)
    conn.execute(KEPT)
    conn.close()


def live_steps(world: World) -> list[int]:
    conn = open_save(world.folder, write=False)
    return [c.step for c in ledger.live_checkpoints(conn, "campaign-001")]


def test_training_goes_on_from_the_form_that_was_summoned_and_what_came_after_counts_no_more(
    make_world: MakeWorld,
) -> None:
    short, long = make_world("short"), make_world("long")
    short.train(20)
    expected = short.train(33)
    long.train(45)
    assert facts(long)["level_ups"][-1][0] == 40
    said = go_back(long, "20", really=False)
    assert (said.step, said.from_step, said.left_steps, said.left_levels) == (20, 45, 25, 1)
    assert facts(long)["level_ups"][-1][0] == 40, "a dry run changed something"
    assert go_back(long, "20") == said
    assert [row[0] for row in facts(long)["level_ups"]] == [20]
    game = long.train(33)
    assert_same(expected, game)
    assert facts(short)["exams"] == facts(long)["exams"] and facts(short)["sums"] == facts(long)["sums"]


def test_orders_given_on_the_way_that_was_left_are_not_repeated(make_world: MakeWorld, tmp_path: Path) -> None:
    plain, world = make_world("plain"), make_world("steered")
    path = write_quest(tmp_path / "echo.jsonl")
    expected = plain.train(33)
    orders = [(20, command(Verb.SET, rate=2.0)), (24, command(Verb.SET, pin=3))]
    world.train(30, orders, visits={25: lambda: add_quest(world, path)})
    go_back(world, "20")
    conn = open_save(world.folder, write=True)
    conn.execute("UPDATE quests SET removed_at = 1.0")
    conn.close()
    world.train(26, crash=True)
    game = world.train(33)
    assert_same(expected, game)


def test_the_way_that_was_left_can_be_taken_up_again(make_world: MakeWorld) -> None:
    world, calm = make_world("world"), make_world("calm")
    calm.train(45)
    expected = calm.train(52)
    world.train(45)
    keep_all(world)
    go_back(world, "20")
    world.train(31)
    keep_all(world)
    assert live_steps(world) == [20, 31]
    said = go_back(world, "45")
    assert (said.from_step, said.step, said.left_steps) == (31, 45, 0)
    assert live_steps(world) == [20, 40, 45]
    game = world.train(52)
    assert_same(expected, game)
    assert facts(calm)["sums"] == facts(world)["sums"]
    conn = open_save(world.folder, write=False)
    assert exams.level_ups(conn, "campaign-001")[-1].step == 40
    assert steps.totals(conn, "campaign-001").live.steps == 52
    assert [run.end_reason for run in runs.runs(conn, "campaign-001")].count(runs.SUMMONED) == 2


def test_a_save_whose_hero_went_back_obeys_its_laws(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(45)
    go_back(world, "20")
    world.train(31, crash=True)
    world.train(36)
    assert verify_save(world.folder).ok


def test_what_was_left_behind_makes_room_before_anything_on_the_new_way(make_world: MakeWorld) -> None:
    world = make_world(exams={"interval_steps": 500, "items": 16})
    orders = [(at, command(Verb.CHECKPOINT)) for at in (5, 10, 15, 20)]
    world.train(25, orders)
    go_back(world, "15")
    world.train(19, [(at, command(Verb.CHECKPOINT)) for at in (16, 17, 18)])
    assert live_steps(world) == [17, 18, 19]
    conn = open_save(world.folder, write=False)
    assert [c.step for c in ledger.kept_checkpoints(conn)] == [17, 18, 19]


def test_a_form_of_no_use_is_refused_and_nothing_changes(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(25)
    before = facts(world), live_steps(world)
    with pytest.raises(BlockedError) as there:
        go_back(world, "latest")
    assert there.value.code == "ALREADY_THERE"
    with pytest.raises(UsageError):
        go_back(world, "7")
    conn = open_save(world.folder, write=False)
    (folder,) = [ledger.folder_of(world.folder, c) for c in ledger.kept_checkpoints(conn) if c.step == 20]
    conn.close()
    (folder / LEDGER_FILE).write_text("{}")
    with pytest.raises(RealmError, match="damaged"):
        go_back(world, "20")
    assert (facts(world), live_steps(world)) == before

"""A resumed run repeats the run that was never interrupted: losses, weights, exams, decisions, data."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from configs.loader import load_game
from engine.link.protocol import Verb
from engine.quests.board import import_quest
from engine.trainer.game import Game
from saves import incidents, ledger, quests
from saves.database import open_save
from tests.trainer.conftest import Once, World, command

MakeWorld = Callable[..., World]


def facts(world: World) -> dict[str, list[Any]]:
    """Everything of the live facts that must be equal, in order."""
    conn = sqlite3.connect(world.folder.database)
    queries = {
        "exams": "SELECT step, skill, level, kind, first_index, correct, sequence FROM live_exams ORDER BY step, id",
        "answers": """SELECT e.step, i.position, i.prompt, i.answer FROM exam_items i JOIN live_exams e ON e.id = i.exam_id
                      ORDER BY e.step, e.id, i.position""",
        "level_ups": "SELECT step, from_level, to_level, steps, effort, start_loss, end_loss FROM live_level_ups ORDER BY id",
        "quests": "SELECT name, state, loss_before, loss_after, examples_done, last_step FROM quest_states ORDER BY id",
        "sums": """SELECT sum(steps), sum(tokens), sum(trained_tokens), sum(new_bests), sum(misses), sum(examples)
                   FROM live_step_windows""",
        "losses": "SELECT last_step, loss_last, strain_last FROM live_step_windows WHERE last_step % 7 = 0 ORDER BY last_step",
    }
    return {name: conn.execute(query).fetchall() for name, query in queries.items()}


def weights(game: Game) -> dict[str, torch.Tensor]:
    tensors, _ = game.loop.state()
    return {**{f"exam.{k}": v for k, v in game.loop.exam_weights().items()}, **tensors}


def assert_same(a: Game, b: Game) -> None:
    one, other = weights(a), weights(b)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[k], other[k]) for k in one)
    left, right = a.values.as_dict(), b.values.as_dict()
    for values in (left, right):
        values["applied_seq"] = 0
        if values["drill"]:
            values["drill"]["forged_id"] = 0
        if values["quest"]:
            values["quest"]["attempt_id"] = 0
    assert left == right
    assert {k: t.state() for k, t in a.trackers.items()} == {k: t.state() for k, t in b.trackers.items()}


@pytest.mark.parametrize("cut", [13, 20, 21, 35])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(make_world: MakeWorld, once: Once, cut: int) -> None:
    """Killed before, at and after an exam and a level-up; resumed twice."""

    def undisturbed() -> tuple[dict[str, list[Any]], Game]:
        whole = make_world("whole")
        game = whole.train(47)
        return facts(whole), game

    told, expected = once("whole", undisturbed)
    broken = make_world("broken")
    broken.train(cut, crash=True)
    broken.train(cut + 5, crash=True)
    resumed = broken.train(47)
    assert told == facts(broken)
    assert_same(expected, resumed)
    assert len(told["level_ups"]) == 2


def test_a_polite_stop_and_a_kill_far_from_any_checkpoint(make_world: MakeWorld) -> None:
    rules = {"exams": {"interval_steps": 15, "items": 16, "pass_share": 1.0}}
    whole = make_world("whole", **rules)
    expected = whole.train(52)
    broken = make_world("broken", **rules)
    broken.train(11)
    broken.train(38, crash=True)
    resumed = broken.train(52)
    assert facts(whole)["exams"] == facts(broken)["exams"]
    assert facts(whole)["answers"] == facts(broken)["answers"]
    assert_same(expected, resumed)


def write_quest(path: Path, count: int = 30) -> Path:
    rows = [
        {"messages": [{"role": "user", "content": f"Say {n} twice"}, {"role": "assistant", "content": f"{n} {n}"}]}
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def add_quest(world: World, path: Path, **kwargs: Any) -> None:

    conn = open_save(world.folder, write=True)
    import_quest(conn, world.folder, path, load_game(world.rules).quests, **{"epochs": 3, **kwargs})
    conn.close()


@pytest.mark.parametrize("cut", [26, 30, 38, 44])
def test_a_quest_that_came_while_training_is_taken_in_again_at_its_step(
    make_world: MakeWorld, once: Once, tmp_path: Path, cut: int
) -> None:
    """The quest arrives after step 25; the kill comes in the middle of it or after it, the anchor lies before it."""
    path = write_quest(tmp_path / "echo.jsonl")

    def undisturbed() -> tuple[dict[str, list[Any]], Game]:
        whole = make_world("whole")
        game = whole.train(60, visits={25: lambda: add_quest(whole, path)})
        return facts(whole), game

    told, expected = once("whole with a quest", undisturbed)
    broken = make_world("broken")
    broken.train(cut, visits={25: lambda: add_quest(broken, path)}, crash=True)
    resumed = broken.train(60)
    assert told["quests"] == facts(broken)["quests"]
    assert told["quests"][0][:2] == ("echo", "completed")
    assert told["exams"] == facts(broken)["exams"]
    assert_same(expected, resumed)


def test_a_skip_is_repeated_at_its_step_and_the_quest_is_not_lost(make_world: MakeWorld, tmp_path: Path) -> None:
    path = write_quest(tmp_path / "echo.jsonl", 120)
    games = []
    for name in ("whole", "broken"):
        world = make_world(name)
        add_quest(world, path)
        orders = [(8, command(Verb.SKIP))]
        if name == "broken":
            world.train(14, orders, crash=True)
            games.append((world, world.train(33)))
        else:
            games.append((world, world.train(33, orders)))
    (whole, expected), (broken, resumed) = games
    assert facts(whole)["quests"] == facts(broken)["quests"] == [("echo", "skipped", *facts(whole)["quests"][0][2:])]
    assert facts(whole)["exams"] == facts(broken)["exams"]
    assert_same(expected, resumed)


def test_questions_and_asked_exams_leave_training_alone(make_world: MakeWorld) -> None:
    quiet = make_world("quiet")
    expected = quiet.train(24)
    curious = make_world("curious")
    orders = [
        (5, command(Verb.ASK, prompt="hello", temperature=1.0, seed=4)),
        (11, command(Verb.EXAM, level=3)),
        (12, command(Verb.CHECKPOINT)),
        (13, command(Verb.PAUSE)),
        (13, command(Verb.RESUME)),
    ]
    game = curious.train(24, orders)
    assert facts(quiet)["exams"] == [e for e in facts(curious)["exams"] if e[3] != "asked"]
    assert_same(expected, game)


def test_a_damaged_newest_checkpoint_is_passed_over_and_said(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(25)

    conn = open_save(world.folder, write=False)
    newest = ledger.newest_checkpoint(conn, "campaign-001")
    assert newest is not None and newest.step == 25
    file = ledger.folder_of(world.folder, newest) / "trainer" / "state.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 0xFF]))
    game = world.train(27)
    assert game.values.step == 27
    first = open_save(world.folder, write=False)
    resumed_from = first.execute("SELECT first_step FROM runs ORDER BY id DESC LIMIT 1").fetchone()[0]
    assert resumed_from == 20
    assert [i.rule for i in incidents.open_incidents(first)] == ["checkpoint_corrupt"]


def test_an_interrupted_quest_is_counted_once(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world()
    add_quest(world, write_quest(tmp_path / "echo.jsonl"))
    world.train(4, crash=True)
    world.train(60)

    conn = open_save(world.folder, write=False)
    assert quests.completed_quests(conn) == 1
    (quest,) = quests.quests(conn)
    assert quest.state == "completed"
    assert quest.examples_done == (30 - 2) * 3
    assert quest.loss_before is not None and quest.loss_after is not None
    assert quest.loss_after < quest.loss_before
    assert quest.samples and {"line", "prompt", "expected", "before", "after"} <= set(quest.samples[0])


def test_a_file_in_the_inbox_becomes_a_quest_between_quests(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world(quests={"samples": 0, "stable_s": 0.0})
    world.train(5)
    write_quest(world.folder.inbox / "dropped.jsonl", 16)
    game = world.train(45)
    conn = open_save(world.folder, write=False)
    (quest,) = quests.quests(conn)
    assert (quest.name, quest.state) == ("dropped", "completed")
    assert not (world.folder.inbox / "dropped.jsonl").exists()
    assert game.recorder.snapshot.held_out_loss is None

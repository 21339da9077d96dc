"""Sparring: failures on training problems become verified records of high priority, and are dropped once outgrown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.link.protocol import Verb
from engine.quests.sparring import CONFIRM, CORRECT, IDENTIFY, records
from realm_tui.runtime import board
from realm_tui.runtime.sparring import enlist
from saves import quests, sparring
from saves.database import open_save
from skills.registry import get_skill
from tests.trainer.conftest import Script, World, command
from tests.trainer.test_resume import assert_same

MakeWorld = Callable[..., World]
BIN = get_skill("bin")


def spar(world: World, upto: int, at: int, **args: Any) -> dict[str, Any]:
    order = command(Verb.SPAR, **args)
    game = world.train(upto, [(at, order)])
    assert isinstance(game.channel, Script)
    step, facts = game.channel.answers[order.id]
    assert step == at == facts["step"]
    found: dict[str, Any] = facts
    return found


def test_a_bout_asks_training_problems_and_leaves_training_as_it_was(make_world: MakeWorld) -> None:
    quiet = make_world("quiet").train(12)
    order = command(Verb.SPAR, rounds=40)
    loud = make_world("loud").train(12, [(6, order)])
    assert isinstance(loud.channel, Script)
    step, facts = loud.channel.answers[order.id]
    assert step == 6 and facts["asked"] == 40 and facts["errors"] == 0 and facts["failed"]
    assert_same(quiet, loud)
    exams = {BIN.generate(1, i, "exam", "hatchling").prompt for i in range(BIN.exam_pool(1, "hatchling", 500))}
    for one in facts["failed"]:
        assert one["prompt"] not in exams and one["fresh"]["prompt"] not in exams
        assert one["prompt"] != one["fresh"]["prompt"] or one["right"] == one["fresh"]["right"]


def test_every_record_is_verified_and_three_come_of_each_failure(make_world: MakeWorld) -> None:
    facts = spar(make_world(), 6, 5, rounds=30, level=2)
    made = list(records(facts["failed"]))
    assert len(made) == 3 * len(facts["failed"]) > 0
    assert [r.type for r in made[:3]] == [IDENTIFY, CORRECT, CONFIRM]
    asked = {p.prompt: p for p in (BIN.generate(2, i, "train", "hatchling") for i in range(4000))}
    met = 0
    for one in facts["failed"]:
        problem = asked.get(one["prompt"])
        if problem is not None:
            met += 1
            assert BIN.score(problem, one["right"]).correct and not BIN.score(problem, one["wrong"]).correct
        fresh = asked.get(one["fresh"]["prompt"])
        assert fresh is None or fresh.answer == one["fresh"]["right"]
    assert met


def test_the_quest_goes_first_and_is_trained(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world()
    facts = spar(world, 4, 4, rounds=20)
    other = tmp_path / "other.jsonl"
    turns = [{"role": "user", "content": "What is said here?"}, {"role": "assistant", "content": "Something else."}]
    other.write_text(json.dumps({"messages": turns}) + "\n")
    board.add(world.folder, other)
    made = enlist(world.folder, facts)
    assert made.quest is not None and made.quest.priority == "high" and made.quest.origin == "sparring"
    lines = [json.loads(x) for x in (world.folder.quests / made.quest.file).read_text().splitlines()]
    assert len(lines) == made.records and all(line["messages"][1]["role"] == "assistant" for line in lines)
    world.train(8)
    conn = open_save(world.folder, write=False)
    assert [q.origin for q in quests.quests(conn)] == ["sparring", "player"]
    assert quests.quest(conn, "other").state == "queued"
    (round_,) = sparring.rounds(conn)
    assert round_.quest is not None and round_.quest.attempt_id and round_.quest.examples_done
    assert round_.sparring.detail["examples"]


def test_a_dry_run_adds_nothing(make_world: MakeWorld) -> None:
    world = make_world()
    made = enlist(world.folder, spar(world, 4, 4, rounds=10), dry_run=True)
    assert made.records and made.quest is None
    conn = open_save(world.folder, write=False)
    assert not quests.quests(conn) and not sparring.rounds(conn)


def test_failures_that_the_hero_has_outgrown_are_dropped_with_the_reason(make_world: MakeWorld) -> None:
    world = make_world()
    facts = spar(world, 6, 4, rounds=20)
    world.train(9)
    made = enlist(world.folder, facts)
    assert made.quest is not None
    world.train(12)
    conn = open_save(world.folder, write=False)
    (round_,) = sparring.rounds(conn)
    assert round_.state == "stale"
    quest = quests.quest(conn, made.quest.id)
    assert quest.state == "skipped" and quest.reason is not None and "step 4" in quest.reason


def test_targeted_sparring_takes_the_operations_that_lag(make_world: MakeWorld) -> None:
    world = make_world()
    facts = spar(world, 31, 30, rounds=12, targeted=True)
    assert set(facts["operations"]) <= set(BIN.operations(facts["level"], "hatchling"))
    assert {one["operation"] for one in facts["failed"]} <= set(facts["operations"])


def test_bad_rounds_are_refused(make_world: MakeWorld) -> None:
    bad = [command(Verb.SPAR, rounds=0), command(Verb.SPAR, level=99), command(Verb.SPAR, skill="nothing")]
    game = make_world().train(4, [(3, c) for c in bad])
    assert isinstance(game.channel, Script)
    assert all(game.channel.answers[c.id][1].fix for c in bad)

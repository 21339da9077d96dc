"""The exam plan in a running game: what it asks, what follows, and that it changes nothing of the training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from configs import clock
from configs.errors import RealmError, UsageError
from configs.exam_plan import ExamPlanConfig, load_exam_plan
from engine.link.protocol import Verb
from engine.trainer.game import Game
from engine.trainer.pairing import pair
from engine.trainer.trial_day import sit_trial
from saves import drifts, exams, incidents
from saves.database import open_save
from saves.rows import Exam
from saves.trials import trials
from tests.trainer.conftest import Once, Script, World, command
from tests.trainer.test_resume import assert_same, facts

MakeWorld = Callable[..., World]

EVERY_STEP: dict[str, Any] = {"budget": {"share": 1.0, "question_cost_hatchling": 0.1}}
"""Rules under which the budget never stands in the way."""


def write_plan(**entries: dict[str, Any]) -> None:
    """Lay a plan of a few entries over the shipped one, whose own are switched off."""
    off: dict[str, Any] = {name: {"enabled": False} for name in load_exam_plan().entries}
    made = {name: {"title": name, "kind": "suite", **entry} for name, entry in entries.items()}
    path = Path(os.environ["REALM_HOME"]) / "config" / "exam_plan.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({**EVERY_STEP, "entries": off | made}), encoding="utf-8")


STEPS = {"asks": [{"levels": [1], "items": 20}], "when": {"trigger": "steps", "every_steps": 7}}
SAVED = {"asks": [{"levels": "known", "items": 4}], "when": {"trigger": "checkpoint"}}


def planned(game: Game, name: str = "") -> list[Exam]:
    """The plan's exams, oldest first."""
    return [e for e in exams.recent_exams(game.conn, game.campaign.id)[::-1] if (e.plan == name if name else e.plan)]


def close(game: Game) -> None:
    game.recorder.close(game.recorder.state)
    game.conn.close()


def test_the_plan_changes_nothing_of_the_training(make_world: MakeWorld) -> None:
    quiet = make_world("quiet")
    write_plan()
    expected = quiet.train(30)
    busy = make_world("busy")
    write_plan(steps=STEPS, saved=SAVED)
    game = busy.train(30)
    assert len(planned(game, "steps")) == 4
    assert {e.step for e in planned(game, "saved")} == {20}
    assert_same(expected, game)
    assert [e for e in facts(quiet)["exams"] if e[3] == "gate"] == [e for e in facts(busy)["exams"] if e[3] == "gate"]


@pytest.mark.parametrize("cut", [20, 23])
def test_a_killed_run_goes_on_with_the_plan_where_its_facts_end(make_world: MakeWorld, once: Once, cut: int) -> None:
    def undisturbed() -> tuple[dict[str, list[Any]], int, Game]:
        whole = make_world("whole")
        write_plan(steps=STEPS, saved=SAVED)
        game = whole.train(44)
        return facts(whole), len(planned(game)), game

    told, exams_of_the_plan, expected = once("whole", undisturbed)
    broken = make_world("broken")
    write_plan(steps=STEPS, saved=SAVED)
    broken.train(cut, crash=True)
    resumed = broken.train(44)
    assert exams_of_the_plan > 8
    assert told["exams"] == facts(broken)["exams"]
    assert told["answers"] == facts(broken)["answers"]
    assert_same(expected, resumed)


def test_its_problems_are_nobody_elses(make_world: MakeWorld) -> None:
    """The plan, orders and the gate at one level: no problem twice while the level has fresh ones."""
    world = make_world()
    write_plan(steps={**STEPS, "asks": [{"levels": [6], "items": 12}]})
    orders = [(n, command(Verb.EXAM, level=6, items=12)) for n in (3, 9)]
    world.train(22, [*orders, (0, command(Verb.SET, pin=6))])
    conn = open_save(world.folder, write=False)
    ids = [row[0] for row in conn.execute("SELECT id FROM exams WHERE level = 6").fetchall()]
    asked = [item.problem_digest for exam_id in ids for item in exams.exam_items(conn, exam_id)]
    conn.close()
    assert len(asked) == len(set(asked)) == 3 * 12 + 2 * 12 + 2 * 16


def test_a_shipped_plan_stays_within_its_budget(make_world: MakeWorld) -> None:
    """Under the rules of the shipped game, but for the body of the hero: questions cost at most a tenth of the examples."""
    world = make_world()
    game = world.train(60)
    asked = sum(e.items for e in planned(game))
    assert asked * load_exam_plan().budget.question_cost_hatchling <= 0.10 * 60 * 8


@contextmanager
def clocks(seconds: Callable[[], float]) -> Iterator[None]:
    clock.use(monotonic=seconds)
    try:
        yield
    finally:
        clock.use()


def test_while_it_rests_long_entries_are_asked_in_slices(make_world: MakeWorld) -> None:
    world = make_world()
    write_plan(long={"asks": [{"levels": [4], "items": 150}], "when": {"trigger": "idle"}})
    world.train(5)
    game = world.wake()
    looks = iter((0.0, 200.0, 299.0, 301.0, 302.0, 303.0, 304.0, 305.0))
    now = [0.0]
    with clocks(lambda: now[0]):
        for look in looks:
            now[0] = look
            game.exam_plan.rested()
            assert look > 300 or not planned(game, "long")
    assert [e.items for e in planned(game, "long")] == [64, 64, 22]
    again = replace(game.exam_plan.record)
    game.exam_plan._known = None
    assert game.exam_plan.record == again, "what is kept up to date is what the save says"
    close(game)


def knowing(game: Game, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Let the hero answer everything right while the list says so."""
    right: list[bool] = [True]
    examiners = game.exams.examiner_of

    def examiner(*args: Any, **more: Any) -> Any:
        made = examiners(*args, **more)
        given = made._answers
        made._answers = lambda questions, name: (  # type: ignore[method-assign]
            [q.problem.answer for q in questions if q.problem] if right[0] else given(questions, name)
        )
        return made

    monkeypatch.setattr(game.exams, "examiner_of", examiner)
    return right


def test_a_trial_is_for_a_hero_that_is_ready_and_failing_costs_steps(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    write_plan()
    world.train(3)
    game = world.wake()
    before = game.values.as_dict()
    with pytest.raises(RealmError, match="needs 20 quests done"):
        sit_trial(game, "logic_weaving")
    with pytest.raises(UsageError, match="no discipline"):
        sit_trial(game, "bin")
    monkeypatch.setattr("saves.quests.completed_quests", lambda conn: 20)
    right = knowing(game, monkeypatch)
    first = sit_trial(game, "logic_weaving")
    assert (first["level"], first["passed"], first["threshold"], first["items"]) == (1, True, 0.60, 100)
    right[0] = False
    second = sit_trial(game, "logic_weaving")
    assert (second["level"], second["passed"], second["failed_in_a_row"]) == (2, False, 1)
    with pytest.raises(RealmError, match="humbled at step 3") as humbled:
        sit_trial(game, "logic_weaving")
    assert "1,003" in humbled.value.fix
    assert [(t.level, t.passed) for t in trials(game.conn, game.campaign.id)] == [(1, True), (2, False)]
    assert game.values.as_dict() == before
    close(game)


def test_a_drop_is_asked_again_then_written_and_announced_with_its_way_back(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    write_plan(
        watch={
            "asks": [{"levels": [4], "items": 30}],
            "when": {"trigger": "command"},
            "follows": {"drift": True, "rollback_drop": 0.10},
        }
    )
    world.train(20)
    game = world.wake()
    right = knowing(game, monkeypatch)
    game.exam_plan.commanded("watch")
    assert drifts.drifts(game.conn, game.campaign.id) == []
    game.exam_plan.commanded("watch")
    assert [d.severity for d in drifts.drifts(game.conn, game.campaign.id)] == ["none"]
    assert incidents.open_incidents(game.conn) == []
    right[0] = False
    written = game.exam_plan.commanded("watch")
    assert [e.items for e in written] == [30, 30], "an alarm is confirmed first"
    newest = drifts.newest_drifts(game.conn, game.campaign.id)[0]
    assert (newest.severity, newest.baseline, newest.plan) == ("critical", 1.0, "watch")
    (incident,) = incidents.open_incidents(game.conn)
    assert incident.rule == "drift" and incident.severity == "high"
    assert "realm ledger summon checkpoint-20" in incident.fix
    close(game)


def test_two_forms_answer_the_same_questions(make_world: MakeWorld) -> None:
    world = make_world()
    write_plan(
        moved={
            "kind": "transfer",
            "asks": [{"levels": [1, 2], "items": 16}],
            "when": {"trigger": "command"},
            "follows": {"compare": "base"},
        }
    )
    world.train(20)
    game = world.wake()
    plan = game.exam_plan.question_plan("bin", "hatchling", 3, 16, kind="pair")
    (same,) = pair(game, "latest", "live", [plan])
    assert (same.pair.better, same.pair.worse, same.pair.items) == (0, 0, 16), "a form is no better than itself"
    assert same.first.checkpoint_id is not None and same.second.checkpoint_id is None
    assert same.first.first_index == same.second.first_index
    before = game.values.as_dict()
    order = command(Verb.EXAM, plan="moved")
    assert isinstance(game.channel, Script)
    game.channel.commands = [(20, order)]
    game.orders.take_in()
    _, result = game.channel.answers[order.id]
    assert [p["level"] for p in result["pairs"]] == [1, 2]
    assert result["whole"]["items"] == 32
    assert {e["weights"] for e in result["exams"]} == {"base", "ema"}
    assert game.values.as_dict() | {"applied_seq": 0} == before | {"applied_seq": 0}
    assert [e.kind for e in planned(game, "moved")] == ["transfer"] * 4
    close(game)


def test_orders_for_exams_are_checked(make_world: MakeWorld) -> None:
    world = make_world()
    bad: list[tuple[dict[str, Any], str]] = [
        ({"plan": "ful"}, "UNKNOWN_ENTRY"),
        ({"levle": 3}, "BAD_ARGUMENT"),
        ({"items": 0}, "BAD_ARGUMENT"),
        ({"items": True}, "BAD_ARGUMENT"),
        ({"level": 0}, "NO_SUCH_LEVEL"),
        ({"skill": "bim"}, "UNKNOWN_SKILL"),
        ({"mix": "nothing"}, "UNKNOWN_MIX"),
        ({"form": "nobody"}, "UNKNOWN_CHECKPOINT"),
    ]
    orders = [command(Verb.EXAM, **args) for args, _ in bad]
    game = world.train(3, [(2, order) for order in orders])
    assert isinstance(game.channel, Script)
    for order, (args, code) in zip(orders, bad, strict=True):
        error = game.channel.answers[order.id][1]
        assert isinstance(error, RealmError) and error.code == code, args
        assert error.fix


def test_a_plan_of_the_players_is_checked_and_laid_over(make_world: MakeWorld) -> None:
    make_world()
    write_plan(mine=STEPS)
    found: ExamPlanConfig = load_exam_plan()
    assert found.entries["mine"].when.every_steps == 7
    assert not found.entries["quick"].enabled and found.entries["quick"].title
    write_plan(mine={**STEPS, "wen": {}})
    with pytest.raises(RealmError, match="exam plan") as refused:
        load_exam_plan()
    assert refused.value.code == "CONFIG_INVALID" and "mine.wen" in refused.value.why
    assert not isinstance(refused.value, UsageError)

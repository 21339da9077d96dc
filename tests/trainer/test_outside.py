"""Exams that a worker elsewhere answers: they decide what exams here decide, they prove who answered, and a resume repeats them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from configs.elsewhere import asked_elsewhere
from configs.errors import RealmError, UsageError
from configs.facilities import Facilities
from configs.inn import InferenceRules
from configs.loader import load_hero
from engine.chat.template import answer_text
from engine.curriculum import record
from engine.generate import greedy
from engine.hero.loading import load_folder
from engine.placement import Placement
from engine.trainer import game as game_module
from engine.trainer import outside as outside_module
from engine.trainer.game import Game
from lore.progress import ProgressPart
from realm_tui.runtime.game import read_game
from realm_tui.runtime.laws import breaches
from realm_tui.runtime.opened import opened
from saves import answers as outside_answers
from saves import campaigns, exams, incidents, journal, ledger, runs
from saves.database import open_save
from tests.trainer.conftest import EASY, Once, World, tiny_hero
from tests.trainer.test_exam_plan import write_plan
from tests.trainer.test_resume import assert_same, facts

MakeWorld = Callable[..., World]
EXAMS = {**EASY["exams"], "interval_steps": 5}
OFTEN = {"exams": EXAMS, "inn": {"inference": {"every_steps": 10, "exams": "wait"}}}


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """This hatchling's exams are asked elsewhere, and the engine looks at every boundary."""
    monkeypatch.setattr(game_module, "asked_elsewhere", lambda *_: True)
    monkeypatch.setattr(outside_module, "LOOK_S", 0.0)


def work(world: World) -> int:
    """What a worker does: wake the very form that is asked for, and answer everything greedily."""
    conn = open_save(world.folder, write=True)
    waiting = outside_answers.unanswered(conn)
    for request in waiting:
        form = ledger.checkpoint(conn, request.checkpoint_id)
        placement = Placement.from_dict(runs.run(conn, form.run_id).environment["placement"])
        hero = load_folder(tiny_hero(), ledger.folder_of(world.folder, form), placement)
        hero.model.eval()
        said = greedy(hero, [i["ids"] for i in request.items], [i["max_tokens"] for i in request.items])
        texts = [answer_text(hero, ids) for ids in said]
        assert outside_answers.answer(conn, request.id, texts, digest=form.digest, worker="test", seconds=0.5)
    conn.close()
    return len(waiting)


def settled(
    world: World, game: dict[str, Game], come: Callable[[World], object], *steps: int
) -> dict[int, Callable[[], None]]:
    """Visits of a worker at steps, once the form that it needs is on the disk."""

    def visit() -> None:
        game["now"].saving.settle()
        come(world)

    return dict.fromkeys(steps, visit)


def train(world: World, until: int, *steps: int, crash: bool = False, come: Callable[[World], object] = work) -> Game:
    """Train with a worker that comes by at ``steps``."""
    now: dict[str, Game] = {}
    wake = world.wake

    def remembered(commands: Any = None) -> Game:
        now["now"] = wake(commands)
        return now["now"]

    world.wake = remembered  # type: ignore[method-assign]
    try:
        return world.train(until, crash=crash, visits=settled(world, now, come, *steps))
    finally:
        world.wake = wake  # type: ignore[method-assign]


def test_a_level_is_won_by_answers_from_elsewhere(make_world: MakeWorld) -> None:
    world = make_world(**OFTEN)
    game = train(world, 40, 13, 25, 33)
    taken = exams.recent_exams(game.conn, game.campaign.id, kind="gate")[::-1]
    assert [e.step for e in taken] == [13, 25, 33]
    asked = [outside_answers.request(game.conn, n) for n in (1, 2, 3)]
    assert [(r.step, r.state, r.entered_step) for r in asked] == [
        (10, "entered", 13),
        (20, "entered", 25),
        (30, "entered", 33),
    ]
    assert [e.weights for e in taken] == [r.digest for r in asked]
    ups = exams.level_ups(game.conn, game.campaign.id)
    assert [(u.step, u.to_level) for u in ups] == [(25, 1)]
    assert ups[0].exam_ids == (taken[0].id, taken[1].id)
    examined = ledger.checkpoint(game.conn, asked[0].checkpoint_id)
    assert examined.facts["exam"]["id"] == taken[0].id
    items = exams.exam_items(game.conn, taken[0].id)
    assert len(items) == 16 and all(item.answer is not None for item in items)
    with opened(world.folder) as found:
        told = read_game(found)
        assert told.states[ProgressPart.id].exams == 3 and not breaches(found, told)
        assert [paper.step for paper in record.hero_exams(found.conn, game.campaign.id)] == [33, 25, 13]


def test_elsewhere_they_say_what_the_same_form_says_here(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = make_world("away", **OFTEN)
    train(away, 12, 11)
    monkeypatch.setattr(game_module, "asked_elsewhere", lambda *_: False)
    here = make_world("here", exams={**EXAMS, "interval_steps": 10})
    here.train(12)
    queries = ("answers",)
    told = [[row[1:] for row in facts(world)[q]] for world in (away, here) for q in queries]
    assert told[0] == told[1] != []


@pytest.mark.parametrize("cut", [9, 11, 14, 22, 26])
def test_a_killed_run_takes_the_same_answers_in_after_the_same_steps(
    make_world: MakeWorld, once: Once, cut: int
) -> None:
    def undisturbed() -> tuple[dict[str, list[Any]], Game]:
        whole = make_world("whole", **OFTEN)
        game = train(whole, 37, 13, 25, 33)
        return facts(whole), game

    told, expected = once("whole", undisturbed)
    broken = make_world("broken", **OFTEN)
    train(broken, cut, 13, 25, 33, crash=True)
    resumed = train(broken, 37, 13, 25, 33)
    assert told == facts(broken)
    assert_same(expected, resumed)


def test_answers_that_came_while_nobody_trained_are_taken_in_first(make_world: MakeWorld) -> None:
    world = make_world(**OFTEN)
    train(world, 12)
    assert work(world) == 1
    game = train(world, 15)
    taken = [e.step for e in exams.recent_exams(game.conn, game.campaign.id, kind="gate")]
    assert taken == [13]  # the first step of which there was no form yet


@pytest.mark.parametrize("kept", ["$[#-1]", "$[0]"])
def test_answers_to_questions_that_are_put_otherwise_by_now_are_not_taken_in(make_world: MakeWorld, kept: str) -> None:
    """A program that asks fewer or other questions than the one that asked, e.g. after an update."""
    world = make_world(**OFTEN)
    train(world, 12)
    assert work(world) == 1
    conn = open_save(world.folder, write=True)
    conn.execute("UPDATE exam_requests SET items_json = json_remove(items_json, ?)", (kept,))
    conn.close()
    game = train(world, 15)
    assert [(step, weights in ("live", "ema")) for step, _, weights in taken(world)] == [(13, True)]
    request = outside_answers.request(game.conn, 1)
    assert (request.state, request.reason) == ("home", "its questions are put otherwise by now")
    assert not game.values.outside


def test_training_never_waits_for_a_worker(make_world: MakeWorld) -> None:
    game = train(make_world(**OFTEN), 45)
    assert game.values.step == 45
    assert exams.recent_exams(game.conn, game.campaign.id) == []
    waiting = outside_answers.open_requests(game.conn)
    assert [r.step for r in waiting if r.kind == "gate"] == [10]
    form = ledger.checkpoint(game.conn, waiting[0].checkpoint_id)
    assert form.deleted_at is None


def test_what_nobody_answers_comes_home_and_a_resume_repeats_that(make_world: MakeWorld) -> None:
    rules = {"exams": EXAMS, "inn": {"inference": {"every_steps": 10, "exams": "home", "home_after_s": 1e-9}}}
    world = make_world(**rules)
    train(world, 28, 12, 22, crash=True, come=lambda world: None)
    before = taken(world)
    assert len(before) == 2 and {weights for _, _, weights in before} <= {"live", "ema"}
    resumed = world.train(36)
    assert taken(world)[:2] == before
    entries = [e for e in journal.recent(resumed.conn, resumed.campaign.id) if e.verb == outside_module.ANSWERS]
    assert all("nobody answered" in e.args["home"] for e in entries)
    assert {r.state for r in (outside_answers.request(resumed.conn, n) for n in (1, 2))} == {"home"}


def taken(world: World) -> list[tuple[int, str, str]]:
    """Step, results and weights of the gate's exams that count."""
    conn = open_save(world.folder, write=False)
    found = exams.recent_exams(conn, campaigns.active_campaign(conn).id, kind="gate")[::-1]
    conn.close()
    return [(e.step, e.sequence, e.weights) for e in found]


def test_answers_prove_who_gave_them_and_count_once(make_world: MakeWorld) -> None:
    world = make_world(**OFTEN)
    train(world, 12)
    conn = open_save(world.folder, write=True)
    (request,) = outside_answers.open_requests(conn)
    texts = ["1"] * len(request.items)
    with pytest.raises(RealmError) as other:
        outside_answers.answer(conn, request.id, texts, digest="0" * 64, worker="inn", seconds=1.0)
    assert other.value.code == "MODEL_MISMATCH"
    with pytest.raises(RealmError) as few:
        outside_answers.answer(conn, request.id, ["1"], digest=request.digest, worker="inn", seconds=1.0)
    assert few.value.code == "ANSWERS_INCOMPLETE"
    with pytest.raises(UsageError):
        outside_answers.answer(conn, 99, texts, digest=request.digest, worker="inn", seconds=1.0)
    assert outside_answers.answer(conn, request.id, texts, digest=request.digest, worker="inn", seconds=1.0)
    late = ["2"] * len(texts)
    assert not outside_answers.answer(conn, request.id, late, digest=request.digest, worker="inn", seconds=1.0)
    told = outside_answers.answers_to(conn, request.id)
    assert told is not None and set(told.texts) == {"1"}


def test_the_exam_plan_is_asked_elsewhere_too(make_world: MakeWorld) -> None:
    world = make_world(**OFTEN)
    write_plan(saved={"asks": [{"levels": [1], "items": 12}], "when": {"trigger": "checkpoint"}})
    game = train(world, 24, 13)
    planned = [e for e in exams.recent_exams(game.conn, game.campaign.id) if e.plan]
    assert [(e.step, e.items) for e in planned] == [(13, 12)]
    assert planned[0].weights == ledger.live_checkpoints(game.conn, game.campaign.id)[0].digest
    assert [r.plan for r in outside_answers.open_requests(game.conn)] == ["", "saved"]


def test_who_is_examined_elsewhere() -> None:
    hub = {"type": "hub", "host": "box", "base_path": "x", "server": {"kind": "vllm"}}
    hosts = {"box": {"address": "box"}}
    inn = Facilities.model_validate({"hosts": hosts, "facilities": {"inn": hub}})
    bare = Facilities.model_validate({})
    loose = Facilities.model_validate(
        {"hosts": hosts, "facilities": {"inn": hub | {"server": {"kind": "openai", "endpoint": "http://127.0.0.1:1"}}}}
    )
    shut = Facilities.model_validate({"hosts": hosts, "facilities": {"inn": hub | {"available": False}}})
    dio, pip = load_hero("dio"), load_hero("pip")
    auto, always, never = (InferenceRules.model_validate({"where": w}) for w in ("auto", "inn", "local"))
    assert asked_elsewhere(auto, dio, inn)
    assert not any(asked_elsewhere(auto, dio, places) for places in (bare, loose, shut))
    assert asked_elsewhere(always, dio, bare) and not asked_elsewhere(never, dio, inn)
    assert not asked_elsewhere(always, pip, inn)


def test_places_that_cannot_be_read_leave_the_exams_here(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Facilities:
        raise RealmError("cannot read local.yaml", fix="mend the file", code="CONFIG_INVALID")

    monkeypatch.setattr(game_module, "load_facilities", broken)
    world = make_world()
    game = train(world, 12)
    assert [e.step for e in exams.recent_exams(game.conn, game.campaign.id, kind="gate")] == [10]
    assert [i.rule for i in incidents.open_incidents(game.conn)] == ["places_unreadable"]
    monkeypatch.setattr(game_module, "load_facilities", lambda: Facilities.model_validate({}))
    assert incidents.open_incidents(world.train(14).conn) == []

"""Exams on command that a saved form sits elsewhere: answered at once with what waits, entered once, repeated by a resume."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from configs.errors import BlockedError, RealmError, UsageError
from configs.facilities import Facilities
from engine.link.protocol import Command, Verb
from engine.trainer import game as game_module
from engine.trainer import outside as outside_module
from engine.trainer import summon
from engine.trainer.examiner import Examiner
from engine.trainer.game import Game
from realm_tui.runtime.exam_view import waits_text
from realm_tui.runtime.gate_view import gate_view
from realm_tui.runtime.opened import opened
from saves import answers, exams, journal, ledger
from saves.database import open_save
from saves.rows import Exam
from tests.trainer.conftest import EASY, Script, World, command
from tests.trainer.test_exam_plan import write_plan
from tests.trainer.test_outside import work
from tests.trainer.test_resume import assert_same

MakeWorld = Callable[..., World]
HUB = Facilities.model_validate(
    {
        "hosts": {"box": {"address": "box"}},
        "facilities": {"inn": {"type": "hub", "host": "box", "base_path": "x", "server": {"kind": "vllm"}}},
    }
)
QUIET: dict[str, Any] = {
    "exams": {**EASY["exams"], "interval_steps": 1000},
    "inn": {"inference": {"exams": "wait"}},
}
"""No exam but those on command."""


@pytest.fixture(autouse=True)
def a_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a place with a server, and the engine looks for answers at every boundary."""
    monkeypatch.setattr(outside_module, "load_facilities", lambda: HUB)
    monkeypatch.setattr(outside_module, "LOOK_S", 0.0)


def train(
    world: World, until: int, *orders: tuple[int, Command], visits: tuple[int, ...] = (), crash: bool = False
) -> Game:
    """Train with orders, and a worker that comes by at steps; the plan asks nothing but its own."""
    if not (world.folder.root.parents[1] / "config" / "exam_plan.yaml").exists():
        write_plan()
    now: dict[str, Game] = {}
    wake = world.wake

    def remembered(commands: Any = None) -> Game:
        now["game"] = wake(commands)
        return now["game"]

    def visit() -> None:
        now["game"].saving.settle()
        work(world)

    world.wake = remembered  # type: ignore[method-assign]
    try:
        return world.train(until, list(orders), crash=crash, visits=dict.fromkeys(visits, visit))
    finally:
        world.wake = wake  # type: ignore[method-assign]


def said(game: Game, order: Command) -> Any:
    """What an order was answered with."""
    assert isinstance(game.channel, Script)
    return game.channel.answers[order.id][1]


def taken(game: Game) -> list[Exam]:
    """The exams that count, oldest first."""
    return exams.recent_exams(game.conn, game.campaign.id)[::-1]


def asked(level: int = 1, items: int = 12, **more: Any) -> Command:
    return command(Verb.EXAM, level=level, items=items, elsewhere=True, **more)


def test_the_newest_form_is_saved_and_asked_and_the_answers_enter_later(make_world: MakeWorld) -> None:
    order = asked()
    game = train(make_world(**QUIET), 14, (6, order), visits=(9,))
    waits = said(game, order)["waits"]
    assert (waits["step"], waits["questions"], waits["levels"][0]["level"]) == (6, 12, 1)
    assert "step 6: 12 questions (BIN L1)" in waits_text(waits)
    (exam,) = taken(game)
    form = next(f for f in ledger.live_checkpoints(game.conn, game.campaign.id) if f.step == 6)
    assert (exam.step, exam.items, exam.kind, exam.weights) == (9, 12, "asked", form.digest)
    (request,) = [answers.request(game.conn, 1)]
    assert (request.state, request.entered_step, request.exam_id) == ("entered", 9, exam.id)


def test_an_entry_of_the_plan_is_asked_whole(make_world: MakeWorld) -> None:
    world = make_world(**QUIET)
    write_plan(look={"asks": [{"levels": [1, 2], "items": 8}], "when": {"trigger": "command"}})
    order = command(Verb.EXAM, plan="look", elsewhere=True)
    game = train(world, 9, (4, order), visits=(6,))
    assert said(game, order)["waits"]["questions"] == 16
    assert [(e.plan, e.level, e.items) for e in taken(game)] == [("look", 1, 8), ("look", 2, 8)]


def test_it_says_what_the_same_form_says_here(make_world: MakeWorld) -> None:
    away = train(make_world("away", **QUIET), 8, (6, asked()), visits=(7,))
    here = train(make_world("here", **QUIET), 8, (6, command(Verb.EXAM, level=1, items=12)))
    (one,), (other,) = taken(away), taken(here)
    assert [(i.prompt, i.answer) for i in exams.exam_items(away.conn, one.id)] == [
        (i.prompt, i.answer) for i in exams.exam_items(here.conn, other.id)
    ]


def test_training_does_not_notice(make_world: MakeWorld) -> None:
    assert_same(
        make_world("quiet", **QUIET).train(12), train(make_world("loud", **QUIET), 12, (5, asked()), visits=(8,))
    )


@pytest.mark.parametrize("cut", [7, 10, 13])
def test_a_killed_run_asks_and_enters_it_once(make_world: MakeWorld, cut: int) -> None:
    first, second = asked(), asked()
    world = make_world(**QUIET)
    train(world, cut, (2, command(Verb.CHECKPOINT)), (6, first), (6, second), visits=(9,), crash=True)
    game = train(world, 16, visits=(9, 14))
    found = taken(game)
    assert len(found) == 2 and {e.items for e in found} == {12}
    assert found[1].first_index == found[0].first_index + 12
    assert answers.open_requests(game.conn) == []
    entries = [e for e in journal.recent(game.conn, game.campaign.id) if e.verb == Verb.EXAM]
    assert [e.command_id for e in entries] == [second.id, first.id]


def test_a_form_that_was_there_already_is_asked_and_a_resume_from_it_repeats_the_order(make_world: MakeWorld) -> None:
    world = make_world(**QUIET)
    pause, resume = command(Verb.PAUSE, save=True), command(Verb.RESUME)
    train(world, 7, (5, pause), (6, asked()), (7, resume), crash=True)  # the two come while it rests
    game = train(world, 12, visits=(9,))
    assert [e.step for e in taken(game)] == [9]
    assert [f.step for f in ledger.live_checkpoints(game.conn, game.campaign.id)] == [5, 12]


def test_questions_of_a_way_that_was_left_are_let_go(make_world: MakeWorld) -> None:
    world = make_world(**QUIET)
    train(world, 9, (3, command(Verb.CHECKPOINT)), (6, asked()))
    conn = open_save(world.folder, write=True)
    assert len(answers.open_requests(conn)) == 1
    summon.summon(world.folder, conn, "3", really=True)
    conn.close()
    game = train(world, 5)
    assert answers.open_requests(game.conn) == [] and taken(game) == []
    assert answers.request(game.conn, 1).state == "dropped"


def test_where_exams_are_asked_elsewhere_one_on_command_is_too_unless_it_is_wanted_here(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(game_module, "asked_elsewhere", lambda *_: True)
    plain, here, base = (
        command(Verb.EXAM, level=1, items=4, **more) for more in ({}, {"elsewhere": False}, {"form": "base"})
    )
    game = train(make_world(**QUIET), 4, (2, plain), (3, here), (3, base))
    assert "waits" in said(game, plain)
    assert said(game, here)["items"] == 4 and len(said(game, base)["exams"]) == 1


@pytest.mark.parametrize("more", [{"against": "base"}, {"form": "base"}, {"trial": "arithmetic"}, {"elsewhere": "yes"}])
def test_what_can_only_be_held_here_is_refused(make_world: MakeWorld, more: dict[str, Any]) -> None:
    order = command(Verb.EXAM, **{"elsewhere": True, **more})
    refused = said(train(make_world(**QUIET), 3, (2, order)), order)
    assert isinstance(refused, UsageError) and refused.fix


@pytest.mark.parametrize(("where", "places"), [("local", HUB), ("auto", Facilities.model_validate({}))])
def test_without_a_place_it_is_refused_with_the_way_out(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, where: str, places: Facilities
) -> None:
    monkeypatch.setattr(outside_module, "load_facilities", lambda: places)
    order = asked()
    refused: RealmError = said(
        train(make_world(**{**QUIET, "inn": {"inference": {"where": where}}}), 3, (2, order)), order
    )
    assert isinstance(refused, BlockedError) and refused.code == "NO_PLACE_ELSEWHERE" and "where" in refused.fix


def test_two_saved_forms_answer_the_same_questions_elsewhere_while_training_goes_on(make_world: MakeWorld) -> None:
    world = make_world(**QUIET)
    order = asked(form="4", against="2")
    saves = [(2, command(Verb.CHECKPOINT)), (4, command(Verb.CHECKPOINT))]
    game = train(world, 14, *saves, (6, order), visits=(3, 5, 9))
    waits = said(game, order)["waits"]
    names = [next(f.name for f in ledger.kept_checkpoints(game.conn) if f.step == step) for step in (2, 4)]
    assert (waits["forms"], waits["questions"], len(waits["levels"])) == (names, 24, 1)
    assert f"realm ledger gate {names[1]}" in waits_text(waits)
    first, second = taken(game)
    assert first.first_index == second.first_index and {first.step, second.step} == {9}
    assert first.items == second.items == 12
    forms = {f.step: f for f in ledger.kept_checkpoints(game.conn)}
    assert set(forms) == {2, 4, 14}  # nothing had to be saved for it
    assert [(e.checkpoint_id, e.weights) for e in (first, second)] == [(forms[s].id, forms[s].digest) for s in (2, 4)]
    with opened(world.folder) as save, opened(world.folder, write=True) as writing:
        ledger.crown(writing.conn, forms[2].id or 0, None, None)
        seen = gate_view(save, forms[4].id)
    assert seen.whole.items == 12 and seen.verdict != "unasked"
    assert_same(make_world("quiet", **QUIET).train(14, saves), game)


@pytest.mark.parametrize("cut", [8, 10])
def test_a_killed_run_enters_what_two_forms_answered_once(make_world: MakeWorld, cut: int) -> None:
    world = make_world(**QUIET)
    saves = [(2, command(Verb.CHECKPOINT)), (4, command(Verb.CHECKPOINT))]
    train(world, cut, *saves, (6, asked(form="4", against="2")), visits=(3, 5, 9), crash=True)
    game = train(world, 14, visits=(9, 11))
    first, second = taken(game)
    assert first.first_index == second.first_index and answers.open_requests(game.conn) == []


def test_what_two_forms_are_not_asked_in_time_is_let_go_and_never_asked_here(make_world: MakeWorld) -> None:
    settings = {**QUIET, "inn": {"inference": {"exams": "home", "home_after_s": 1e-6}}}
    saves = [(2, command(Verb.CHECKPOINT)), (4, command(Verb.CHECKPOINT))]
    game = train(make_world(**settings), 9, *saves, (6, asked(form="4", against="2")), visits=(3, 5))
    assert taken(game) == [] and answers.open_requests(game.conn) == [] and not game.values.outside_plan
    dropped = answers.request(game.conn, 2)
    assert dropped.state == "dropped" and "nobody answered" in dropped.reason


def test_a_form_is_not_held_against_itself(make_world: MakeWorld) -> None:
    order = asked(form="2", against="latest")
    refused = said(train(make_world(**QUIET), 5, (2, command(Verb.CHECKPOINT)), (4, order), visits=(3,)), order)
    assert isinstance(refused, UsageError) and "one form" in refused.what


def test_answers_are_held_against_their_questions_once(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    put: list[int] = []
    made = Examiner.questions

    def counted(self: Examiner, plan: Any) -> Any:
        put.append(plan.items)
        return made(self, plan)

    monkeypatch.setattr(Examiner, "questions", counted)
    game = train(make_world(**QUIET), 9, (4, asked()), visits=(6,))
    assert [e.step for e in taken(game)] == [6] and put == [12, 12]  # when they are asked, and when they are marked

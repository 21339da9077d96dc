"""Incidents in a running game: closing them on the player's word, and noticing a hero that goes round in circles."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import engine.trainer.examiner
from engine.link.protocol import Verb
from saves import incidents
from saves.database import open_save
from tests.trainer.conftest import Script, World, command
from tests.trainer.test_orders import poison_gradients

MakeWorld = Callable[..., World]


def test_an_incident_is_closed_on_the_players_word(make_world: MakeWorld) -> None:
    world = make_world()
    conn = open_save(world.folder, write=True)
    one, two = (
        incidents.raise_incident(conn, rule, category="infra", severity="low", title="t", fix="f")
        for rule in ("a", "b")
    )
    conn.close()
    orders = [
        command(Verb.RESOLVE, id=one),
        command(Verb.RESOLVE, id=two, wontfix=True),
        command(Verb.RESOLVE, id=one),
        command(Verb.RESOLVE, id=99),
        command(Verb.RESOLVE),
    ]
    game = world.train(4, [(3, order) for order in orders])
    assert isinstance(game.channel, Script)
    answers = [game.channel.answers[order.id][1] for order in orders]
    assert answers[0] == {"id": one, "rule": "a", "status": "resolved"}
    assert answers[1] == {"id": two, "rule": "b", "status": "wontfix"}
    assert [answer.code for answer in answers[2:]] == ["NO_INCIDENT"] * 3
    conn = open_save(world.folder, write=False)
    assert incidents.open_incidents(conn) == []


def test_what_training_waits_for_is_closed_by_resuming_only(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    close, stop = command(Verb.RESOLVE, id=1), command(Verb.STOP)
    game = world.wake([(998, close), (999, stop)])
    poison_gradients(monkeypatch, game, "nan")
    game.run()
    game.recorder.close(game.recorder.state)
    assert isinstance(game.channel, Script)
    assert game.channel.answers[close.id][1].code == "INCIDENT_BLOCKS"
    assert [i.rule for i in incidents.open_incidents(game.conn, blocking=True)] == ["nan_loss"]


@pytest.mark.parametrize(("answer", "noticed"), [("and so on " * 20, True), ("I do not know.", False)])
def test_an_exam_of_answers_without_an_end_is_noticed(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, answer: str, noticed: bool
) -> None:
    monkeypatch.setattr(engine.trainer.examiner, "answer_text", lambda hero, ids: answer)
    world = make_world()
    game = world.wake()
    game.stop_at_step = 1
    game.run()
    game.exams.sit("bin")
    game.recorder.close(game.recorder.state)
    found = [i for i in incidents.open_incidents(game.conn) if i.rule == "repetition"]
    assert bool(found) is noticed
    for incident in found:
        assert incident.severity == "high" and not incident.blocks and incident.detail["skill"] == "bin"
        assert "repeat themselves" in incident.title and len(incident.detail["example"]) <= 120

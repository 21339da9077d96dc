"""What goes wrong for a reason of the player's own fails alone, is named, and never ends the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import engine.curriculum.questions
import engine.trainer.examiner
from configs.errors import BlockedError, RealmError
from engine.curriculum.questions import Put
from engine.link.protocol import Verb
from engine.trainer import orders
from engine.trainer.game import Game
from saves import incidents, ledger
from tests.trainer.conftest import Script, World, command

MakeWorld = Callable[..., World]


def answers(game: Game) -> dict[str, Any]:
    assert isinstance(game.channel, Script)
    return game.channel.answers


# ---------------------------------------------------------------- orders


ODD = [
    command(Verb.ASK, prompt="1+1", seed=10**20),
    command(Verb.ASK, prompt="1+1", seed="seven"),
    command(Verb.ASK, prompt="1+1", temperature=[1]),
    command(Verb.ASK, prompt="1+1", temperature=99.0),
    command(Verb.ASK, prompt="1+1", max_tokens="many"),
    command(Verb.SET, rate=10**400),
    command(Verb.SET, weights={"bin": 10**400}),
    command(Verb.SET, curriculum={"focus": ["bin"]}),
    command(Verb.SET, curriculum={"focus": {"bin": 1}}),
]


def test_an_order_with_odd_arguments_is_refused_and_training_goes_on(make_world: MakeWorld) -> None:
    game = make_world().train(6, [(3, c) for c in ODD])
    assert game.values.step == 6
    for c in ODD:
        step, error = answers(game)[c.id]
        assert step == 3 and isinstance(error, RealmError) and error.exit_code == 2 and error.fix, c.args


def test_an_order_that_fails_in_an_unforeseen_way_is_answered_and_training_goes_on(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("the quill\nis broken")

    monkeypatch.setattr(orders, "answer", broken)
    ask, spar = command(Verb.ASK, prompt="1+1"), command(Verb.SPAR, rounds=2)
    game = make_world().train(6, [(3, ask), (4, spar)])
    error = answers(game)[ask.id][1]
    assert (error.code, error.why) == ("ORDER_FAILED", "RuntimeError: the quill is broken")
    assert "Traceback" in capsys.readouterr().err, "the log holds where it happened"
    assert answers(game)[spar.id][1]["asked"] == 2 and game.values.step == 6


def test_a_lost_card_is_no_matter_of_one_order(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*args: Any) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(orders, "answer", lost)
    game = make_world().wake([(0, command(Verb.ASK, prompt="1+1"))])
    with pytest.raises(RuntimeError, match="CUDA"):
        game.run()
    game.recorder.close(game.recorder.state)
    game.conn.close()


# ---------------------------------------------------------------- exams


def nothing_fits(*args: Any, **how: Any) -> Put:
    return Put(error="999 tokens do not fit the hero's context")


def test_a_form_is_saved_at_the_step_of_an_exam_of_which_nothing_could_be_asked(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.trainer.examiner, "put", nothing_fits)
    save = command(Verb.CHECKPOINT)
    game = make_world().train(12, [(10, save)])
    assert game.values.step == 12 and answers(game)[save.id][1]["step"] == 10
    form = ledger.find(game.conn, "10")
    assert form.facts["exam"] is None and form.facts["accuracy"] is None
    assert [i.rule for i in incidents.open_incidents(game.conn)] == ["exam_errors"]


def test_nobody_is_crowned_for_an_exam_of_which_nothing_could_be_asked(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.trainer.examiner, "put", nothing_fits)
    crown, spar = command(Verb.PROMOTE), command(Verb.SPAR, rounds=3)
    game = make_world().train(6, [(3, crown), (4, spar)])
    error = answers(game)[crown.id][1]
    assert isinstance(error, BlockedError) and error.code == "NOTHING_EXAMINED" and error.fix
    told = answers(game)[spar.id][1]
    assert (told["asked"], told["errors"], told["failed"]) == (0, 3, [])
    assert ledger.champion(game.conn) is None and game.values.step == 6

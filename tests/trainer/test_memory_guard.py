"""Out of memory: the same step again in smaller passes, told and journaled; nothing else about the training changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from engine.batch import Batch
from engine.link.ending import ExitCode, exit_code_of
from engine.link.protocol import Verb
from engine.out_of_memory import UpdateOutOfMemoryError
from engine.step import StepLoop
from engine.trainer.game import Game
from engine.trainer.memory_guard import SMALLER_PASSES
from saves import incidents
from tests.trainer.conftest import World, command, tiny_hero
from tests.trainer.test_resume import assert_same, facts

MakeWorld = Callable[..., World]
EXACT = {"precision": "float32", "optimizer": "adamw"}
"""No products in bf16, in passes or in Muon: sums in another order then differ in their last digits only."""


@contextmanager
def card_of(tokens: int, monkeypatch: pytest.MonkeyPatch, *, from_step: int = 0) -> Iterator[list[int]]:
    """A device on which a pass of more than ``tokens`` tokens runs out of memory, after its first half was computed."""
    tried: list[int] = []
    true = StepLoop._pass

    def limited(loop: StepLoop, batch: Batch, divisor: float) -> Any:
        tried.append(batch.tokens)
        made = true(loop, batch, divisor)
        if batch.tokens > tokens and loop.optimizer.updates >= from_step:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return made

    with monkeypatch.context() as patch:
        patch.setattr(StepLoop, "_pass", limited)
        yield tried


def journal_of(game: Game) -> list[tuple[int, str]]:
    rows = game.conn.execute("SELECT step, args_json FROM journal WHERE verb = ? ORDER BY seq", (SMALLER_PASSES,))
    return [(step, args) for step, args in rows.fetchall()]


def losses(world: World) -> list[Any]:
    return facts(world)["losses"]


def test_the_same_step_is_trained_again_in_smaller_passes(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = tiny_hero().model_copy(update={"training": tiny_hero().training.model_copy(update=EXACT)})
    monkeypatch.setattr("tests.trainer.conftest.tiny_hero", lambda: exact)
    plain = make_world("plain")
    plain.train(14)
    expected = losses(plain)
    tight = make_world("tight")
    with card_of(150, monkeypatch, from_step=3) as tried:
        game = tight.train(14)
    assert max(tried[-4:]) <= 150
    assert game.values.step == 14 and game.values.pass_tokens is not None and game.values.pass_tokens <= 150
    for (step, loss, _), (other_step, other_loss, _) in zip(losses(tight), expected, strict=True):
        assert step == other_step and loss == pytest.approx(other_loss, rel=1e-5), "same items, same divisor"
    assert facts(tight)["sums"][0][:3] == facts(plain)["sums"][0][:3]
    (told,) = [i for i in incidents.incidents(game.conn) if i.rule == "oom"]
    assert told.step == 4 and not told.blocks
    assert told.detail["tokens_now"] == game.values.pass_tokens < told.detail["tokens_before"]
    assert "2.00 GiB" in told.detail["why"] and told.detail["items"] == 8
    assert [step for step, _ in journal_of(game)] == [3] * len(journal_of(game))


def test_a_resumed_run_repeats_the_smaller_passes_to_the_bit(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = [(4, command(Verb.CHECKPOINT))]
    whole = make_world("whole")
    with card_of(150, monkeypatch, from_step=6):
        one = whole.train(15, saved)
    torn = make_world("torn")
    with card_of(150, monkeypatch, from_step=6):
        torn.train(11, [(4, command(Verb.CHECKPOINT))], crash=True)
    other = torn.train(15)
    assert other.first_step == 4, "the run goes back to before memory ran out"
    assert_same(one, other)
    later = torn.wake()
    assert later.memory.pass_tokens == one.values.pass_tokens, "the checkpoint remembers it"


def test_one_example_that_does_not_fit_blocks_with_the_way_out(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    with card_of(0, monkeypatch):
        game = world.wake()
        assert game._boundary()
        before = {name: tensor.clone() for name, tensor in game.hero.weights().items()}
        game._step()
    assert game.values.step == 0 and game.blocked is not None and game.blocked.code == "OUT_OF_MEMORY"
    assert "realm vram" in game.blocked.fix
    assert all(torch.equal(tensor, before[name]) for name, tensor in game.hero.weights().items())
    (told,) = incidents.open_incidents(game.conn, blocking=True)
    assert told.rule == "oom"
    game.recorder._stop.set()
    game.recorder._heart.join()


def test_running_out_within_an_update_is_never_tried_again(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some weights have moved by then: the trainer ends, and its successor goes on from the newest checkpoint."""
    world = make_world()
    game = world.wake()
    assert game._boundary()

    def full() -> None:
        raise torch.OutOfMemoryError("no room for the moments")

    monkeypatch.setattr(game.loop.optimizer, "step", full)
    with pytest.raises(UpdateOutOfMemoryError) as raised:
        game._step()
    assert exit_code_of(raised.value) == ExitCode.OOM
    assert not journal_of(game)
    game.recorder._stop.set()
    game.recorder._heart.join()


def test_other_faults_are_not_taken_for_a_lack_of_memory(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    game = world.wake()
    assert game._boundary()

    def broken(*_: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(StepLoop, "_pass", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        game._step()
    game.recorder._stop.set()
    game.recorder._heart.join()


def test_several_processes_end_and_go_on_in_smaller_passes(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are in the middle of the step, so it is left to the next run, which knows from the journal."""
    world = make_world()
    monkeypatch.setattr(StepLoop, "repeatable", False)
    with card_of(150, monkeypatch):
        game = world.wake()
        assert game._boundary()
        with pytest.raises(torch.OutOfMemoryError):
            game._step()
        game.recorder._stop.set()
        game.recorder._heart.join()
        game.conn.close()
        later = world.train(3)
    assert later.values.step == 3 and later.values.pass_tokens == later.memory.pass_tokens < 300

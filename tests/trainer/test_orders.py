"""What commands do to a running game, what goes wrong, and that nothing is lost by it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import engine.trainer.checkpoints
from engine.batch import Batch
from engine.head import HeadResult
from engine.link.protocol import Command, Verb
from engine.trainer.game import REFUSED_IN_A_ROW, Game
from engine.trainer.parking import release
from saves import incidents, journal, ledger
from saves.database import open_save
from tests.trainer.conftest import Script, World, command
from tests.trainer.test_resume import assert_same

MakeWorld = Callable[..., World]


def test_every_command_is_answered_with_its_step_and_journaled(make_world: MakeWorld) -> None:
    world = make_world()
    orders = [
        (3, command(Verb.PAUSE)),
        (3, command(Verb.RESUME)),
        (6, command(Verb.CHECKPOINT)),
        (8, command(Verb.STOP)),
    ]
    game = world.train(99, orders)
    assert isinstance(game.channel, Script)
    assert [game.channel.answers[c.id][0] for _, c in orders] == [3, 3, 6, 8]
    assert game.values.step == 8
    conn = open_save(world.folder, write=False)
    assert [journal.entry_of(conn, c.id).step for _, c in orders] == [3, 3, 6, 8]  # type: ignore[union-attr]


def test_a_command_sent_twice_is_carried_out_once(make_world: MakeWorld) -> None:
    world = make_world()
    once = command(Verb.CHECKPOINT)
    world.train(10, [(4, once), (7, Command(once.verb, once.args, once.id))])
    conn = open_save(world.folder, write=False)
    assert [c.step for c in ledger.kept_checkpoints(conn)] == [4, 10]


def test_bad_arguments_are_refused_with_a_reason(make_world: MakeWorld) -> None:
    world = make_world()
    bad = [
        command(Verb.ASK, prompt="  "),
        command(Verb.SET, pin="high"),
        command(Verb.EXAM, level=77),
        command(Verb.FORGET, name="checkpoint-1"),
        command(Verb.PROMOTE, name="nobody"),
        command(Verb.STOP, at_step=1),
    ]
    game = world.train(6, [(5, c) for c in bad])
    assert isinstance(game.channel, Script)
    for c in bad:
        assert game.channel.answers[c.id][1].fix


def test_promote_crowns_the_best_examined_form_and_exports_it_for_plain_transformers(make_world: MakeWorld) -> None:
    world = make_world()
    order = command(Verb.PROMOTE)
    game = world.train(25, [(23, order)])
    assert isinstance(game.channel, Script)
    step, result = game.channel.answers[order.id]
    assert step == 23 and result["step"] == 20
    conn = open_save(world.folder, write=False)
    champion = ledger.champion(conn)
    assert champion is not None and ledger.checkpoint(conn, champion.checkpoint_id).protected
    model = AutoModelForCausalLM.from_pretrained(result["path"])
    tokenizer = AutoTokenizer.from_pretrained(result["path"])
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Compute: x"}], add_generation_prompt=True, tokenize=False
    )
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    assert model.generate(**ids, max_new_tokens=4).shape[1] > ids["input_ids"].shape[1]


def test_promote_without_any_exam_examines_first(make_world: MakeWorld) -> None:
    world = make_world()
    order = command(Verb.PROMOTE)
    game = world.train(6, [(5, order)])
    assert isinstance(game.channel, Script)
    assert game.channel.answers[order.id][1]["step"] == 5


def test_ask_answers_the_same_for_a_seed_and_names_the_form(make_world: MakeWorld) -> None:
    world = make_world()
    asks = [command(Verb.ASK, prompt="hi", temperature=1.5, seed=s, max_tokens=12) for s in (1, 1, 2)]
    game = world.train(6, [(5, c) for c in asks])
    assert isinstance(game.channel, Script)
    first, second, third = (game.channel.answers[c.id][1] for c in asks)
    assert first == second and first["answer"] != third["answer"]
    assert first["form"] == "live" and first["step"] == 5


def test_a_full_disk_blocks_keeps_the_last_form_and_resumes(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    world.train(5)
    real, full = safetensors.torch.save_file, [True]

    def save_file(*args: Any) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*args)

    monkeypatch.setattr(engine.trainer.checkpoints, "save_file", save_file)
    refused, again = command(Verb.CHECKPOINT), command(Verb.RESUME)
    game = world.wake([(8, refused), (999, again)])
    game.stop_at_step = 12
    seen: list[str] = []
    real_wait = game.channel.wait

    def wait(timeout: float) -> None:
        seen.append(str(game.recorder.state))
        full[0] = False
        real_wait(timeout)

    game.channel.wait = wait  # type: ignore[method-assign]
    game.run()
    game.recorder.close(game.recorder.state)
    assert isinstance(game.channel, Script)
    assert game.channel.answers[refused.id][1].code == "DISK_FULL"
    assert seen == ["blocked"]
    conn = open_save(world.folder, write=False)
    assert [c.step for c in ledger.kept_checkpoints(conn)] == [5, 12]
    (incident,) = incidents.incidents(conn)
    assert incident.rule == "disk_pressure" and incident.status == "resolved"


def test_a_level_won_on_a_full_disk_is_announced_only_with_its_checkpoint(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    real, full = safetensors.torch.save_file, [True]

    def save_file(*args: Any) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*args)

    monkeypatch.setattr(engine.trainer.checkpoints, "save_file", save_file)
    game = world.wake([(999, command(Verb.RESUME))])
    game.stop_at_step = 22
    real_wait = game.channel.wait
    announced: list[int] = []

    def wait(timeout: float) -> None:
        announced.append(game.conn.execute("SELECT count(*) FROM level_ups").fetchone()[0])
        full[0] = False
        real_wait(timeout)

    game.channel.wait = wait  # type: ignore[method-assign]
    game.run()
    game.recorder.close(game.recorder.state)
    assert announced == [0]
    conn = open_save(world.folder, write=False)
    assert conn.execute("SELECT step, to_level FROM level_ups").fetchall()[0]["step"] == 20


def poison_gradients(patch: pytest.MonkeyPatch, game: Game, value: str) -> None:
    """Every pass leaves one gradient that is not finite, whichever way it is computed."""
    real, weight = game.loop._pass, next(iter(game.hero.model.parameters()))

    def poisoned(batch: Batch, divisor: float) -> HeadResult:
        result = real(batch, divisor)
        assert weight.grad is not None
        weight.grad.mul_(float(value))
        return result

    patch.setattr(game.loop, "_pass", poisoned)


def test_a_step_that_is_not_finite_is_refused_and_named(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    game = world.wake()
    game.stop_at_step = 5
    game._boundary()
    game._step()
    before, _ = game.loop.state()
    before = {k: v.clone() for k, v in before.items()}
    game._boundary()
    with monkeypatch.context() as patch:
        poison_gradients(patch, game, "inf")
        game._step()
    after, _ = game.loop.state()
    assert all(torch.equal(before[k], after[k]) for k in before)
    (incident,) = incidents.open_incidents(game.conn)
    assert incident.rule == "nan_loss" and incident.step == 2
    assert len(incident.detail["items"]) == 8 and incident.detail["items"][0].startswith("bin:")
    game.run()
    game.recorder.close(game.recorder.state)
    assert game.values.step == 5
    row = game.conn.execute("SELECT sum(nonfinite) AS n, sum(steps) AS s FROM step_windows").fetchone()
    assert tuple(row) == (1, 5)


def test_when_nothing_is_finite_any_more_training_blocks(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    game = world.wake([(999, command(Verb.STOP))])
    poison_gradients(monkeypatch, game, "nan")
    game.run()
    game.recorder.close(game.recorder.state)
    assert game.values.step == REFUSED_IN_A_ROW
    assert game.blocked is not None and game.blocked.code == "NAN_LOSS"


def test_a_crown_is_taken_back_while_the_hero_trains(make_world: MakeWorld) -> None:
    world = make_world()
    crown, undo = command(Verb.PROMOTE), command(Verb.PROMOTE, undo=True)
    game = world.train(5, [(4, crown), (5, undo)])
    assert isinstance(game.channel, Script)
    answer = game.channel.answers[undo.id][1]
    assert answer == {"uncrowned": game.channel.answers[crown.id][1]["name"], "name": None}
    conn = open_save(world.folder, write=False)
    assert ledger.champion(conn) is None and not any(f.protected for f in ledger.kept_checkpoints(conn))
    conn.close()


def test_forget_removes_a_form_but_never_the_newest(make_world: MakeWorld) -> None:
    world = make_world()
    orders = [(4, command(Verb.CHECKPOINT)), (6, command(Verb.CHECKPOINT))]
    world.train(6, orders)
    conn = open_save(world.folder, write=False)
    old, newest = ledger.kept_checkpoints(conn)
    conn.close()
    go, stay = command(Verb.FORGET, name=old.name), command(Verb.FORGET, name=newest.name)
    game = world.train(7, [(6, go), (6, stay)])
    assert isinstance(game.channel, Script)
    assert game.channel.answers[go.id][1]["name"] == old.name
    assert game.channel.answers[stay.id][1].code == "PROTECTED"
    assert not (world.folder.root / old.path).exists() and (world.folder.root / newest.path).exists()


def test_unlisted_folders_of_a_crash_are_swept(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(3)
    leftovers = [world.folder.checkpoints / name for name in (".part-checkpoint-9-x", "checkpoint-9-20250101-0000")]
    for folder in leftovers:
        Path(folder).mkdir()
    world.train(4)
    assert not any(folder.exists() for folder in leftovers)


def test_a_hero_that_was_parked_goes_on_exactly(make_world: MakeWorld) -> None:
    """What parking does on a card, done here without one: nothing of the training may be lost on the way."""
    calm, parked = make_world("calm").wake(), make_world("parked").wake()
    for step in range(1, 9):
        for game in (calm, parked):
            game._boundary()
            game._step()
        if step in (2, 5):
            host = release(parked.loop)
            assert not hasattr(parked.loop, "optimizer")
            parked.host_copy, parked.parked = host, True
            parked.unpark()
    assert_same(calm, parked)
    for game in (calm, parked):
        game.stop_at_step = 8
        game.run()
        game.recorder.close(game.recorder.state)


def test_parking_without_an_accelerator_says_that_nothing_was_freed(make_world: MakeWorld) -> None:
    park, refused, again = command(Verb.PARK), command(Verb.SET, rate=0.5), command(Verb.RESUME)
    game = make_world().train(6, [(4, park), (4, refused), (4, again)])
    assert isinstance(game.channel, Script)
    assert game.channel.answers[park.id] == (4, {"device": "cpu", "freed_bytes": 0})
    assert game.channel.answers[refused.id][1].code == "PARKED"
    assert game.values.step == 6

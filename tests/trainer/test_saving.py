"""Training goes on while a checkpoint is written, and nothing that hangs on it is a fact before it is whole."""

from __future__ import annotations

import json
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import engine.trainer.checkpoints
import engine.trainer.saving
from configs.errors import RealmError
from configs.loader import load_game
from engine.hero.model import save_folder
from engine.link.protocol import Verb
from engine.link.ring import RingWriter
from engine.step import StepLoop
from engine.trainer.checkpoints import STATE_JSON, STATE_TENSORS
from engine.trainer.game import Game
from engine.trainer.main import _play
from engine.trainer.parking import park
from engine.trainer.snapshot import HostRoom
from saves import campaigns, incidents, ledger
from saves.checkpoint_folder import LEDGER_FILE, files_in, model_digest, sha256
from saves.database import open_save
from saves.rows import Checkpoint
from tests.trainer.conftest import Once, Script, World, command
from tests.trainer.test_resume import assert_same, facts, weights

MakeWorld = Callable[..., World]


class Gate:
    """Holds the thread that writes a checkpoint until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.reached = threading.Event()

    def save_folder(self, *args: Any) -> None:
        self.reached.set()
        assert self._open.wait(60)
        save_folder(*args)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate()
    monkeypatch.setattr(engine.trainer.saving, "save_folder", made.save_folder)
    yield made
    made.open()


def step_to(game: Game, step: int) -> None:
    while game.values.step < step and game._boundary():
        game._step()


def finish(game: Game, step: int) -> Game:
    game.stop_at_step = step
    game.run()
    game.recorder.close(game.recorder.state)
    return game


def listed(game: Game) -> list[int]:
    return [c.step for c in ledger.kept_checkpoints(game.conn)]


def newest(world: World) -> tuple[Checkpoint, Path]:
    conn = open_save(world.folder, write=False)
    form = ledger.kept_checkpoints(conn)[-1]
    conn.close()
    return form, ledger.folder_of(world.folder, form)


def test_trap_20_what_is_written_is_the_step_it_was_taken_at_though_training_went_on(
    make_world: MakeWorld, gate: Gate
) -> None:
    game = make_world().wake()
    step_to(game, 8)
    game.saving.save("asked")
    at_eight = {name: tensor.clone() for name, tensor in weights(game).items()}
    values = json.loads(json.dumps(game.values.as_dict()))
    step_to(game, 15)
    assert listed(game) == []
    gate.open()
    game.saving.settle()
    (form,) = ledger.kept_checkpoints(game.conn)
    assert form.step == 8
    path = ledger.folder_of(game.folder, form)
    written = {f"exam.{n}": t for n, t in load_file(path / "model.safetensors").items()} | load_file(
        path / STATE_TENSORS
    )
    assert written.keys() == at_eight.keys()
    assert all(torch.equal(written[name], at_eight[name]) for name in at_eight)
    assert json.loads((path / STATE_JSON).read_text())["values"] == values
    finish(game, 15)


def test_a_level_is_announced_when_its_checkpoint_is_whole_and_not_before(make_world: MakeWorld, gate: Gate) -> None:
    game = make_world().wake()
    step_to(game, 27)
    won = "SELECT step, checkpoint_id FROM level_ups"
    assert game.values.curricula["bin"].mastered == 1 and game.conn.execute(won).fetchall() == []
    gate.open()
    finish(game, 27)
    ((step, checkpoint_id),) = game.conn.execute(won).fetchall()
    assert step == 20 and ledger.checkpoint(game.conn, checkpoint_id).step == 20


@pytest.mark.parametrize("cut", [20, 24])
def test_killed_while_a_level_was_being_saved_the_level_is_won_again(
    make_world: MakeWorld, once: Once, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    def undisturbed() -> tuple[dict[str, list[Any]], Game]:
        whole = make_world("whole")
        game = whole.train(47)
        return facts(whole), game

    told, expected = once("whole", undisturbed)
    broken = make_world("broken")

    def dies(hero: Any, tensors: Any, path: Path) -> None:
        (path / "config.json").write_text("{")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine.trainer.saving, "save_folder", dies)
        game = broken.wake()
        while game.values.step < cut:
            game.saving.land = lambda: None  # type: ignore[method-assign]
            assert game._boundary()
            game._step()
        game.recorder._stop.set()
        game.recorder._heart.join()
        game.conn.close()
    resumed = broken.train(47)
    assert told == facts(broken)
    assert_same(expected, resumed)


def test_a_checkpoint_is_answered_with_the_step_it_holds_while_others_pass(make_world: MakeWorld, gate: Gate) -> None:
    world = make_world()
    order = command(Verb.CHECKPOINT)
    game = world.wake([(5, order)])
    assert isinstance(game.channel, Script)
    step_to(game, 9)
    assert gate.reached.wait(60) and order.id not in game.channel.answers
    gate.open()
    finish(game, 12)
    step, result = game.channel.answers[order.id]
    assert (step, result["step"]) == (5, 5)
    assert (world.folder.checkpoints / result["name"]).is_dir()
    conn = open_save(world.folder, write=False)
    assert conn.execute("SELECT step FROM journal WHERE command_id = ?", (order.id,)).fetchone()[0] == 5


def test_two_reasons_at_one_step_are_one_checkpoint_also_while_it_is_written(make_world: MakeWorld, gate: Gate) -> None:
    game = make_world().wake()
    step_to(game, 3)
    ended: list[Any] = []
    game.saving.save("asked", landed=ended.append)
    game.saving.save("pause", landed=ended.append)
    gate.open()
    game.saving.settle()
    game.saving.save("promote", landed=ended.append)
    assert [form.id for form in ended] == [ended[0].id] * 3
    assert list(ended[-1].reasons) == ["asked", "pause", "promote"]
    finish(game, 3)


def test_the_champion_waits_for_a_checkpoint_under_way(make_world: MakeWorld, gate: Gate) -> None:
    order = command(Verb.PROMOTE)
    game = make_world().wake([(22, order)])
    assert isinstance(game.channel, Script)
    step_to(game, 22)
    assert gate.reached.is_set() and listed(game) == []
    gate.open()
    finish(game, 23)
    assert game.channel.answers[order.id][1]["step"] == 20


def test_a_trainer_that_crashes_still_lists_the_checkpoint_under_way(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    conn = open_save(world.folder, write=True)
    trained = StepLoop.train

    def fails(loop: StepLoop, batches: Any) -> Any:
        if loop.optimizer.updates == 20:
            raise ZeroDivisionError
        return trained(loop, batches)

    monkeypatch.setattr(StepLoop, "train", fails)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    ring, campaign = RingWriter(world.folder.ring, run_id=0), campaigns.active_campaign(conn)
    with pytest.raises(ZeroDivisionError):
        _play(world.folder, conn, load_game(world.rules), campaign, ring, Script([]), kept=True, awake=Event())
    assert [c.step for c in ledger.kept_checkpoints(conn)] == [20]
    assert conn.execute("SELECT step FROM level_ups").fetchone()[0] == 20
    assert conn.execute("SELECT end_reason FROM runs").fetchone()[0] == "crashed: ZeroDivisionError"


def test_without_memory_for_a_copy_training_waits_and_the_checkpoint_is_the_same(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy, tight = make_world("roomy"), make_world("tight")
    roomy.train(6)
    with monkeypatch.context() as patch:
        patch.setattr(engine.trainer.saving, "fits_beside", lambda size: False)
        game = tight.wake()
        step_to(game, 6)
        game.saving.save("asked")
        assert not game.saving.under_way and listed(game) == [6]
        finish(game, 6)
    assert newest(roomy)[0].digest == newest(tight)[0].digest


def test_trap_21_too_small_a_disk_is_said_with_its_size_before_anything_is_written(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    world.train(5)
    game = world.wake([(999, command(Verb.RESUME))])
    step_to(game, 7)
    before = sorted(p.name for p in world.folder.checkpoints.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
        with pytest.raises(RealmError, match="no room") as caught:
            game.saving.saved_now("asked")
    assert "it takes" in caught.value.why
    assert sorted(p.name for p in world.folder.checkpoints.iterdir()) == before
    assert [i.rule for i in incidents.open_incidents(game.conn)] == ["disk_pressure"]
    finish(game, 8)
    assert newest(world)[0].step == 8


def test_a_level_that_waits_for_room_is_saved_as_soon_as_training_may_go_on(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = [True]

    def room(parent: Path, name: str, size: int) -> None:
        if full[0]:
            raise engine.trainer.checkpoints.DiskFullError("no room", fix="free some", code="DISK_FULL")

    monkeypatch.setattr("engine.trainer.vault.check_room", room)
    game = make_world().wake([(999, command(Verb.RESUME))])
    real_wait = game.channel.wait

    def wait(timeout: float) -> None:
        full[0] = False
        real_wait(timeout)

    game.channel.wait = wait  # type: ignore[method-assign]
    finish(game, 25)
    assert game.conn.execute("SELECT step FROM level_ups").fetchone()[0] == 20
    first = ledger.kept_checkpoints(game.conn)[0]
    assert (first.step, tuple(first.reasons)) == (20, ("level_up",))


# -------------------------------------------------------------------- taking a state up, or refusing it


def tamper(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    """Change a checkpoint's state as somebody would who also makes its digests right again."""
    tensors, values = load_file(path / STATE_TENSORS), json.loads((path / STATE_JSON).read_text())
    change(tensors, values)
    save_file(tensors, path / STATE_TENSORS)
    (path / STATE_JSON).write_text(json.dumps(values))
    sidecar = json.loads((path / LEDGER_FILE).read_text())
    names = [p.relative_to(path).as_posix() for p in files_in(path)]
    sidecar["files"] = {name: sha256(path / name) for name in names if name != LEDGER_FILE}
    sidecar["digest"] = model_digest(sidecar["files"])
    (path / LEDGER_FILE).write_text(json.dumps(sidecar))


def first_tensor(tensors: dict[str, Any], prefix: str) -> str:
    return next(name for name in sorted(tensors) if name.startswith(prefix))


@pytest.mark.parametrize("piece", ["random.cpu", "random.python", "optimizer.", "weights."])
def test_trap_16_a_missing_piece_is_refused_by_name(make_world: MakeWorld, piece: str) -> None:
    world = make_world()
    world.train(4)
    gone: list[str] = []

    def drop(tensors: dict[str, Any], values: dict[str, Any]) -> None:
        gone.append(first_tensor(tensors, piece))
        del tensors[gone[0]]

    tamper(newest(world)[1], drop)
    with pytest.raises(RealmError) as caught:
        world.wake()
    assert gone[0] in caught.value.text() and caught.value.fix


def test_a_piece_of_another_training_is_refused_by_name(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(2)
    tamper(newest(world)[1], lambda tensors, values: tensors.update({"optimizer.galore.0": torch.zeros(2)}))
    with pytest.raises(RealmError, match=r"optimizer\.galore\.0"):
        world.wake()


@pytest.mark.parametrize(
    ("key", "other"),
    [("hero", "gem"), ("method", "lora"), ("optimizer", "sgd"), ("model", "Qwen/Qwen3-0.6B"), ("averaged", None)],
)
def test_a_foreign_state_is_refused_by_name(make_world: MakeWorld, key: str, other: str | None) -> None:
    world = make_world()
    world.train(2)
    tamper(newest(world)[1], lambda tensors, values: values["identity"].update({key: other}))
    with pytest.raises(RealmError, match="another training") as caught:
        world.wake()
    assert caught.value.code == "CHECKPOINT_FOREIGN" and str(other) in caught.value.why


def test_a_checkpoint_from_before_streams_and_identity_were_saved_is_still_taken_up(make_world: MakeWorld) -> None:
    whole, old = make_world("whole"), make_world("old")
    expected = whole.train(14)
    old.train(8)

    def age(tensors: dict[str, Any], values: dict[str, Any]) -> None:
        for name in [n for n in tensors if n.startswith("random.") and n != "random.cpu"]:
            del tensors[name]
        del values["identity"], values["pieces"], values["loop"]["streams"]

    tamper(newest(old)[1], age)
    game = old.train(14)
    one, other = weights(expected), weights(game)
    assert all(torch.equal(one[n], other[n]) for n in one if not n.startswith("random.python"))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_trap_15_with_dropout_on_every_step_resumes_to_the_last_bit(make_world: MakeWorld, seed: int) -> None:
    def dropping(world: World) -> Game:
        game = world.wake()
        for module in game.hero.model.modules():
            if hasattr(module, "attention_dropout"):
                module.attention_dropout = 0.2
        game.loop._lean = None
        return game

    whole, broken = make_world("whole", seed=seed), make_world("broken", seed=seed)
    calm = dropping(whole)
    for step in range(1, 7):
        step_to(calm, step)
        game = dropping(broken)
        step_to(game, step)
        assert_same(calm, game)
        finish(game, step)
    finish(calm, 6)


# -------------------------------------------------------------------- to be shown on a card


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA card")
def test_trap_20_a_copy_from_a_card_holds_what_was_there_when_it_was_asked_for() -> None:
    weights = {str(n): torch.full((4096, 4096), 1.0, device="cuda") for n in range(8)}
    room = HostRoom()
    for wanted in (1.0, 2.0):
        copy = room.copy(weights, {"random.cpu": torch.get_rng_state()})
        for tensor in weights.values():
            tensor.add_(1.0)
        copy.ready()
        assert all(t.is_pinned() and bool((t == wanted).all()) for t in copy.weights.values())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA card")
def test_parking_gives_a_cards_memory_back_and_training_goes_on_exactly(make_world: MakeWorld) -> None:
    engine_rules = {"window_steps": 7, "min_free_gb": 0.0, "device": "cuda"}
    calm, parked = make_world("calm", engine=engine_rules).wake(), make_world("parked", engine=engine_rules).wake()
    for step in range(1, 7):
        step_to(calm, step)
        step_to(parked, step)
        if step == 3:
            parked.host_copy, parked.parked = park(parked.loop), True
            assert parked.host_copy is not None and (parked.host_copy.freed_bytes or 0) > 0
            parked.unpark()
    assert_same(calm, parked)
    finish(calm, 6)
    finish(parked, 6)

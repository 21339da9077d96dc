"""What goes wrong for a reason of the player's own fails alone, is named, and never ends the engine."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import engine.trainer.examiner
from configs.errors import BlockedError, RealmError, UsageError
from configs.loader import load_game
from engine.curriculum.questions import Put
from engine.curriculum.remediation import DrillOrder, _exercised
from engine.link.protocol import Verb
from engine.quests.board import import_quest
from engine.trainer import orders
from engine.trainer.game import Game
from engine.trainer.values import Values
from saves import incidents, ledger
from saves.checkpoint_folder import write_synced
from saves.database import open_save
from skills.contract import Problem
from skills.registry import get_skill
from tests.game.world import write_chats
from tests.trainer.conftest import Script, World, command

MakeWorld = Callable[..., World]


def add_quest(world: World, path: Path) -> None:
    conn = open_save(world.folder, write=True)
    import_quest(conn, world.folder, path, load_game(world.rules).quests, epochs=2)
    conn.close()


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


# ---------------------------------------------------------------- a skill's own code


def stuck(*args: Any, **how: Any) -> Any:
    raise RealmError(
        "add of bin has no training problem at level 1", fix="leave it out of the mix", code="GENERATOR_STUCK"
    )


def no_such_level(*args: Any, **how: Any) -> Any:
    raise UsageError("bin has no level 1", fix="choose another", code="UNKNOWN_LEVEL")


def wordless(level: int, index: int, split: Any, *args: Any, **how: Any) -> Problem:
    nothing: Any = 7
    return Problem("bin", level, split, index, "add", "easy", nothing, nothing, "d" * 32, "e" * 32)


def closed(game: Game) -> None:
    game.recorder.close(game.recorder.state)
    game.conn.close()


@pytest.mark.parametrize(
    ("part", "broken"), [("generate", stuck), ("generate", wordless), ("operations", no_such_level)]
)
def test_a_skill_that_makes_no_problem_blocks_by_name_however_it_fails(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, part: str, broken: Callable[..., Any]
) -> None:
    world = make_world()
    world.train(4)
    game = world.wake()
    monkeypatch.setattr(get_skill("bin"), part, broken)
    assert game._boundary()
    game._step()
    assert game.values.step == 4 and game.blocked is not None and game.blocked.code == "GENERATOR_FAILED"
    (incident,) = incidents.open_incidents(game.conn, blocking=True)
    assert incident.rule == "generator_failed" and "bin" in incident.title and incident.fix
    monkeypatch.undo()
    game.orders._carry_out(command(Verb.RESUME))
    assert game._boundary()
    game._step()
    assert game.values.step == 5
    closed(game)


def test_a_quest_is_trained_without_replay_while_its_skill_makes_none(
    make_world: MakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    add_quest(world, write_chats(tmp_path / "chats.jsonl", 60))
    game = world.wake()
    assert game._boundary() and game.board.quest is not None
    monkeypatch.setattr(get_skill("bin"), "generate", stuck)
    for _ in range(4):
        game._step()
    assert game.values.step == 4 and game.blocked is None and game.values.quest is not None
    assert any(i.rule == "generator_failed" and not i.blocks for i in incidents.open_incidents(game.conn))
    closed(game)


def drilled(game: Game) -> DrillOrder | None:
    return game.values.drill.order if game.values.drill else None


@pytest.mark.parametrize("broken", [stuck, wordless])
def test_a_drill_of_which_nothing_can_be_made_is_left_and_training_goes_on(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, broken: Callable[..., Any]
) -> None:
    whole = get_skill("bin").generate

    def generate(level: int, index: int, split: Any, mix: str = "full", *, operation: str | None = None) -> Any:
        make = whole if operation != "add" else broken
        return make(level, index, split, mix, operation=operation)

    game = make_world(primitives={"remedy": "drill", "drill_every": 2}).wake()
    order = DrillOrder("plus_minus", "bin", "hatchling", ("add",), (1,), 5, "asked for")
    game.values.drills.append(order)
    monkeypatch.setattr(game.course, "remedy", lambda: order)
    assert game._boundary() and drilled(game) == order
    monkeypatch.setattr(get_skill("bin"), "generate", generate)
    game._step()
    assert game.values.step == 0 and drilled(game) is None and game.blocked is None
    (incident,) = incidents.open_incidents(game.conn)
    assert incident.rule == "generator_failed" and "plus_minus was left" in incident.title and not incident.blocks
    for _ in range(5):
        assert game._boundary()
        game._step()
    assert game.values.step == 5 and drilled(game) is None
    again = Values.from_dict(json.loads(json.dumps(game.values.as_dict())))
    assert again.undrillable == ["plus_minus"], "a resumed run does not try it either"
    closed(game)


def test_a_primitive_is_looked_for_only_among_problems_that_can_be_made(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = make_world().wake()
    _exercised.cache_clear()
    monkeypatch.setattr(get_skill("bin"), "generate", stuck)
    with pytest.raises(UsageError) as refused:
        game.course.drill_order("no_such_ability", reason="asked for")
    assert refused.value.code == "NO_DRILL"
    _exercised.cache_clear()
    closed(game)


@pytest.mark.parametrize("part", ["exam_pool", "chance"])
def test_an_exam_that_cannot_be_held_is_named_and_the_next_one_is_set(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(get_skill("bin"), part, stuck)
        world = make_world()
        game = world.train(12)
        assert game.values.step == 12 and game.values.curricula["bin"].next_exam_step == 20
        (incident,) = incidents.open_incidents(game.conn)
        assert incident.rule == "exam_errors" and "exam of bin could not be held" in incident.title and incident.fix
    assert world.train(21).values.curricula["bin"].exams == 1, "once it is mended the next exam is held"


def test_an_exam_plan_that_fails_is_left_out_and_said(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    game = world.wake()
    monkeypatch.setattr(game.exam_plan, "_sit_due", stuck)
    for _ in range(3):
        assert game._boundary()
        game._step()
    (incident,) = incidents.open_incidents(game.conn)
    assert game.values.step == 3 and "exam plan" in incident.title and incident.count == 1
    closed(game)


# ---------------------------------------------------------------- a resume after something changed


def inexact(game: Game) -> str:
    (found,) = [i for i in incidents.open_incidents(game.conn) if i.rule == "inexact_resume"]
    return str(found.detail["why"])


def test_an_order_that_cannot_be_repeated_is_named_and_the_hero_trains_on(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    world.train(4)
    world.train(8, [(6, command(Verb.SET, rate=0.5))], crash=True)

    def refuses(*args: Any) -> None:
        raise UsageError("set knows no 'rate'", fix="use another", code="BAD_ARGUMENT")

    monkeypatch.setattr(orders, "steer", refuses)
    game = world.train(10)
    assert game.values.step == 10 and "the order set after step 6 cannot be repeated" in inexact(game)


@pytest.mark.parametrize("count", [12, 400])
def test_a_quest_whose_file_became_another_is_begun_anew_after_a_resume(
    make_world: MakeWorld, tmp_path: Path, count: int
) -> None:
    world = make_world()
    add_quest(world, write_chats(tmp_path / "chats.jsonl", 200))
    game = world.train(9)
    (file,) = world.folder.quests.glob("*.jsonl")
    write_chats(file, count)
    game = world.wake()
    assert "has other examples now" in inexact(game)
    assert game._boundary() and game.board.attempt_id is not None and game.board.position == 0
    for _ in range(2):
        game._step()
        assert game._boundary()
    assert game.values.step == 11
    closed(game)


def test_a_quest_whose_file_is_gone_fails_alone(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world()
    add_quest(world, write_chats(tmp_path / "chats.jsonl", 200))
    world.train(5)
    (file,) = world.folder.quests.glob("*.jsonl")
    file.unlink()
    game = world.train(8)
    assert game.values.step == 8 and game.values.quest is None
    assert {"inexact_resume", "quest_failed"} <= {i.rule for i in incidents.open_incidents(game.conn)}


# ---------------------------------------------------------------- saving


def test_a_checkpoint_that_cannot_be_written_blocks_with_the_reason_and_is_written_once_it_can(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()
    world.train(4)
    save, again = command(Verb.CHECKPOINT), command(Verb.CHECKPOINT)
    game = world.wake([(6, save), (7, command(Verb.RESUME)), (8, again)])
    broken = [True]

    def write(path: Path, text: str) -> None:
        if broken[0]:
            raise OSError(errno.EACCES, "Permission denied")
        write_synced(path, text)

    monkeypatch.setattr("engine.trainer.checkpoints.write_synced", write)

    def mend() -> None:
        game.saving.settle()
        assert game.blocked is not None and game.blocked.code == "DISK_UNWRITABLE"
        broken[0] = False

    assert isinstance(game.channel, Script)
    game.channel.visits = {7: mend}
    game.stop_at_step = 9
    assert game.run() == "step reached"
    error = answers(game)[save.id][1]
    assert error.code == "DISK_UNWRITABLE" and "Permission denied" in error.why and "checkpoints" in error.fix
    assert answers(game)[again.id][1]["step"] == 8
    assert [form.step for form in ledger.kept_checkpoints(game.conn)] == [4, 8, 9]
    closed(game)


def test_a_checkpoint_folder_that_was_removed_is_made_again(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(4)
    game = world.train(8, visits={6: lambda: shutil.rmtree(world.folder.checkpoints)})
    assert (world.folder.checkpoints / ledger.find(game.conn, "8").name).is_dir()

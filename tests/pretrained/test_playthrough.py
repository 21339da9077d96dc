"""DIO from a folder plays the whole game: drills, exams, levels, a quest, death, promotion, questions."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from configs import clock
from configs.loader import load_game
from configs.turn_format import turn_formats
from engine.chat.jinja import chat_template
from engine.chat.template import decode
from engine.link.protocol import Verb
from engine.quests.board import import_quest
from engine.trainer import once
from saves import quests
from saves.database import open_save
from tests.trainer.conftest import Script, World, command
from tests.trainer.test_resume import assert_same, facts

MakeWorld = Callable[..., World]

DAY_S = 86_400.0
NEW_YEAR = 1_767_268_800.0
"""2026-01-01 12:00 UTC."""


def write_quest(path: Path) -> Path:
    """Conversations with a system turn of their own, with and without thinking, some of two turns."""
    rows = []
    for n in range(24):
        turns = [
            {"role": "system", "content": "Answer in one word."},
            {"role": "user", "content": f"Say {n} twice"},
            {"role": "assistant", "content": f"<think>\n{n}?\n</think>\n\n{n} {n}" if n % 3 == 0 else f"{n} {n}"},
        ]
        if n % 4 == 0:
            turns += [{"role": "user", "content": "Again"}, {"role": "assistant", "content": f"{n}"}]
        rows.append({"messages": turns})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def add_quest(world: World, path: Path) -> None:
    conn = open_save(world.folder, write=True)
    import_quest(conn, world.folder, path, load_game(world.rules).quests, epochs=3)
    conn.close()


def test_drills_of_the_full_mix_win_levels(make_world: MakeWorld) -> None:
    world = make_world()
    game = world.wake()
    text = decode(game.hero, game.forge.round(game.focus(), 1).shown.ids)
    assert text.startswith(f"<|im_start|>system\n{game.forge.system}<|im_end|>\n<|im_start|>user\nCompute")
    assert text.endswith("<|im_end|>")
    game.stop_at_step = 45
    game.run()
    game.recorder.close(game.recorder.state)
    found = facts(world)
    assert [u[2] for u in found["level_ups"]] == [1, 2]
    assert [e[0] for e in found["exams"] if e[3] == "gate"] == [10, 20, 30, 40]
    conn = open_save(world.folder, write=False)
    tiers = {row[0] for row in conn.execute("SELECT DISTINCT tier FROM exam_items")}
    assert tiers == {"easy", "medium", "hard", "expert"}
    first, last = (
        conn.execute(f"SELECT loss_last FROM live_step_windows ORDER BY last_step {order}").fetchone()[0]
        for order in ("", "DESC")
    )
    assert last < first - 1


def test_a_killed_hero_goes_on_as_if_nothing_had_happened(make_world: MakeWorld, tmp_path: Path) -> None:
    """The quest arrives after step 22; kills come before anything was saved, in the quest, and after it."""
    path = write_quest(tmp_path / "echo.jsonl")
    whole = make_world("whole")
    expected = whole.train(40, visits={22: lambda: add_quest(whole, path)})
    assert facts(whole)["quests"][0][:2] == ("echo", "completed")
    for cut in (9, 29, 36):
        broken = make_world(f"broken at {cut}")
        arrives = partial(add_quest, broken, path)
        broken.train(cut, visits={22: arrives}, crash=True)
        resumed = broken.train(40, visits={22: arrives} if cut < 22 else None)
        assert facts(whole) == facts(broken)
        assert_same(expected, resumed)


class Killed(BaseException):
    """What nothing may catch."""


def test_a_hero_killed_while_it_is_saved_goes_on_from_a_whole_form(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each kind of file operation of the checkpoint that a won level forces at step 20."""
    whole = make_world("whole")
    expected = whole.train(22)
    for operation in ("mkdir", "write_text", "rename"):
        broken = make_world(f"killed at {operation}")
        broken.train(15)
        real = getattr(Path, operation)
        struck: list[Path] = []

        def killed(self: Path, *args: Any, real: Any = real, struck: list[Path] = struck, **kwargs: Any) -> Any:
            if ".part-" in str(self):
                struck.append(self)
                raise Killed
            return real(self, *args, **kwargs)

        # The writer dies beside training, which may have gone on to its own end before it hears of that.
        with monkeypatch.context() as patch, suppress(Killed):
            patch.setattr(Path, operation, killed)
            broken.train(22, crash=True)
        assert struck, f"no checkpoint was written by {operation}"
        resumed = broken.train(22)
        assert resumed.run_id == 3
        assert facts(whole)["level_ups"] == facts(broken)["level_ups"]
        assert_same(expected, resumed)


def test_the_champion_is_a_folder_that_plain_transformers_answers_with(
    make_world: MakeWorld, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_world()
    promote, ask = command(Verb.PROMOTE), command(Verb.ASK, prompt="Say 7 twice", form="champion", max_tokens=20)
    game = world.train(23, [(21, promote), (22, ask)])
    assert isinstance(game.channel, Script)
    champion = Path(game.channel.answers[promote.id][1]["path"])
    assert game.channel.answers[promote.id][1]["step"] == 20
    tokenizer = AutoTokenizer.from_pretrained(champion)
    model = AutoModelForCausalLM.from_pretrained(champion)
    assert tokenizer.chat_template == chat_template(turn_formats()["chatml"], thinking=False)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    prompt = tokenizer.apply_chat_template(
        [{"role": "system", "content": game.forge.system}, {"role": "user", "content": "Say 7 twice"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    torch.set_float32_matmul_precision("highest")
    said = model.generate(**prompt, max_new_tokens=20)[0, prompt["input_ids"].shape[1] :].tolist()
    if said[-1] in model.generation_config.eos_token_id:
        said.pop()
    answered = game.channel.answers[ask.id][1]
    assert answered["raw"] == tokenizer.decode(said)
    assert once.main(world.folder, "ask", {"prompt": "Say 7 twice", "form": "champion", "max_tokens": 20}) == 0
    assert json.loads(capsys.readouterr().out)["result"] == answered
    assert not list(folder.glob("trainer")), "the player's own folder is never written to"


def test_the_date_of_the_system_prompt_is_the_campaigns_for_ever(make_world: MakeWorld) -> None:
    now = [NEW_YEAR]
    clock.use(lambda: now[0])
    whole, broken = make_world("whole"), make_world("broken")
    expected = whole.train(24)
    broken.train(13, crash=True)
    now[0] += 40 * DAY_S
    resumed = broken.train(24)
    assert expected.forge.system == resumed.forge.system
    assert resumed.forge.system == "Today is 2026-01-01. You are happy. You enjoy helping others."
    assert facts(whole)["answers"] == facts(broken)["answers"]
    assert_same(expected, resumed)


def test_a_quest_extends_the_heros_system_turn(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world()
    add_quest(world, write_quest(tmp_path / "echo.jsonl"))
    game = world.train(4, crash=True)
    assert game.board.quest is not None
    for encoded in game.board.quest.train:
        head = decode(game.hero, encoded.ids).split("<|im_end|>")[0]
        assert head == f"<|im_start|>system\n{game.forge.system}\nAnswer in one word."
    (quest,) = quests.quests(open_save(world.folder, write=False))
    ledger = quest.tokens
    assert ledger is not None
    assert ledger["dropped"] == 0
    assert ledger["in"] == sum(len(e.ids) for e in game.board.quest.train)
    assert ledger["trained"] == sum(e.trained_tokens for e in game.board.quest.train)

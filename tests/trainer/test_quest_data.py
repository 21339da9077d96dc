"""A player's data in a real game: what an attempt remembers of it, what a resume reads again, what is never trained."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import engine.batch
from configs.loader import load_game
from configs.paths import SaveFolder
from configs.schema import HeroConfig
from engine.batch import Batch, make_batch
from engine.chat.encoded import Encoded
from engine.chat.profiles import ANSWER_END, ANSWER_START
from engine.chat.template import decode
from engine.quests.board import import_quest
from engine.quests.reader import reader_for
from engine.trainer.game import Game
from engine.trainer.packed import inspect_batches, read_back
from saves import exams, incidents, quests
from saves.database import create_save, open_save
from tests.model.heroes import examples, hatchling
from tests.quests.conftest import chat, write_lines
from tests.trainer.conftest import EASY, World, tiny_hero

Made = Callable[..., World]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Makes worlds by name whose hero has other data settings, with a quest on the board."""

    def make(
        name: str, records: list[dict[str, Any]] | None = None, training: dict[str, Any] | None = None, **data: Any
    ) -> World:
        monkeypatch.setitem(os.environ, "REALM_HOME", str(tmp_path / name))
        folder = SaveFolder.named("main")
        hero = tiny_hero().model_dump(mode="json")
        hero["data"] |= data
        hero["training"] |= training or {}
        config = HeroConfig.model_validate(hero)
        create_save(folder, config, seed=3)
        if records is not None:
            conn = open_save(folder, write=True)
            path = write_lines(tmp_path / f"{name}.jsonl", *records)
            import_quest(conn, folder, path, load_game(EASY).quests, reader=reader_for(config))
            conn.close()
        return World(folder, EASY)

    return make


def echo(count: int, length: int = 1) -> list[dict[str, Any]]:
    return [chat(f"Say {n} twice", f"{n} {n} " * length) for n in range(count)]


def attempt(game: Game) -> dict[str, Any]:
    conn = open_save(game.folder, write=False)
    (found,) = [a for a in quests.attempts(conn, 1) if a.run_id == game.run_id]
    conn.close()
    return dict(found.tokens)


def test_an_attempt_remembers_the_ledger_the_masks_and_the_plan_and_a_resume_makes_the_same(made: Made) -> None:
    world = made("main", echo(40))
    first = attempt(world.train(3, crash=False))
    assert first["in"] == first["trained"] + first["masked"] + first["truncated"] + first["dropped"] > 0
    assert first["examples"] + first["held_out_examples"] == 40
    assert first["masking"]["verdict"] == "ok" and 0.3 < first["masking"]["masked_share"] < 0.85
    assert attempt(world.train(5)) == first
    assert attempt(made("other", echo(40)).train(1)) == first
    assert attempt(made("third", echo(39)).train(1))["plan"] != first["plan"]


def test_updates_in_the_backward_pass_take_a_quest_step_and_its_replay_as_one_pass(made: Made) -> None:
    early = {"update": "backward", "optimizer": "adamw", "ema_decay": None, "batch_tokens": 256, "batch_size": 16}
    whole, broken = (made(name, echo(60), early) for name in ("whole", "broken"))
    expected = whole.train(6)
    assert expected.board.quest is not None
    mixed = expected.board.quest.round(0, expected.values.curricula["bin"], 6, 0.5)
    assert mixed.draws and len(mixed.batches) == 1
    assert mixed.batches[0].examples == mixed.examples + len(mixed.draws)
    broken.train(4, crash=True)
    resumed = broken.train(6)
    for name, weight in expected.hero.weights().items():
        assert torch.equal(weight, resumed.hero.weights()[name]), name


def test_long_examples_are_cut_and_counted_when_the_hero_says_so(made: Made) -> None:
    records = [*echo(16), chat("Say it often", "again " * 200)]
    told = attempt(made("main", records, long_examples="truncate").train(4))
    assert told["truncated"] == 1200 + 12 + 9 - 512 and told["truncated_examples"] == 1
    assert told["dropped"] == told["dropped_examples"] == 0


def test_labels_that_are_not_the_tokens_that_follow_are_found_in_a_packed_batch() -> None:
    """Also a first token predicted from the document before it, which packing must never do."""
    hero = hatchling()
    packed = examples(hero, 24)
    batch = make_batch(packed)
    back, aligned = read_back(batch)
    assert aligned and sorted(e.ids for e in back) == sorted(e.ids for e in packed)
    assert sorted(e.trained for e in back) == sorted(e.trained for e in packed)
    marks = hero.template.turn_marks
    assert inspect_batches([batch], marks, conversations=True).verdict == "ok"
    starts = (batch.segments[:, 1:] != batch.segments[:, :-1]).flatten().nonzero().flatten()
    width = batch.input_ids.shape[1]
    crossing = int(starts[0] // (width - 1) * width + starts[0] % (width - 1))
    assert batch.segments.flatten()[crossing] != batch.segments.flatten()[crossing + 1]

    def spoilt(source: int, target: int) -> Batch:
        sources, targets = batch.sources.clone(), batch.targets.clone()
        sources[0], targets[0] = source, target
        return dataclasses.replace(batch, sources=sources, targets=targets)

    ids = batch.input_ids.flatten()
    for wrong in (spoilt(int(batch.sources[0]) + 1, int(batch.targets[0])), spoilt(crossing, int(ids[crossing + 1]))):
        report = inspect_batches([batch, wrong], marks, conversations=True)
        assert report.verdict == "abort" and "pass 2" in " ".join(report.reasons)


@pytest.mark.parametrize(("how", "position"), [("shifted", 0), ("silent", 1)])
def test_trap_02_a_quest_whose_batches_would_train_the_wrong_tokens_or_none_is_left_before_any_is_trained(
    made: Made, monkeypatch: pytest.MonkeyPatch, how: str, position: int
) -> None:
    real = engine.batch.make_batches
    spoilt: list[int] = []

    def spoil(items: list[Encoded], *rest: Any, **more: Any) -> list[Batch]:
        if not spoilt:
            spoilt.append(len(items))
            masks = [[*i.trained[1:], False] if how == "shifted" else [False] * len(i.ids) for i in items]
            items = [dataclasses.replace(i, trained=m) for i, m in zip(items, masks, strict=True)]
        return real(items, *rest, **more)

    world = made("main", echo(40))
    game = world.wake()
    for _ in range(position):
        game._boundary()
        game._step()
    game._boundary()
    began, before = game.board.attempt_id, game.values.examples
    assert began is not None
    monkeypatch.setattr("engine.trainer.practice.make_batches", spoil)
    if how == "silent":
        monkeypatch.setattr(game.board.quest.plan.__class__, "forged", lambda *_: 0)  # type: ignore[union-attr]
    game._step()
    assert game.board.quest is None and game.board.attempt_id is None
    assert spoilt and game.values.examples == before + 8, "a drill trained instead"
    conn = open_save(world.folder, write=False)
    (incident,) = [i for i in incidents.open_incidents(conn) if i.rule == "masking"]
    assert incident.step == position and quests.quest(conn, 1).state == "failed"
    assert "PackedSequence: only" in str(quests.quest(conn, 1).reason)
    game.recorder.close(game.recorder.state)
    game.conn.close()


def test_exams_ask_and_score_in_the_form_that_is_trained(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hero of regime3 that answers between the signs is right, one that leaves them out is not."""
    world = made("main", profile="regime3")
    game = world.wake()
    game._boundary()
    said: list[str] = []

    def told(hero: Any, prompts: list[list[int]], most: list[int], *_: Any) -> list[list[int]]:
        answers = []
        for number, prompt in enumerate(prompts):
            asked = decode(hero, prompt).split("user\n")[1].split("<|im_end|>")[0]
            (problem,) = [p for p in problems if p.prompt == asked][:1]
            signed = f"{ANSWER_START}{problem.answer}{ANSWER_END}"
            text = signed if number % 2 else problem.answer
            said.append(text)
            ids = list(hero.template.plain(text))
            assert len(ids) <= most[number]
            answers.append(ids)
        return answers

    skill, mix = game.forge.skills["bin"]
    problems = [skill.generate(1, i, "exam", mix) for i in range(16)]
    monkeypatch.setattr("engine.trainer.examiner.greedy", told)
    with game.loop.examined():
        outcome = game.exams.examiner().sit(game.focus(), 0)
    exam = exams.exam(game.conn, outcome.exam_id)
    assert exam is not None and exam.items == 16 and exam.correct == 8 and exam.results["crit_miss"] == 8
    trained = game.forge.messages(problems[0])
    assert trained[-1]["content"] == f"{ANSWER_START}{problems[0].answer}{ANSWER_END}"
    game.recorder.close(game.recorder.state)
    game.conn.close()

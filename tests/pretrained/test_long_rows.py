"""Long examples: a step is cut into passes that memory can hold, and its loss is divided once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import engine.generate
import engine.step
import engine.trainer.examiner
from configs.loader import load_game
from engine.batch import Batch, make_batches
from engine.chat.template import encode_messages, encode_text, with_system
from engine.hero.loading import load_pretrained
from engine.quests.board import import_quest
from engine.quests.fileformat import check_file, read_examples
from engine.quests.reader import ExampleReader, reader_for
from engine.step import StepLoop
from saves import incidents
from saves.database import open_save
from tests.pretrained.standin import hero_on
from tests.pretrained.test_traps import PLACEMENT
from tests.trainer.conftest import World

MakeWorld = Callable[..., World]

CONTEXT = 2048
LONG: dict[str, Any] = {"batch_size": 1, "accumulation": 16, "batch_tokens": 2048}


def write_long(path: Path, hero: Any, lengths: list[int]) -> Path:
    """Conversations of about ``lengths`` tokens, two thirds of them the answer's."""
    reader = reader_for(hero)
    assert isinstance(reader, ExampleReader)
    per_word = len(reader.template.plain(" word" * 300)) / 300
    rows = []
    for number, length in enumerate(lengths):
        words = int((length - 40) / per_word)
        asked, told = f"{number}" + " word" * (words // 3), " word" * (words - words // 3)
        messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": told.strip()}]
        rows.append({"messages": messages})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_step_of_long_rows_is_cut_by_tokens_and_divided_once(
    make_world: MakeWorld, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hero = hero_on(folder, model={"context_length": CONTEXT}, **LONG)
    path = write_long(tmp_path / "long.jsonl", hero, [2000, 60, 1000, 900, 120, 2000, 1990, 500] * 3)
    world = make_world("main", hero)
    conn = open_save(world.folder, write=True)
    import_quest(conn, world.folder, path, load_game(world.rules).quests, epochs=1)
    conn.close()
    game = world.wake()
    game._boundary()
    practice = game.board.round(game.focus(), 1)
    sizes = [(b.examples, b.tokens, b.input_ids.numel()) for b in practice.batches]
    assert practice.examples == 16
    assert all(tokens <= 2048 or examples == 1 for examples, tokens, _ in sizes)
    assert any(examples > 2 for examples, _, _ in sizes), "short ones share a pass"
    assert max(numel for _, _, numel in sizes) <= 2 * 2048, "padding doubles a pass at most"
    divisors: list[float] = []
    passed: list[Batch] = []
    real = StepLoop._pass

    def spy(self: StepLoop, batch: Batch, divisor: float) -> Any:
        divisors.append(divisor)
        passed.append(batch)
        return real(self, batch, divisor)

    monkeypatch.setattr(engine.step.StepLoop, "_pass", spy)
    game._step()
    assert len(passed) == len(practice.batches) > 8
    trained = float(sum(b.trained_tokens for b in practice.batches))
    assert divisors == [trained] * len(passed)
    game.recorder.close(game.recorder.state)
    game.conn.close()


def test_the_gradient_of_long_rows_does_not_depend_on_the_passes(make_world: MakeWorld, folder: Path) -> None:
    gradients = []
    for limit in (700, 2048, 100_000):
        hero = load_pretrained(
            hero_on(folder, model={"context_length": CONTEXT}, **LONG, max_grad_norm=1000.0), PLACEMENT
        )
        items = [encode_text(hero, " word" * n) for n in (600, 20, 310, 44, 200, 3)]
        loop = StepLoop(hero, PLACEMENT)
        outcome = loop.train(make_batches(items, max_tokens=limit))
        gradients.append({n: p.grad.clone() for n, p in hero.model.named_parameters() if p.grad is not None})
        assert outcome.trained_tokens == sum(i.trained_tokens for i in items)
    for name, gradient in gradients[0].items():
        for other in gradients[1:]:
            torch.testing.assert_close(gradient, other[name], rtol=1e-4, atol=1e-6)


def test_what_the_check_lets_through_training_takes_and_what_it_refuses_would_not_fit(
    make_world: MakeWorld, folder: Path, tmp_path: Path
) -> None:
    """Around the context's very end, with the hero's dated system turn in front."""
    hero = hero_on(folder, model={"context_length": 128})
    path = write_long(tmp_path / "edge.jsonl", hero, list(range(60, 150, 1)))
    report = check_file(path, reader=reader_for(hero), max_errors=1000)
    refused = {e.line for e in report.errors}
    assert refused and len(refused) < 90
    world = make_world("main", hero)
    game = world.wake()
    for example in read_examples(path):
        assert example.messages is not None
        encoded = encode_messages(game.hero, with_system(example.messages, game.forge.system))
        assert (len(encoded.ids) > 128) is (example.line in refused)
    game.recorder.close(game.recorder.state)
    game.conn.close()


def test_forged_problems_and_exam_answers_stay_within_the_context(
    make_world: MakeWorld, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worked traces of high levels outgrow a short context: they are left out, never cut, never trained beyond it."""
    world = make_world("main", hero_on(folder, model={"context_length": 160}, accumulation=16))
    game = world.wake()
    game._boundary()
    limits: list[tuple[int, int, int]] = []
    real = engine.generate.greedy

    def spy(hero: Any, prompts: Any, most: Any, *rest: Any) -> Any:
        answers = real(hero, prompts, most, *rest)
        limits.extend((len(p), m, len(a)) for p, m, a in zip(prompts, most, answers, strict=True))
        return answers

    monkeypatch.setattr(engine.trainer.examiner, "greedy", spy)
    state = game.focus()
    counts = []
    for step in range(1, 40):
        draws, encoded, names = game.forge.draw(state, step, 16)
        assert len(draws) == len(encoded) == len(names)
        assert all(len(e.ids) <= 160 for e in encoded)
        counts.append(len(draws))
    assert min(counts) < 16
    alone = [game.forge.draw(state, step, 1)[0] for step in range(1, 200)]
    first = [game.forge.draw(state, step, 16)[0] for step in range(1, 200)]
    assert all(len(drawn) == 1 for drawn in alone), "a step of one problem follows its stream to one that fits"
    assert [drawn[0] for drawn in alone] == [drawn[0] for drawn in first]
    game.stop_at_step = 21
    game.run()
    game.recorder.close(game.recorder.state)
    assert limits and all(asked + most <= 160 and said <= most for asked, most, said in limits)


def test_a_context_that_no_problem_fits_is_said_and_blocks(make_world: MakeWorld, folder: Path) -> None:
    game = make_world("main", hero_on(folder, model={"context_length": 64})).wake()
    game._boundary()
    game._step()
    assert game.values.step == 0
    assert game.blocked is not None and "no problem that fits the hero's 64 tokens" in game.blocked.text()
    (incident,) = incidents.open_incidents(game.conn)
    assert incident.blocks and "context_length" in incident.fix
    game.recorder.close(game.recorder.state)
    game.conn.close()


def test_a_quest_is_trained_without_replay_where_none_fits_the_context(
    make_world: MakeWorld, folder: Path, tmp_path: Path
) -> None:
    hero = hero_on(folder, model={"context_length": 64}, accumulation=8)
    world = make_world("main", hero)
    conn = open_save(world.folder, write=True)
    path = tmp_path / "short.jsonl"
    rows = [{"text": f"The well has {n} steps."} for n in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    import_quest(conn, world.folder, path, load_game(world.rules).quests, epochs=1)
    conn.close()
    game = world.wake()
    game._boundary()
    steps = 0
    while game.board.quest is not None:
        game._step()
        steps += 1
        assert game.blocked is None and game.values.step == steps
    assert steps >= 7
    game._step()
    assert game.blocked is not None, "without the quest there is nothing to train"
    game.recorder.close(game.recorder.state)
    game.conn.close()

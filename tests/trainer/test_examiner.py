"""Exams as the examiner holds them: what is counted apart, and that answering in batches changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from engine.curriculum.gate import plan_asked
from engine.link.protocol import Verb
from engine.trainer.examiner import Answered
from engine.trainer.game import Game
from saves import exams, incidents
from skills.contract import Outcome, Problem, Result
from tests.trainer.conftest import World, command

MakeWorld = Callable[..., World]


class Troubled:
    """A skill of which one generator or scorer does what it should not."""

    def __init__(self, real: Any, **over: Callable[..., Any]) -> None:
        self._real, self._over = real, over

    def __getattr__(self, name: str) -> Any:
        return self._over.get(name) or getattr(self._real, name)


def ask(game: Game, items: int = 16, level: int = 3, **over: Callable[..., Any]) -> Answered:
    """An exam of BIN with some of the skill's calls replaced."""
    real, mix = game.forge.skills["bin"]
    state = game.values.curricula["bin"]
    plan = plan_asked(state, real, level, game.rules.exams, items=items, asked=0)
    game.forge.skills["bin"] = (Troubled(real, **over), mix)
    try:
        with game.loop.examined():
            (answered,) = game.exams.examiner().ask([plan], game.values.step)
    finally:
        game.forge.skills["bin"] = (real, mix)
    return answered


def test_what_cannot_be_asked_or_judged_is_no_part_of_the_accuracy(make_world: MakeWorld) -> None:
    game = make_world().wake()
    real, _ = game.forge.skills["bin"]
    asked: list[Problem] = []

    def generate(level: int, index: int, *rest: Any, **more: Any) -> Problem:
        if index % 4 == 0:
            raise RuntimeError("out of words")
        asked.append(real.generate(level, index, *rest, **more))
        return asked[-1]

    def score(problem: Problem, answer: str) -> Outcome:
        if problem.index % 4 == 1:
            raise ValueError("no such answer")
        return Outcome(Result.CRIT_MISS if problem.index % 4 == 2 else Result.CRIT)

    exam = (answered := ask(game, generate=generate, score=score)).exam
    assert (exam.items, exam.errors, exam.correct, exam.format_failures) == (8, 8, 4, 4)
    assert sum(exam.results.values()) == 8
    assert len(answered.items) == 16
    assert [i.result is None for i in answered.items] == [i.item_index % 4 < 2 for i in answered.items]
    assert len(answered.errors) == 8 and any("out of words" in error for error in answered.errors)
    exam_id = game.exams.examiner().write(answered)
    kept = exams.exam(game.conn, exam_id)
    assert kept is not None and kept.sequence.count("?") == 8 and len(kept.sequence) == 16
    game.conn.close()


def test_an_answer_without_end_or_a_question_too_long_is_no_reason_to_stop(make_world: MakeWorld) -> None:
    game = make_world().wake()
    real, _ = game.forge.skills["bin"]

    def generate(level: int, index: int, *rest: Any, **more: Any) -> Problem:
        made: Problem = real.generate(level, index, *rest, **more)
        return replace(made, prompt=made.prompt * 200) if index % 2 else made

    answered = ask(game, generate=generate)
    assert (answered.exam.items, answered.exam.errors) == (8, 8)
    spare = game.rules.exams.spare_tokens
    plain = game.hero.template.plain
    for item in answered.items:
        if item.answer is not None:
            assert len(plain(item.answer)) <= len(plain(item.expected)) + spare
    game.conn.close()


def test_answers_in_a_batch_are_those_given_one_by_one(make_world: MakeWorld) -> None:
    world = make_world()
    world.train(12)
    game = world.wake()
    state, rules = game.values.curricula["bin"], game.rules.exams
    skill, _ = game.forge.skills["bin"]
    plans = [plan_asked(state, skill, level, rules, items=12, asked=0) for level in (1, 4, 9)]
    with game.loop.examined():
        examiner = game.exams.examiner()
        together = examiner.ask(plans, 12)
        for plan, whole in zip(plans, together, strict=True):
            alone = [
                examiner.ask([replace(plan, first_index=index, items=1)], 12)[0].items[0].answer
                for index in plan.indices
            ]
            assert alone == [item.answer for item in whole.items]
    game.conn.close()


def test_an_exam_says_what_it_was_and_who_answered(make_world: MakeWorld) -> None:
    game = make_world().wake()
    first = ask(game).exam
    assert first.skill_version == game.forge.skills["bin"][0].config.version
    assert first.checkpoint_id is None and first.weights == "ema"
    assert sum(t["items"] for t in first.operations.values()) == 16
    assert all(0 <= t["correct"] <= t["items"] for t in first.primitives.values())
    assert first.context_hash == ask(game, items=4, level=2).exam.context_hash
    game.forge.system = "You are another."
    assert ask(game).exam.context_hash != first.context_hash
    game.conn.close()


@pytest.mark.parametrize("broken", ["generate", "score"])
def test_a_skill_that_fails_stops_no_training_and_wins_no_level(make_world: MakeWorld, broken: str) -> None:
    world = make_world()
    game = world.wake()
    real, mix = game.forge.skills["bin"]

    def fails(*args: Any, **more: Any) -> Any:
        if broken == "score" or (args[2:3] == ("exam",) and args[1] % 2):
            raise RuntimeError("broken")
        return getattr(real, broken)(*args, **more)

    game.forge.skills["bin"] = (Troubled(real, **{broken: fails}), mix)
    game.stop_at_step = 25
    game.run()
    game.recorder.close(game.recorder.state)
    assert game.values.step == 25
    assert game.values.curricula["bin"].mastered == 0
    (incident,) = incidents.open_incidents(game.conn)
    assert incident.rule == "exam_errors" and "broken" in str(incident.detail)
    game.conn.close()


def test_a_generator_that_fails_in_training_costs_its_problems_and_is_named(make_world: MakeWorld) -> None:
    world = make_world()
    game = world.wake()
    real, mix = game.forge.skills["bin"]

    def generate(level: int, index: int, split: Any, *rest: Any, operation: str | None = None) -> Problem:
        if split == "train" and operation == "xor":
            raise ZeroDivisionError("no such bit")
        return real.generate(level, index, split, *rest, operation=operation)

    game.forge.skills["bin"] = (Troubled(real, generate=generate), mix)
    game.stop_at_step = 8
    game.run()
    game.recorder.close(game.recorder.state)
    assert game.values.step == 8
    (incident,) = incidents.open_incidents(game.conn)
    assert (incident.rule, incident.blocks) == ("generator_failed", False)
    assert "no such bit" in str(incident.detail)
    game.conn.close()


def test_a_skill_that_makes_nothing_blocks_with_its_name_until_it_is_mended(make_world: MakeWorld) -> None:
    world = make_world()
    game = world.wake([(999, command(Verb.RESUME))])
    real, mix = game.forge.skills["bin"]

    def generate(*args: Any, **more: Any) -> Problem:
        raise RuntimeError("the words are gone")

    game.forge.skills["bin"] = (Troubled(real, generate=generate), mix)
    blocked: list[str] = []
    wait = game.channel.wait

    def mend(timeout: float) -> None:
        if game.blocked is not None:
            blocked.append(game.blocked.text())
            game.forge.skills["bin"] = (real, mix)
        wait(timeout)

    game.channel.wait = mend  # type: ignore[method-assign]
    game.stop_at_step = 4
    game.run()
    game.recorder.close(game.recorder.state)
    assert game.values.step == 4
    assert blocked and "the words are gone" in blocked[0] and "bin" in blocked[0]
    assert incidents.open_incidents(game.conn) == []
    game.conn.close()

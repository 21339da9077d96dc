"""Every drill of the catalogue: enough problems on every rung, an answer of its own, and a scorer that knows it."""

from __future__ import annotations

from random import Random

import pytest

from configs.catalogue import primitives
from skills.contract import Result, Split
from skills.primitives.catalogue import RUNGS, kinds
from skills.registry import get_skill
from skills.split import problem_hash, side

PRIM = get_skill("prim")
RUNG = range(1, RUNGS + 1)
SPLITS: tuple[Split, ...] = ("train", "exam")
ENOUGH, ENOUGH_WORDS = 10_000, 300
HOSTILE = (
    "",
    " ",
    "<think>",
    "<think>well",
    "x" * 3000,
    "[" * 500,
    "{" * 500,
    "é\x00\ud800",
    "```",
    "no",
    "0",
    "(" * 1500,
)


def _distinct(name: str, rung: int, draws: int) -> int:
    kind, random = kinds()[name], Random(f"{name}|{rung}|count")
    return len({problem_hash(kind.make(random, rung).canonical) for _ in range(draws)})


@pytest.mark.parametrize("name", list(kinds()))
def test_no_rung_runs_out_of_problems(name: str) -> None:
    """Of 400 problems drawn from 10,000, 392 differ on average and 380 do all but always (of 3,000, some 375)."""
    if primitives()[name].finite:
        assert min(_distinct(name, rung, 4000) for rung in (1, 4, RUNGS)) >= ENOUGH_WORDS
    else:
        assert min(_distinct(name, rung, 400) for rung in RUNG) >= 380


@pytest.mark.full
@pytest.mark.parametrize("name", list(kinds()))
def test_every_rung_holds_ten_thousand_problems_or_says_that_it_is_finite(name: str) -> None:
    wanted = ENOUGH_WORDS if primitives()[name].finite else ENOUGH
    for rung in range(1, (kinds()[name].top or RUNGS) + 1):
        random, make, seen = Random(f"{name}|{rung}|all"), kinds()[name].make, set[bytes]()
        for _ in range(20 * ENOUGH):
            seen.add(problem_hash(make(random, rung).canonical))
            if len(seen) >= wanted:
                break
        assert len(seen) >= wanted, f"rung {rung} holds about {len(seen)} problems"


@pytest.mark.parametrize("name", list(kinds()))
def test_a_problem_has_one_answer_and_its_scorer_knows_it(name: str) -> None:
    answers: dict[str, str] = {}
    sides: dict[str, str] = {}
    for rung in RUNG:
        for index in range(12):
            for split in ("train", "exam"):
                problem = PRIM.generate(rung, index, "train" if split == "train" else "exam", operation=name)
                assert answers.setdefault(problem.prompt, problem.answer) == problem.answer
                assert sides.setdefault(problem.prompt, split) == split
                assert problem.answer and problem.prompt and "  " not in problem.prompt.replace("\n", "")
                assert PRIM.score(problem, problem.answer).result is Result.CRIT
                assert PRIM.score(problem, f" {problem.answer}\n").correct
                assert PRIM.score(problem, f"<think>hm</think>{problem.answer}").correct
                assert not PRIM.score(problem, problem.answer + " and 1").correct


@pytest.mark.parametrize("name", list(kinds()))
def test_no_scorer_minds_what_a_model_may_write(name: str) -> None:
    for rung in (1, RUNGS):
        problem = PRIM.generate(rung, 3, "train", operation=name)
        for text in HOSTILE:
            if text != problem.answer:
                assert not PRIM.score(problem, text).correct


def test_the_whole_skill_keeps_its_sides_apart() -> None:
    train, exam = set(), set()
    for rung in RUNG:
        train |= {PRIM.generate(rung, i, "train").problem_digest for i in range(300)}
        exam |= {PRIM.generate(rung, i, "exam").problem_digest for i in range(300)}
    assert not train & exam


@pytest.mark.full
def test_a_million_problems_never_cross_the_split() -> None:
    train, exam = set(), set()
    for rung in RUNG:
        train |= {PRIM.generate(rung, i, "train").problem_digest for i in range(90_000)}
        exam |= {PRIM.generate(rung, i, "exam").problem_digest for i in range(10_000)}
    assert not train & exam
    assert {side(bytes.fromhex(digest)) for digest in train} == {"train"}
    assert {side(bytes.fromhex(digest)) for digest in exam} == {"exam"}


def test_what_the_hatchling_is_asked_fits_its_context_on_every_rung() -> None:
    for name in PRIM.operations(RUNGS, "hatchling"):
        for rung in RUNG:
            asked = (PRIM.generate(rung, i, "train", operation=name) for i in range(40))
            assert max(len(p.prompt.encode()) + len(p.answer.encode()) for p in asked) < 160


def test_a_sequence_lies_on_one_side_whoever_asks_for_its_next_term() -> None:
    sides: dict[str, str] = {}
    for name in ("seq_continue", "arithmetic", "geometric", "alternating", "fibonacci", "square"):
        for rung in RUNG:
            for i in range(150):
                for problem in (PRIM.generate(rung, i, s, operation=name) for s in SPLITS):
                    begins = " ".join(problem.prompt.split()[:4])
                    assert sides.setdefault(begins, problem.split) == problem.split

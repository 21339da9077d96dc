"""Spell words: every clue names its tiles, every answer follows from the prompt, and there is no end of them."""

from __future__ import annotations

import pytest

from configs.word_weaving import word_weaving
from skills.contract import Result
from skills.registry import get_skill

SY = get_skill("sy")
LEVELS = (1, 2, 3, 6, 10, 14, 18, 22, 25, 26, 30, 35, 40, 45, 50)
KINDS = ("join", "order", "count", "find", "bind")


def _solved(prompt: str, letters: int) -> str:
    """The answer, worked out from the prompt alone."""
    head, _, rest = prompt.partition(": ")
    if head == "Join":
        return rest.replace(" ", "")
    if head == "Count":
        return str(sum(rest.count(vowel) for vowel in word_weaving().spells.vowels))
    bank, _, clues = rest.lower().partition(", ")
    named = {tile[:letters]: tile for tile in bank.split()}
    assert len(named) == len(bank.split())
    words = [[named[clue[i : i + letters]] for i in range(0, len(clue), letters)] for clue in clues.split()]
    if head != "Find":
        assert sorted(tile for word in words for tile in word) == sorted(named.values())
    return " ".join("".join(word) for word in words)


@pytest.mark.parametrize("kind", KINDS)
def test_the_prompt_alone_gives_the_answer(kind: str) -> None:
    for level in LEVELS:
        letters = word_weaving().spells.row(level).letters
        for index in range(20):
            problem = SY.generate(level, index, "train", "hatchling", operation=kind)
            assert _solved(problem.prompt, letters) == problem.answer
            assert SY.score(problem, problem.answer).result is Result.CRIT
            assert not SY.score(problem, problem.answer + "x").correct


@pytest.mark.parametrize("kind", KINDS)
def test_no_level_runs_out_of_spell_words(kind: str) -> None:
    """Of 400 problems drawn from 10,000, 392 differ on average and 380 do all but always."""
    for level in (3, 26, 50):
        problems = {SY.generate(level, i, "train", operation=kind).problem_digest for i in range(400)}
        assert len(problems) >= 380


def test_levels_grow() -> None:
    def length(level: int) -> int:
        return sum(len(SY.generate(level, i, "train", "hatchling").prompt) for i in range(60))

    lengths = [length(level) for level in LEVELS if level not in (2, 25)]
    assert lengths == sorted(lengths)


def test_the_hatchling_has_room_for_both_skills() -> None:
    from engine.hero.tokenizer import build_hatchling_tokenizer

    both = [*get_skill("bin").special_tokens(), *SY.special_tokens()]
    tokenizer = build_hatchling_tokenizer(both)
    prompt = SY.generate(1, 0, "train", "hatchling", operation="join").prompt
    assert len(tokenizer.encode(prompt).ids) == 1 + len(prompt) - len("Join: ")

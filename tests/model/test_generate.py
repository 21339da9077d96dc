"""Answers do not depend on who else is asked, and the player's question disturbs no training."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from configs.errors import RealmError
from engine.batch import make_batch
from engine.chat.template import answer_text, encode_prompt
from engine.generate import greedy, sample
from engine.hero.loading import load_pretrained
from engine.hero.model import Hero
from engine.step import StepLoop
from tests.model.heroes import PLACEMENT, dio_config, examples, hatchling, problem, qwen_folder, unsettle


def prompts(hero: Hero) -> list[list[int]]:
    texts = [
        "a",
        "Compute: and(⓪①, ①①)",
        "a much longer question, with many more bytes than the others have",
        "",
        "café",
    ]
    return [encode_prompt(hero, [{"role": "user", "content": t}]) for t in texts * 3]


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_a_batch_answers_as_one_by_one(batch_size: int, tmp_path: Path) -> None:
    for hero in (hatchling(), load_pretrained(dio_config(qwen_folder(tmp_path)), PLACEMENT)):
        unsettle(hero)
        hero.model.eval()
        asked = prompts(hero)
        alone = [greedy(hero, [prompt], 12)[0] for prompt in asked]
        assert greedy(hero, asked, 12, batch_size=batch_size) == alone
        assert len({tuple(answer) for answer in alone}) > 1
        ids = torch.tensor([asked[1]])
        theirs = hero.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, use_cache=True)
        assert alone[1] == [t for t in theirs[0, len(asked[1]) :].tolist() if t not in hero.stop_ids]


def test_a_hero_that_learnt_its_problems_answers_them_and_stops() -> None:
    hero = hatchling(warmup_steps=5)
    loop = StepLoop(hero, PLACEMENT)
    items = examples(hero, 6, seed=3)
    rng = random.Random(3)
    asked = [problem(rng, rng.randint(2, 7)) for _ in range(6)]
    for _ in range(60):
        loop.train([make_batch(items)])
    seen: list[int] = []
    with loop.examined():
        answers = greedy(hero, [encode_prompt(hero, m[:1]) for m in asked], 20, seen.append)
    assert [answer_text(hero, a) for a in answers] == [m[1]["content"] for m in asked]
    assert seen[-1] == 6


def test_sampling_has_its_own_randomness() -> None:
    hero = hatchling()
    unsettle(hero)
    hero.model.eval()
    prompt = encode_prompt(hero, [{"role": "user", "content": "hello"}])
    state = torch.get_rng_state()
    heard: list[int] = []
    one = sample(hero, prompt, seed=1, temperature=1.0, max_new_tokens=20, on_token=heard.append)
    assert heard == one
    assert sample(hero, prompt, seed=1, temperature=1.0, max_new_tokens=20) == one
    assert any(sample(hero, prompt, seed=s, temperature=1.0, max_new_tokens=20) != one for s in (2, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert sample(hero, prompt, temperature=0, max_new_tokens=20) == greedy(hero, [prompt], 20)[0]
    assert sample(hero, prompt, top_p=1e-6, max_new_tokens=20) == greedy(hero, [prompt], 20)[0]


@pytest.mark.parametrize("by_hand", [True, False])
def test_each_answer_has_its_own_limit_and_the_contexts_end_cuts_only_its_own(by_hand: bool) -> None:
    hero = hatchling()
    unsettle(hero)
    hero.model.eval()
    hero.stop_ids = ()
    assert hero.lean is not None
    if not by_hand:
        hero.lean = None
    full = hero.context_length
    asked = [[65] * (full - 3), [66] * (full - 8), [67] * (full - 8), [68] * 20]
    limits = [50, 50, 2, 5]
    together = greedy(hero, asked, limits)
    assert [len(answer) for answer in together] == [3, 8, 2, 5]
    assert together == [greedy(hero, [prompt], limit)[0] for prompt, limit in zip(asked, limits, strict=True)]


def test_an_answer_ends_with_the_context_and_a_prompt_that_fills_it_is_refused() -> None:
    hero = hatchling()
    hero.model.eval()
    room = 3
    prompt = [65] * (hero.context_length - room)
    hero.stop_ids = ()
    assert len(greedy(hero, [prompt], 50)[0]) == room
    assert len(sample(hero, prompt, max_new_tokens=50)) == room
    full = [65] * hero.context_length
    with pytest.raises(RealmError, match="does not fit PIP's context of 512"):
        greedy(hero, [full], 5)
    with pytest.raises(RealmError, match="does not fit PIP's context of 512"):
        sample(hero, full, max_new_tokens=5)

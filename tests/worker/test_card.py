"""On a card a form answers as the model itself does there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.chat.template import encode_prompt
from engine.generate import greedy
from tests.worker.inns import pip_in, serving

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA card")]


async def test_a_card_answers_and_its_memory_comes_back(tmp_path: Path) -> None:
    digest = pip_in(tmp_path / "store", tmp_path / "pip")
    async with serving(tmp_path / "store", device="cuda") as worker:
        before = torch.cuda.memory_allocated()
        await worker.chat(digest, max_tokens=1)
        loaded = worker.serving.shelf.held[digest]
        hero = loaded.hero
        assert hero.device.type == "cuda"
        prompts = [encode_prompt(hero, [{"role": "user", "content": "x" * n}]) for n in (1, 20, 40)]
        expected = greedy(hero, prompts, 12)
        reply = await worker.complete(digest, prompts, temperature=0, max_tokens=12, return_token_ids=True)
        assert [choice["token_ids"] for choice in reply["choices"]] == expected
        drawn = await worker.complete(digest, prompts[0], temperature=1, top_p=0.9, seed=4, max_tokens=12)
        again = await worker.complete(digest, prompts[0], temperature=1, top_p=0.9, seed=4, max_tokens=12)
        assert drawn["choices"] == again["choices"]
        del hero, loaded
        await worker.post("/v1/unload", {"model": f"realm@{digest}"})
        torch.cuda.empty_cache()
        assert torch.cuda.memory_allocated() - before < 5_000_000

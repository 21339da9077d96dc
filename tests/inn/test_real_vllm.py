"""The contract on a real vLLM, where one is named: ``REALM_VLLM=/path/to/python pytest -m full tests/inn/test_real_vllm.py``.

The Python is that of an environment with vLLM in it, for a card or for a CPU; ``REALM_VLLM_ARGUMENTS`` are further arguments of its command line.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from configs.errors import RealmError
from configs.facilities import Facilities
from configs.paths import SaveFolder
from realm_tui.runtime.inn.forms import Speaker
from realm_tui.runtime.inn.reach import InnReach
from realm_tui.runtime.inn.servers.contract import (
    Answer,
    Ask,
    FormMissingError,
    Message,
    Sampling,
    Server,
    ServerBrokenError,
)
from saves.checkpoint_folder import LEDGER_FILE, model_digest, sha256
from tests.inn.conftest import end_all

PYTHON = os.environ.get("REALM_VLLM", "")
pytestmark = [pytest.mark.full, pytest.mark.skipif(not PYTHON, reason="REALM_VLLM names no Python with vLLM")]
PROMPT = "the quick brown fox jumps over " * 12
"""Long enough to lie in the prefix cache."""


@pytest.fixture
def inn(room: Path) -> Iterator[Facilities]:
    server = {
        "kind": "vllm",
        "python": PYTHON,
        "context_length": 256,
        "adapter_rank": 8,
        "arguments": shlex.split(os.environ.get("REALM_VLLM_ARGUMENTS", "--enforce-eager --dtype float32")),
        "environment": {
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "OMP_NUM_THREADS": "1",
            "VLLM_LOGGING_LEVEL": "WARNING",
        },
    }
    body = {"type": "hub", "base_path": str(room / "inn"), "server": server}
    yield Facilities.model_validate({"facilities": {"inn": body}})
    end_all(room / "inn" / "inn")


def checkpoint(folder: Path, source: Path, seed: int) -> Speaker:
    """A checkpoint of the tiny model with other weights."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(source, folder)
    weights = load_file(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(seed)
    changed = {n: w + 0.3 * torch.randn(w.shape, generator=generator) for n, w in weights.items()}
    save_file(changed, folder / "model.safetensors", {"format": "pt"})
    return _listed(folder)


def adapter(folder: Path, base: Path, seed: int) -> Speaker:
    """A LoRA over the base."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        LoraConfig(r=8, target_modules=["q_proj", "v_proj"]),
    )
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=generator)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(base / name, folder / name)
    found = _listed(folder)
    return Speaker(found.name, found.step, found.digest, folder, base)


def _listed(folder: Path) -> Speaker:
    files = {p.name: sha256(p) for p in sorted(folder.iterdir()) if p.is_file()}
    digest = model_digest(files)
    (folder / LEDGER_FILE).write_text(json.dumps({"version": 1, "step": 1, "files": files, "digest": digest}))
    return Speaker(folder.name, 1, digest, folder)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    from tests.model.heroes import qwen_folder

    return qwen_folder(tmp_path / "tiny", head_dim=64)


@asynccontextmanager
async def reaching(save: SaveFolder, inn: Facilities) -> AsyncIterator[InnReach]:
    reach = InnReach(save, facilities=inn)
    try:
        yield reach
    finally:
        await reach.aclose()


async def said(server: Server, ask: Ask) -> Answer:
    last = [part async for part in server.ask(ask)][-1]
    assert isinstance(last, Answer)
    return last


def asked(who: Speaker, **more: Any) -> Ask:
    sampling = Sampling(**{"temperature": 0, "max_tokens": 12, "logprobs": True, **more})
    return Ask(who.digest, prompt=PROMPT, sampling=sampling)


async def test_whole_weights_are_swapped_cleanly_and_a_failed_swap_ends_the_server(
    save: SaveFolder, inn: Facilities, tiny: Path, tmp_path: Path
) -> None:
    first, second = (checkpoint(tmp_path / f"form-{seed}", tiny, seed) for seed in (1, 2))
    async with reaching(save, inn) as reach:
        ready = await reach.ready("inn", first, tell=print)
        before = await said(ready.server, asked(first))
        assert before.digest == first.digest
        ready = await reach.ready("inn", second, displace=True, tell=print)
        after = await said(ready.server, asked(second))
        assert (after.digest, after.tokens) == (second.digest, 12)
        assert after.logprobs is not None and len(after.logprobs) == 12
        with pytest.raises(FormMissingError):
            await said(ready.server, asked(first))
        drawn = [(await said(ready.server, asked(second, temperature=1.0, seed=seed))).text for seed in (1, 1, 2)]
        assert drawn[0] == drawn[1] != drawn[2]
        many = await ready.server.ask_all([asked(second)] * 4)
        assert {each.text for each in many} == {after.text}
        chat = Ask(second.digest, messages=(Message("user", "hello"),), sampling=Sampling(temperature=0, max_tokens=4))
        assert (await said(ready.server, chat)).digest == second.digest
        ready = await reach.ready("inn", first, displace=True, tell=print)
        again = await said(ready.server, asked(first))
        # No state of the other form is left in the cache: the very same words and probabilities as before.
        assert again.text == before.text
        assert again.logprobs == pytest.approx(before.logprobs, abs=1e-4)
        with pytest.raises(ServerBrokenError):
            await ready.server.take(str(tmp_path / "nowhere"), hashlib.sha256(b"x").hexdigest(), None)
        assert (await ready.server.health()).state == "broken"
        await reach.fleet.stop("inn-vllm")


async def test_adapters_answer_side_by_side_over_one_base(
    save: SaveFolder, inn: Facilities, tiny: Path, tmp_path: Path
) -> None:
    first, second = (adapter(tmp_path / f"adapter-{seed}", tiny, seed) for seed in (1, 2))
    async with reaching(save, inn) as reach:
        texts = {}
        for who in (first, second):
            ready = await reach.ready("inn", who, displace=True, tell=print)
            texts[who.digest] = (await said(ready.server, asked(who))).logprobs
        assert texts[first.digest] != texts[second.digest]
        both = await ready.server.ask_all([asked(first), asked(second)])
        assert [each.digest for each in both] == [first.digest, second.digest]
        assert both[0].logprobs == pytest.approx(texts[first.digest], abs=1e-4)
        with pytest.raises(RealmError):
            await ready.server.take(str(tmp_path / "nowhere"), hashlib.sha256(b"x").hexdigest(), both[0].digest)
        await reach.fleet.stop("inn-vllm")

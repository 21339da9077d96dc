"""What the own worker brings: batched answers beside one by one, what strictness costs, and how long a form takes to be there.

    python -m benchmarks.worker [--models pip 95m 0.6b] [--prompts 8] [--tokens 32] [--rounds 5] [--json FILE]

A worker process of its own (one thread, nice 10) serves forms of random weights from a store; prompts differ in length by half. *One by
one* asks each prompt when the one before is answered; *at once* sends every prompt as a request of its own; *in one request* sends them
together. All are greedy, and the answers of the three ways are compared. *Strict overhead* is what one answer of one token takes in all
less what its decoding took, on the worker's own clock: HTTP, reading the request, checking the name, the reply. *First load* reads every
byte for its digest and loads; *again* compares sizes and times and loads.

95m has the shape of a small Qwen3 of 95 million weights, 0.6b that of Qwen3-0.6B in bfloat16 (2 GB of disk and memory). About 3 minutes.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import torch
from transformers.models.qwen3 import Qwen3Config, Qwen3ForCausalLM

from benchmarks.figures import spread, table
from benchmarks.machine import child_environment
from benchmarks.options import parser
from configs.loader import load_hero
from engine.hero.model import Hero, finish, make_hatchling, save_folder
from engine.placement import Placement
from saves.checkpoint_folder import model_digest, sha256
from skills.registry import get_skill

SEED = 1
SHAPES = {"95m": (512, 12, 8, 8, 64, 1536, 65_536), "0.6b": (1024, 28, 16, 8, 128, 3072, 151_936)}
"""Width, layers, heads, key heads, head, inner width, vocabulary."""


def placement(weights: str) -> Placement:
    """One thread of a CPU."""
    return Placement(
        "cpu", weights, weights, "highest", "model", False, "sdpa", None, threads=1, torch_version=torch.__version__
    )


def make(name: str) -> Hero:
    """A hero of random weights, with PIP's tokenizer."""
    pip = load_hero("pip")
    special = [token for skill in pip.skills for token in get_skill(skill).special_tokens()]
    hero = make_hatchling(pip, placement("float32"), seed=SEED, special=special)
    if name == "pip":
        return hero
    width, layers, heads, pairs, head, inner, words = SHAPES[name]
    weights = "bfloat16" if name == "0.6b" else "float32"
    torch.manual_seed(SEED)
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, weights))
    try:
        model = Qwen3ForCausalLM(
            Qwen3Config(
                vocab_size=words,
                hidden_size=width,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                num_key_value_heads=pairs,
                head_dim=head,
                intermediate_size=inner,
                max_position_embeddings=4096,
                tie_word_embeddings=True,
            )
        )
    finally:
        torch.set_default_dtype(before)
    return finish(pip, model, hero.tokenizer, placement(weights))


def lay(store: Path, name: str) -> tuple[str, int]:
    """Put a form into the store; its digest and bytes."""
    hero, folder = make(name), store / "part"
    save_folder(hero, hero.weights(), folder)
    hashes = {p.name: sha256(p) for p in sorted(folder.iterdir())}
    digest = model_digest(hashes)
    size = sum(p.stat().st_size for p in folder.iterdir())
    manifest = {
        "version": 1,
        "digest": digest,
        "files": {n: {"sha256": d, "bytes": (folder / n).stat().st_size} for n, d in hashes.items()},
        "base": None,
        "name": name,
        "step": 1,
        "hero": hero.config.model_dump(mode="json"),
    }
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))
    (store / "ckpt").mkdir(exist_ok=True)
    folder.rename(store / "ckpt" / digest)
    return digest, size


class Asker:
    """Speaks to the worker as its adapter does."""

    def __init__(self, client: httpx2.AsyncClient, digest: str, tokens: int) -> None:
        self.client, self.name, self.tokens = client, f"realm@{digest}", tokens

    async def ask(self, prompts: list[list[int]] | list[int], tokens: int) -> dict[str, Any]:
        """The reply to one request of greedy completions."""
        asked = {
            "model": self.name,
            "prompt": prompts,
            "max_tokens": tokens,
            "temperature": 0,
            "return_token_ids": True,
        }
        reply = await self.client.post("/v1/completions", json=asked)
        reply.raise_for_status()
        found: dict[str, Any] = reply.json()
        assert found["model"] == self.name
        return found

    async def load(self) -> float:
        """Seconds until it is in memory, none of it there before."""
        await self.client.post("/v1/unload", json={"model": self.name})
        began = time.perf_counter()
        (await self.client.post("/v1/load", json={"model": self.name})).raise_for_status()
        return time.perf_counter() - began

    async def one_by_one(self, prompts: list[list[int]]) -> list[list[int]]:
        """Each after the other."""
        return [(await self.ask(p, self.tokens))["choices"][0]["token_ids"] for p in prompts]

    async def at_once(self, prompts: list[list[int]]) -> list[list[int]]:
        """Each a request of its own, all at the same time."""
        replies = await asyncio.gather(*(self.ask(p, self.tokens) for p in prompts))
        return [reply["choices"][0]["token_ids"] for reply in replies]

    async def together(self, prompts: list[list[int]]) -> list[list[int]]:
        """All in one request."""
        return [choice["token_ids"] for choice in (await self.ask(prompts, self.tokens))["choices"]]


async def timed(way: Callable[[list[list[int]]], Awaitable[list[list[int]]]], prompts: list[list[int]]) -> Any:
    """Seconds of one way, and its answers."""
    began = time.perf_counter()
    answers = await way(prompts)
    return time.perf_counter() - began, answers


async def measure(asker: Asker, name: str, size: int, prompts: int, rounds: int) -> dict[str, Any]:
    """A row of the table."""
    first_load, again = await asker.load(), await asker.load()
    draw = random.Random(SEED)
    asked = [[draw.randrange(5, 200) for _ in range(24 + 3 * n % 24)] for n in range(prompts)]
    ways = {"one by one": asker.one_by_one, "at once": asker.at_once, "in one request": asker.together}
    speeds: dict[str, list[float]] = {way: [] for way in ways}
    for way in ways.values():
        await way(asked[:2])
    same = total = 0
    for _ in range(rounds):
        found = {}
        for title, ask in ways.items():
            seconds, found[title] = await timed(ask, asked)
            speeds[title].append(sum(map(len, found[title])) / seconds)
        same += sum(a == b == c for a, b, c in zip(*found.values(), strict=True))
        total += prompts
    over = []
    for _ in range(max(20, 10 * rounds)):
        began = time.perf_counter()
        reply = await asker.ask(asked[0], 1)
        over.append(1000 * (time.perf_counter() - began - reply["realm"]["seconds"]))
    middle = {title: statistics.median(seen) for title, seen in speeds.items()}
    return {
        "model": name,
        "on disk MB": round(size / 1e6, 1),
        "first load s": round(first_load, 3),
        "again s": round(again, 3),
        **{f"{title}, tokens/s": round(value, 1) for title, value in middle.items()},
        "at once, times": round(middle["at once"] / middle["one by one"], 2),
        "in one request, times": round(middle["in one request"] / middle["one by one"], 2),
        "same answers": f"{same}/{total}",
        "overhead ms, least": spread(over)["min"],
        "median": spread(over)["median"],
        "p95": spread(over)["p95"],
    }


async def serve(store: Path, forms: dict[str, tuple[str, int]], options: Any) -> tuple[list[dict[str, Any]], float]:
    """The rows, and how long the worker took to be ready."""
    with tempfile.TemporaryDirectory(prefix="rw-") as folder:
        socket = Path(folder) / "w.sock"
        command = [sys.executable, "-P", "-m", "engine", "worker", "--socket", str(socket), "--store", str(store)]
        began = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--memory-gb", "6"], env=child_environment(), cwd=folder, stderr=subprocess.DEVNULL
        )
        try:
            transport = httpx2.AsyncHTTPTransport(uds=str(socket), retries=10)
            async with httpx2.AsyncClient(transport=transport, base_url="http://worker", timeout=600) as client:
                while not socket.exists():
                    await asyncio.sleep(0.02)
                while (await client.get("/health")).json()["status"] != "ok":
                    await asyncio.sleep(0.05)
                ready = time.perf_counter() - began
                rows = []
                for name, (digest, size) in forms.items():
                    asker = Asker(client, digest, options.tokens)
                    rows.append(await measure(asker, name, size, options.prompts, options.rounds))
                    await client.post("/v1/unload", json={"model": asker.name})
                return rows, ready
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def main(arguments: list[str]) -> int:
    """Print the table; write it as JSON where asked."""
    command = parser("worker", __doc__)
    command.add_argument("--models", nargs="+", choices=("pip", *SHAPES), default=["pip", "95m", "0.6b"])
    command.add_argument("--prompts", type=int, default=8)
    command.add_argument("--tokens", type=int, default=32)
    command.add_argument("--rounds", type=int, default=5)
    options = command.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    store = Path(tempfile.mkdtemp(prefix="realm-bench-"))
    try:
        forms = {name: lay(store, name) for name in options.models}
        rows, ready = asyncio.run(serve(store, forms, options))
    finally:
        shutil.rmtree(store)
    table(f"{options.prompts} prompts of {options.tokens} tokens each, on one thread; ready after {ready:.1f} s", rows)
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "ready_s": round(ready, 2)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Stores with small forms in them, and a worker that serves them over a real socket inside the test."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from configs.inn import WorkerRules
from configs.schema import HeroConfig
from engine.hero.model import save_folder
from engine.worker.app import Serving, make_app
from engine.worker.main import Orders, listen, serving_of
from saves.checkpoint_folder import model_digest, sha256
from tests.model.heroes import hatchling, unsettle

BEGAN = 1_790_000_000.0


def put(
    store: Path, folder: Path, hero: HeroConfig, *, name: str = "", step: int | None = None, base: str | None = None
) -> str:
    """Lay a model's folder into a store, as a push does; its digest."""
    files = {p.name: {"sha256": sha256(p), "bytes": p.stat().st_size} for p in sorted(folder.iterdir())}
    digest = model_digest({n: str(f["sha256"]) for n, f in files.items()})
    target = store / "ckpt" / digest
    (store / "blobs").mkdir(parents=True, exist_ok=True)
    target.mkdir(parents=True)
    for file, facts in files.items():
        blob = store / "blobs" / str(facts["sha256"])
        if not blob.exists():
            shutil.copyfile(folder / file, blob)
        os.link(blob, target / file)
    manifest = {
        "version": 1,
        "digest": digest,
        "files": files,
        "base": base,
        "name": name or digest[:12],
        "step": step,
        "hero": hero.model_dump(mode="json"),
        "began_at": BEGAN,
    }
    (target / "MANIFEST.json").write_text(json.dumps(manifest))
    return digest


def pip_in(store: Path, folder: Path, *, seed: int = 1, step: int = 100, **training: Any) -> str:
    """A hatchling whose weights count, in a store; its digest."""
    hero = hatchling(**training)
    unsettle(hero, seed)
    save_folder(hero, hero.weights(), folder)
    return put(store, folder, hero.config, name=f"checkpoint-{step}-20261121-0900", step=step)


@dataclass
class Running:
    """A worker that answers in this process."""

    serving: Serving
    client: httpx2.AsyncClient
    socket: Path

    async def post(self, path: str, body: Mapping[str, Any]) -> httpx2.Response:
        return await self.client.post(path, json=dict(body))

    async def chat(self, digest: str, question: str = "hello", **more: Any) -> dict[str, Any]:
        """The reply to one question."""
        body = {"model": f"realm@{digest}", "messages": [{"role": "user", "content": question}], **more}
        reply = await self.post("/v1/chat/completions", body)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def complete(self, digest: str, prompt: Any, **more: Any) -> dict[str, Any]:
        """The reply to prompts."""
        reply = await self.post("/v1/completions", {"model": f"realm@{digest}", "prompt": prompt, **more})
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def events(self, path: str, body: Mapping[str, Any]) -> list[Any]:
        """Every event of a stream."""
        found: list[Any] = []
        async with self.client.stream("POST", path, json={**body, "stream": True}) as reply:
            assert reply.status_code == 200
            async for line in reply.aiter_lines():
                if line.startswith("data: "):
                    text = line.removeprefix("data: ")
                    found.append(text if text == "[DONE]" else json.loads(text))
        return found


@asynccontextmanager
async def serving(
    store: Path | None = None, *, save: Any = None, memory_gb: float = 2.0, device: str = "cpu", **rules: Any
) -> AsyncIterator[Running]:
    """A worker on a socket of its own."""
    folder = Path(tempfile.mkdtemp(prefix="rw-"))
    orders = Orders(socket=folder / "w.sock", save=save, store=store, memory_gb=memory_gb, device=device)
    made = serving_of(orders, WorkerRules.model_validate(rules))
    listening, lock = listen(orders.socket)
    config = uvicorn.Config(make_app(made), http="h11", ws="none", lifespan="on", log_level="error", access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve(sockets=[listening]))
    transport = httpx2.AsyncHTTPTransport(uds=str(orders.socket))
    try:
        async with httpx2.AsyncClient(transport=transport, base_url="http://worker", timeout=60) as client:
            yield Running(made, client, orders.socket)
    finally:
        server.should_exit = True
        await task
        lock.release()
        shutil.rmtree(folder)

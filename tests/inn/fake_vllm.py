"""A server with vLLM's routes and traps, without a model: its words are a function of the weights it believes it has.

The traps: a reload without a pause leaves old states in the prefix cache; a failed reload leaves a server that says it is healthy and
dies at the next question; the served name never changes; labels are only what a client said; the key guards /v1 alone; sampling defaults
come from the model's folder unless told otherwise; reading weights may be refused while paused; an adapter's name can be taken
only once, and an adapter knows nothing of a base that was swapped under it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.inn.forms_there import weights_in
from tests.inn.pretended import problem, reply, words


class FakeVllm:
    """One server.

    Args:
        model: the folder it is started with.
        name: its served name.
        version: 0.32 knows no spans, 0.33 does.
        dev: the routes of VLLM_SERVER_DEV_MODE.
        lora: runtime loading of adapters.
        key: its --api-key.
        own_sampling: `--generation-config auto`: the folder's rules are the defaults, and cut answers after three tokens.
        checks_awake: weights can be read only while it is not paused.
        can_sleep: --enable-sleep-mode.
    """

    def __init__(
        self,
        model: str,
        name: str,
        *,
        version: str = "0.33",
        dev: bool = True,
        lora: bool = False,
        key: str = "",
        own_sampling: bool = False,
        checks_awake: bool = False,
        can_sleep: bool = True,
    ) -> None:
        self.root, self.name, self.version, self.key = model, name, version, key
        self.own_sampling, self.checks_awake = own_sampling, checks_awake
        self.weights: str | None = weights_in(model)
        self.label = "default"
        self.loras: dict[str, str] = {}
        self.prefixes: dict[str, str] = {}
        self.running = asyncio.Event()
        self.running.set()
        self.asleep = self.dead = False
        self.asked: list[dict[str, Any]] = []
        self.calls: list[str] = []
        routes = [
            Route("/health", self.health),
            Route("/v1/models", self.models),
            Route("/v1/chat/completions", self.generate, methods=["POST"]),
            Route("/v1/completions", self.generate, methods=["POST"]),
        ]
        if dev:
            routes += [
                Route("/pause", self.pause, methods=["POST"]),
                Route("/resume", self.resume, methods=["POST"]),
                Route("/is_paused", self.is_paused),
                Route("/collective_rpc", self.collective_rpc, methods=["POST"]),
                Route("/update_weight_version", self.update_weight_version, methods=["POST"]),
                Route("/weight_info", self.weight_info),
                Route("/weight_checker", self.weight_checker, methods=["POST"]),
            ]
        if dev and can_sleep:
            routes += [
                Route("/sleep", self.sleep, methods=["POST"]),
                Route("/wake_up", self.wake_up, methods=["POST"]),
                Route("/is_sleeping", self.is_sleeping),
            ]
        if lora:
            routes += [
                Route("/v1/load_lora_adapter", self.load_lora, methods=["POST"]),
                Route("/v1/unload_lora_adapter", self.unload_lora, methods=["POST"]),
            ]
        self.app = Starlette(routes=routes)
        self.app.add_middleware(_Door, server=self)

    # ------------------------------------------------------------ asking

    async def health(self, request: Request) -> Response:
        return Response(status_code=503 if self.dead else 200)

    async def models(self, request: Request) -> Response:
        base = {"id": self.name, "object": "model", "root": self.root, "parent": None, "max_model_len": 256}
        adapters = [{"id": n, "object": "model", "root": p, "parent": self.name} for n, p in self.loras.items()]
        return JSONResponse({"object": "list", "data": [base, *adapters]})

    async def generate(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        name = body["model"]
        if name != self.name and name not in self.loras:
            return problem(404, f"The model `{name}` does not exist.")
        await self.running.wait()
        if self.asleep:
            return problem(500, "the engine sleeps")
        if self.weights is None:
            self.dead = True
            return problem(500, "EngineCore encountered an issue: tensors on meta device")
        weights = self.weights + (weights_in(self.loras[name]) if name in self.loras else "")
        prefix = str(body.get("messages") or body.get("prompt"))
        weights_then = self.prefixes.setdefault(f"{name} {prefix}", weights)
        if weights_then != weights:
            weights = f"{weights_then} mixed with {weights}"
        if self.own_sampling:
            body = {"temperature": 0.9, **body}
        most = min(body.get("max_tokens", 16), 3 if self.own_sampling else 10**6)
        spans = None
        if body.get("return_weight_versions") and self.version != "0.32":
            spans = {"weight_versions": [{"version": self.label, "start": 0, "end": most}]}
        return reply(body, words(weights, body), name=name, most=most, ending=spans)

    # ------------------------------------------------------------ weights

    async def pause(self, request: Request) -> Response:
        self.calls.append("pause")
        self.running.clear()
        self.prefixes.clear()
        return JSONResponse({"status": "paused"})

    async def resume(self, request: Request) -> Response:
        self.calls.append("resume")
        self.running.set()
        return JSONResponse({"status": "resumed"})

    async def is_paused(self, request: Request) -> Response:
        return JSONResponse({"is_paused": not self.running.is_set()})

    async def collective_rpc(self, request: Request) -> Response:
        body = await request.json()
        self.calls.append(body["method"])
        try:
            self.weights = weights_in(body["kwargs"]["weights_path"])
        except OSError as error:
            self.weights = None
            return problem(500, f"reload failed: {type(error).__name__}")
        return JSONResponse({"results": [None]})

    async def update_weight_version(self, request: Request) -> Response:
        self.label = (await request.json())["new_version"]
        return JSONResponse({"success": True, "new_version": self.label})

    async def weight_info(self, request: Request) -> Response:
        return JSONResponse({"weight_version": self.label})

    async def weight_checker(self, request: Request) -> Response:
        if self.checks_awake and not self.running.is_set():
            return JSONResponse({"detail": "weight_checker requires an awake, unpaused engine"}, 409)
        sha = hashlib.sha256(str(self.weights).encode()).hexdigest()
        return JSONResponse({"checksums": {"rank0:model.embed_tokens.weight": sha}})

    # ------------------------------------------------------------ adapters, sleep

    async def load_lora(self, request: Request) -> Response:
        body = await request.json()
        name, path = body["lora_name"], body["lora_path"]
        if name in self.loras and not body.get("load_inplace"):
            return problem(400, f"The lora adapter '{name}' has already been loaded.")
        try:
            weights_in(path)
        except OSError:
            return problem(404, f"No adapter found for {path}")
        self.loras[name] = path
        return Response(f"Success: LoRA adapter '{name}' added successfully.")

    async def unload_lora(self, request: Request) -> Response:
        name = (await request.json())["lora_name"]
        if self.loras.pop(name, None) is None:
            return problem(404, f"The lora adapter '{name}' cannot be found.")
        return Response(f"Success: LoRA adapter '{name}' removed successfully.")

    async def sleep(self, request: Request) -> Response:
        self.asleep = True
        return Response(status_code=200)

    async def wake_up(self, request: Request) -> Response:
        self.asleep = False
        return Response(status_code=200)

    async def is_sleeping(self, request: Request) -> Response:
        return JSONResponse({"is_sleeping": self.asleep})


class _Door:
    """The key guards /v1 alone; a dead engine answers nothing but errors."""

    def __init__(self, app: Any, server: FakeVllm) -> None:
        self.app, self.server = app, server

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            path, headers = scope["path"], dict(scope["headers"])
            said = headers.get(b"authorization", b"").decode()
            if self.server.key and path.startswith("/v1") and said != f"Bearer {self.server.key}":
                await problem(401, "Unauthorized")(scope, receive, send)
                return
            if self.server.dead and path != "/health":
                await problem(500, "EngineCore died")(scope, receive, send)
                return
        await self.app(scope, receive, send)


def main() -> None:
    """Serve as ``python -m vllm.entrypoints.openai.api_server`` would."""
    import uvicorn

    asked = argparse.ArgumentParser()
    asked.add_argument("--model", required=True)
    asked.add_argument("--uds", required=True)
    asked.add_argument("--served-model-name", required=True)
    asked.add_argument("--generation-config", default="auto")
    asked.add_argument("--enable-lora", action="store_true")
    asked.add_argument("--enable-sleep-mode", action="store_true")
    found, _ = asked.parse_known_args()
    server = FakeVllm(
        found.model,
        found.served_model_name,
        dev=os.environ.get("VLLM_SERVER_DEV_MODE") == "1",
        lora=found.enable_lora and os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING") == "1",
        own_sampling=found.generation_config != "vllm",
        can_sleep=found.enable_sleep_mode,
    )
    uvicorn.run(server.app, uds=found.uds, log_level="info")


if __name__ == "__main__":
    main()

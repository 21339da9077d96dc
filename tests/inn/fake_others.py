"""Servers that pretend to be SGLang, a plain endpoint, or the realm's own worker when it misbehaves."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.inn.forms_there import There, weights_in
from tests.inn.pretended import problem, reply, words


class FakeSglang:
    """Answers to any name and signs with it; keeps the old weights when a swap fails; forgets them asleep."""

    def __init__(self, model: str, version: str = "default") -> None:
        self.path, self.version, self.weights = model, version, weights_in(model)
        self.app = Starlette(
            routes=[
                Route("/health", self.health),
                Route("/model_info", self.model_info),
                Route("/v1/chat/completions", self.generate, methods=["POST"]),
                Route("/v1/completions", self.generate, methods=["POST"]),
                Route("/update_weights_from_disk", self.update, methods=["POST"]),
                Route("/release_memory_occupation", self.release, methods=["POST"]),
                Route("/resume_memory_occupation", self.regain, methods=["POST"]),
            ]
        )

    async def health(self, request: Request) -> Response:
        return Response(status_code=200)

    async def model_info(self, request: Request) -> Response:
        return JSONResponse({"model_path": self.path, "weight_version": self.version, "is_generation": True})

    async def generate(self, request: Request) -> Response:
        body = await request.json()
        signed = None if body.get("stream") else {"metadata": {"weight_version": self.version}}
        return reply(
            body, words(self.weights, body), name=body["model"], most=body.get("max_tokens", 16), signed=signed
        )

    async def update(self, request: Request) -> Response:
        body = await request.json()
        try:
            self.weights = weights_in(body["model_path"])
        except OSError as error:
            return JSONResponse({"success": False, "message": f"{type(error).__name__}, rolled back"}, 400)
        self.path, self.version = body["model_path"], body["weight_version"]
        return JSONResponse({"success": True, "message": "Succeeded to update model weights."})

    async def release(self, request: Request) -> Response:
        self.weights = "garbage"
        return JSONResponse({})

    async def regain(self, request: Request) -> Response:
        return JSONResponse({})


class FakePlain:
    """An endpoint with a model of its own; no page for health, nothing but conversations and completions."""

    def __init__(self, name: str = "somebody-else-7b") -> None:
        self.name = name
        self.app = Starlette(
            routes=[
                Route("/v1/models", self.models),
                Route("/v1/chat/completions", self.generate, methods=["POST"]),
                Route("/v1/completions", self.generate, methods=["POST"]),
            ]
        )

    async def models(self, request: Request) -> Response:
        return JSONResponse({"data": [{"id": self.name}]})

    async def generate(self, request: Request) -> Response:
        body = await request.json()
        if body["model"] != self.name:
            return problem(404, "no such model")
        return reply(body, words(self.name, body), name=self.name, most=body.get("max_tokens", 16))


class FakeOwn:
    """The realm's own worker as its client sees it, with ways to misbehave.

    Args:
        forms: what lies in its store.
        unsigned: leave the digest out.
        cuts: break the stream off before its end mark.
        stalls: never go on after the first piece.
        damaged: digests whose files differ.
    """

    def __init__(
        self,
        forms: list[There],
        *,
        unsigned: bool = False,
        stalls: bool = False,
        cuts: bool = False,
        damaged: frozenset[str] = frozenset(),
    ) -> None:
        self.forms = {f"realm@{form.digest}": form for form in forms}
        self.loaded: set[str] = set()
        self.lies = ""
        """Sign answers with this digest instead."""
        self.unsigned, self.stalls, self.cuts, self.damaged = unsigned, stalls, cuts, damaged
        self.app = Starlette(
            routes=[
                Route("/health", self.health),
                Route("/v1/models", self.models),
                Route("/v1/load", self.load, methods=["POST"]),
                Route("/v1/unload", self.unload, methods=["POST"]),
                Route("/v1/chat/completions", self.generate, methods=["POST"]),
                Route("/v1/completions", self.generate, methods=["POST"]),
            ]
        )

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(self, request: Request) -> Response:
        data = [{"id": n, "loaded": n in self.loaded, "bytes": 8, "realm": self.about(n)} for n in self.forms]
        return JSONResponse({"data": data})

    def about(self, name: str) -> dict[str, Any]:
        return {"digest": self.lies or self.forms[name].digest, "name": "x", "step": 1}

    def refused(self, name: str) -> Response | None:
        if name not in self.forms:
            return problem(404, f"no form {name}")
        if self.forms[name].digest in self.damaged:
            return problem(409, "model.safetensors differs from its digest")
        return None

    async def load(self, request: Request) -> Response:
        name = (await request.json())["model"]
        if (refused := self.refused(name)) is not None:
            return refused
        self.loaded.add(name)
        return JSONResponse({"model": name, "realm": self.about(name), "bytes": 8})

    async def unload(self, request: Request) -> Response:
        self.loaded.discard((await request.json())["model"])
        return JSONResponse({})

    async def generate(self, request: Request) -> Response:
        body = await request.json()
        name = body["model"]
        if (refused := self.refused(name)) is not None:
            return refused
        self.loaded.add(name)
        whole = reply(
            body,
            words(weights_in(str(self.forms[name].folder)), body),
            name=f"realm@{self.lies}" if self.lies else name,
            most=body.get("max_tokens", 16),
            signed={} if self.unsigned else {"realm": self.about(name)},
        )
        if body.get("stream") and (self.stalls or self.cuts):
            whole.body_iterator = self._faulty(whole.body_iterator)  # type: ignore[attr-defined]
        return whole

    async def _faulty(self, events: Any) -> Any:
        async for event in events:
            yield event
            if self.stalls:
                await asyncio.Event().wait()
            return

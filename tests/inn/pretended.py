"""What all pretended servers share: words made from weights and prompt, OpenAI's reply forms, and a socket to serve on."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp

LENGTH = 6
"""Tokens after which every answer ends by itself."""


def words(weights: str, body: Mapping[str, Any]) -> list[str]:
    """The tokens of an answer: a function of weights and prompt, and of the seed where it is not greedy."""
    prompt = body.get("messages") or body.get("prompt")
    drawn = (body.get("seed"), body.get("temperature")) if body.get("temperature", 1) else None
    seed = hashlib.sha256(json.dumps([weights, prompt, drawn]).encode()).hexdigest()
    return [f" {seed[4 * i : 4 * i + 4]}" for i in range(LENGTH)]


def problem(status: int, message: str) -> JSONResponse:
    """OpenAI's form of an error."""
    return JSONResponse({"error": {"message": message, "type": "Error", "code": status}}, status)


def reply(
    body: Mapping[str, Any],
    tokens: list[str],
    *,
    name: str,
    most: int,
    signed: Mapping[str, Any] | None = None,
    ending: Mapping[str, Any] | None = None,
) -> Response:
    """A whole reply or a stream, of a conversation or of a completion.

    Args:
        body: the question.
        tokens: the answer as far as the model would go.
        name: the name it is signed with.
        most: tokens after which it is cut.
        signed: further fields of every part.
        ending: further fields of the finished choice.
    """
    given, finish = tokens[:most], "stop" if len(tokens) <= most else "length"
    usage = {"prompt_tokens": 3, "completion_tokens": len(given), "total_tokens": 3 + len(given)}
    chat = "messages" in body
    base = {"id": "x", "model": name, **(signed or {})}

    def choice(text: str, part: list[str], end: str | None, *, delta: bool) -> dict[str, Any]:
        said: dict[str, Any] = {"index": 0, "finish_reason": end, **((ending or {}) if end else {})}
        if chat:
            said["delta" if delta else "message"] = {"role": "assistant", "content": text}
        else:
            said["text"] = text
        if body.get("logprobs"):
            rows = [-0.5 - i for i, _ in enumerate(part)]
            said["logprobs"] = (
                {"content": [{"token": t, "logprob": p} for t, p in zip(part, rows, strict=True)]}
                if chat
                else {"tokens": part, "token_logprobs": rows}
            )
        return said

    if not body.get("stream"):
        return JSONResponse({**base, "choices": [choice("".join(given), given, finish, delta=False)], "usage": usage})

    async def events() -> AsyncIterator[str]:
        for token in given:
            yield f"data: {json.dumps({**base, 'choices': [choice(token, [token], None, delta=True)]})}\n\n"
            await asyncio.sleep(0)
        yield f"data: {json.dumps({**base, 'choices': [choice('', [], finish, delta=True)]})}\n\n"
        if (body.get("stream_options") or {}).get("include_usage"):
            yield f"data: {json.dumps({**base, 'choices': [], 'usage': usage})}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@asynccontextmanager
async def serving(app: ASGIApp, socket: str) -> AsyncIterator[None]:
    """Serve an application on a unix socket."""
    server = uvicorn.Server(uvicorn.Config(app, uds=socket, log_level="critical", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            task.result()
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        await task

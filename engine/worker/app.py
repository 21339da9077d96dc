"""The worker's HTTP: health, models, chat, completions, load and unload. No torch."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from configs.errors import BlockedError, RealmError
from configs.version import __version__
from engine.worker.asked import Chat, Completion, Named, RefusedError, read
from engine.worker.bench import Bench
from engine.worker.forms import Catalogue, Form, digest_of, unknown
from engine.worker.notes import note
from engine.worker.replies import CHAT, COMPLETION, Ended, Frame, Piece, event, failure
from engine.worker.shelf import Shelf

if TYPE_CHECKING:
    from engine.worker.batch import Row
    from engine.worker.loading import Loaded

MOST_BODY_BYTES = 16_000_000
STUCK_S = 600.0
"""A decoding thread that has not turned for so long is said to be stuck."""
_Heard = Piece | Ended | RealmError


@dataclass(frozen=True, slots=True)
class Serving:
    """What the requests of a worker share."""

    catalogue: Catalogue
    shelf: Shelf
    bench: Bench
    tokens: int
    """Most tokens of an answer that asks for no limit."""
    about: dict[str, Any]
    """Device, threads, niceness: what health says of the process."""
    since: float


def make_app(serving: Serving) -> Starlette:
    """The application around ``serving``."""
    worker = _Worker(serving)

    @asynccontextmanager
    async def alive(_: Starlette) -> AsyncIterator[None]:
        serving.bench.start()
        warming = asyncio.create_task(worker.warm())
        yield
        warming.cancel()
        serving.bench.stop()
        serving.shelf.close()

    return Starlette(
        routes=[
            Route("/health", worker.health),
            Route("/v1/models", worker.models),
            Route("/v1/chat/completions", worker.chat, methods=["POST"]),
            Route("/v1/completions", worker.complete, methods=["POST"]),
            Route("/v1/load", worker.load, methods=["POST"]),
            Route("/v1/unload", worker.unload, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _no_such_thing, Exception: _fault},
        lifespan=alive,
    )


async def _no_such_thing(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    told = RefusedError(f"{request.method} {request.url.path} is not served here", "")
    return JSONResponse(failure(told)[1], status)


async def _fault(request: Request, error: Exception) -> Response:
    told = RealmError(
        "the worker met a fault of its own",
        why=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
        fix="see its log",
        code="WORKER_FAILED",
    )
    return JSONResponse(failure(told)[1], 500)


class _Worker:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._numbers = itertools.count(1)
        self._broken = ""

    async def warm(self) -> None:
        """Import what answering takes, beside the first requests."""
        try:
            await self._serving.shelf.warm()
        except Exception as error:
            self._broken = f"{type(error).__name__}: {error}"
            raise
        try:
            await asyncio.to_thread(self._serving.catalogue.look)
            await asyncio.to_thread(self._serving.catalogue.look_at_bases)
        except RealmError as error:
            note(f"not read: {error}")  # it is looked at again when a form is asked for

    # ---------------------------------------------------------------- what is here

    async def health(self, _: Request) -> Response:
        """Whether it can answer, and how much it has to do; 503 where it cannot."""
        serving = self._serving
        decoded, waiting = serving.bench.busy
        still = time.monotonic() - serving.bench.turned
        status, why = ("ok", "") if serving.shelf.ready else ("loading", "it is starting")
        if self._broken or not serving.bench.alive:
            status, why = "broken", self._broken or "the thread that decodes has ended"
        elif decoded and still > STUCK_S:
            status, why = "broken", f"the thread that decodes has been still for {still:.0f} s"
        body = {
            "status": status,
            "why": why,
            "version": __version__,
            "pid": os.getpid(),
            "since": serving.since,
            **serving.about,
            "forms": len(serving.catalogue.known()),
            "loaded": [loaded.form.served_name for loaded in serving.shelf.held.values()],
            "loading": serving.shelf.loading,
            "bytes": serving.shelf.used_bytes,
            "budget_bytes": serving.shelf.budget,
            "decoded": decoded,
            "waiting": waiting,
        }
        return JSONResponse(body, 503 if status == "broken" else 200)

    async def models(self, _: Request) -> Response:
        """Every form that can be asked for."""
        try:
            forms = await asyncio.to_thread(self._serving.catalogue.look)
        except RealmError as error:
            return self._refusal(error)
        return JSONResponse({"object": "list", "data": [self._model(form) for form in forms]})

    def _model(self, form: Form) -> dict[str, Any]:
        held = self._serving.shelf.bytes_of(form.digest)
        return {
            "id": form.served_name,
            "object": "model",
            "created": 0,
            "owned_by": "realm",
            "loaded": held is not None,
            "bytes": form.model_bytes if held is None else held,
            "realm": {**form.about(), "kind": form.kind, "source": form.source},
        }

    async def load(self, request: Request) -> Response:
        """Bring a form into memory."""
        try:
            form = await self._form(read(Named, await _body(request)).model)
            async with self._serving.shelf.holding(form) as loaded:
                return JSONResponse(self._model(form) | {"model": form.served_name, "seconds": loaded.seconds})
        except (RealmError, ClientDisconnect) as error:
            return self._refusal(error)

    async def unload(self, request: Request) -> Response:
        """Let a form go from memory."""
        try:
            form = await self._form(read(Named, await _body(request)).model)
            gone = self._serving.shelf.unload(form.digest)
            return JSONResponse({"model": form.served_name, "unloaded": gone})
        except (RealmError, ClientDisconnect) as error:
            return self._refusal(error)

    async def _form(self, name: str) -> Form:
        digest = digest_of(name)
        if digest is None:
            raise unknown(name)
        held = self._serving.shelf.held.get(digest)
        if held is not None:
            return held.form
        known = self._serving.catalogue.get(digest)
        return known if known is not None else await asyncio.to_thread(self._serving.catalogue.find, digest)

    # ---------------------------------------------------------------- asking

    async def chat(self, request: Request) -> Response:
        """Answer a conversation."""
        return await self._answer(request, Chat)

    async def complete(self, request: Request) -> Response:
        """Go on with prompts."""
        return await self._answer(request, Completion)

    async def _answer(self, request: Request, kind: type[Chat] | type[Completion]) -> Response:
        asked = time.perf_counter()
        try:
            body = read(kind, await _body(request))
            form = await self._form(body.model)
            holding = self._serving.shelf.holding(form)
            loaded = await holding.__aenter__()
        except (RealmError, ClientDisconnect) as error:
            return self._refusal(error)
        talk = _Talk(self._serving, loaded, body, f"{'chat' if kind is Chat else ''}cmpl-{next(self._numbers)}", asked)

        async def leave() -> None:
            talk.leave()
            await holding.__aexit__(None, None, None)

        try:
            await talk.begin()
        except RealmError as error:
            await leave()
            return self._refusal(error)
        except BaseException:
            await leave()
            raise
        if body.stream:
            return _Stream(talk.stream(), leave)
        try:
            return await self._whole(request, talk)
        finally:
            await leave()

    async def _whole(self, request: Request, talk: _Talk) -> Response:
        """The whole reply, unless the asker leaves first."""
        answer, gone = asyncio.ensure_future(talk.whole()), asyncio.ensure_future(request.receive())
        try:
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            return JSONResponse(answer.result()) if answer.done() else Response(status_code=499)
        except RealmError as error:
            return self._refusal(error)
        finally:
            answer.cancel()
            gone.cancel()

    def _refusal(self, error: RealmError | ClientDisconnect) -> Response:
        if isinstance(error, ClientDisconnect):
            return Response(status_code=499)
        names = None
        if error.code == "UNKNOWN_CHECKPOINT":
            names = [form.served_name for form in self._serving.catalogue.known()]
        status, body = failure(error, names)
        return JSONResponse(body, status, {"Retry-After": "5"} if status == 503 else None)


class _Stream(StreamingResponse):
    """A stream of events; ``leave`` is called when it is over or the asker is gone, also before its first event."""

    def __init__(self, events: AsyncIterator[bytes], leave: Callable[[], Awaitable[None]]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._leave()


class _Talk:
    """One request on its way: its rows, and what they said so far."""

    def __init__(self, serving: Serving, loaded: Loaded, body: Chat | Completion, ident: str, asked: float) -> None:
        self._serving, self._loaded, self._body, self._asked = serving, loaded, body, asked
        kind = CHAT if isinstance(body, Chat) else COMPLETION
        form = loaded.form
        self._frame = Frame(ident, int(time.time()), kind, form.about(), form.served_name)
        self._heard: asyncio.Queue[_Heard] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._rows: list[Row] = []
        self._added = asked

    async def begin(self) -> None:
        """Turn the request into rows and have them decoded.

        Raises:
            RealmError: a prompt cannot be read or is too long, or too much waits already.
        """
        self._rows = await asyncio.to_thread(self._made)
        self._added = time.perf_counter()
        self._serving.bench.add(self._loaded.form.digest, self._loaded.hero, self._rows)

    def leave(self) -> None:
        """Whatever is not finished need not be."""
        for row in self._rows:
            row.gone = True

    async def whole(self) -> dict[str, Any]:
        """The reply once every answer is there."""
        answers = [one async for one in self._all() if isinstance(one, Ended)]
        queued = self._added - self._asked
        body = self._body
        return self._frame.whole(answers, told=body.tops is not None, ids=body.return_token_ids, queued_s=queued)

    async def stream(self) -> AsyncIterator[bytes]:
        """The reply as events."""
        answers: list[Ended] = []
        try:
            if self._frame.kind == CHAT:
                for row in self._rows:
                    yield event(self._frame.first(row.index))
            async for one in self._all():
                if isinstance(one, Ended):
                    answers.append(one)
                    yield event(self._frame.end(one, ids=self._body.return_token_ids))
                else:
                    yield event(self._frame.piece(one))
            if self._body.stream_options is not None and self._body.stream_options.include_usage:
                yield event(self._frame.last(answers, self._added - self._asked))
            yield event("[DONE]")
        except RealmError as error:
            yield event(failure(error)[1])

    async def _all(self) -> AsyncIterator[Piece | Ended]:
        left = len(self._rows)
        while left:
            one = await self._heard.get()
            if isinstance(one, RealmError):
                raise one
            left -= isinstance(one, Ended)
            yield one

    def _hear(self, one: _Heard) -> None:
        """From the thread that decodes to the event loop."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._heard.put_nowait, one)

    def _made(self) -> list[Row]:
        from engine.worker.batch import Row
        from engine.worker.draw import Draw

        body, hero = self._body, self._loaded.hero
        chat = isinstance(body, Chat)
        prompts = [self._ids(prompt, chat=chat) for prompt in body.prompts]
        seed = secrets.randbits(48) if body.seed is None else body.seed
        rows = []
        for number, (ids, turn) in enumerate((ids, n) for ids in prompts for n in range(body.n)):
            own = (seed + turn) % 2**63
            rows.append(
                Row(
                    index=number,
                    ids=ids,
                    limit=min(body.most_tokens or self._serving.tokens, hero.context_length - len(ids)),
                    draw=Draw.seeded(body.temperature, body.top_p, own),
                    seed=own,
                    tell=self._hear,
                    fail=self._hear,
                    chat=chat,
                    stops=body.stops,
                    tops=body.tops,
                    stream=body.stream,
                )
            )
        return rows

    def _ids(self, prompt: Any, *, chat: bool) -> list[int]:
        from engine.chat.template import encode_prompt, encode_text

        hero = self._loaded.hero
        if chat:
            ids = encode_prompt(hero, prompt)
        elif isinstance(prompt, str):
            ids = encode_text(hero, prompt).ids[:-1]
        else:
            ids = list(prompt)
            if max(ids) >= hero.vocabulary:
                raise RefusedError(f"{max(ids)} is no token of {hero.config.name}", "see its vocabulary", "prompt")
        if len(ids) >= hero.context_length:
            raise BlockedError(
                f"a prompt of {len(ids)} tokens does not fit {hero.config.name}'s context of {hero.context_length}",
                fix="ask something shorter",
                code="PROMPT_TOO_LONG",
            )
        return ids


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            raise RefusedError("the body is too long", f"at most {MOST_BODY_BYTES} bytes are read")
    return bytes(body)

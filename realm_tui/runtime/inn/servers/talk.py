"""The part of the OpenAI protocol that all servers share: questions as bodies, replies and streams as answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from configs import clock
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn.servers.contract import (
    Answer,
    Ask,
    Finish,
    FormDamagedError,
    FormMissingError,
    Health,
    InferenceError,
    Kind,
    ModelMismatchError,
    Sampling,
    Served,
    ServerBrokenError,
    ServerError,
    ServerGoneError,
    ServerLostError,
    ServerSilentError,
    digest_of,
)
from realm_tui.runtime.inn.servers.wire import Reply, Wire, error_text, refuse

PROBE = "?"
"""What a server is asked to see that it can chat."""


@dataclass(slots=True)
class Heard:
    """What a reply has said so far."""

    text: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    """Every ``model`` it was signed with."""
    digests: set[str] = field(default_factory=set)
    """Every ``realm.digest`` in it."""
    spans: list[Mapping[str, Any]] | None = None
    """``weight_versions``: which weights drew which tokens."""
    version: str | None = None
    """``metadata.weight_version``."""
    finish: str | None = None
    prompt_tokens: int | None = None
    tokens: int | None = None
    logprobs: list[float] = field(default_factory=list)
    has_logprobs: bool = False

    def take(self, label: str, data: Any) -> str:
        """Read one event or a whole reply; the piece of text in it."""
        if not isinstance(data, dict) or "error" in data:
            raise InferenceError(label, error_text(data) or "its reply is no object")
        if isinstance(name := data.get("model"), str):
            self.names.add(name)
        realm, metadata, usage = data.get("realm"), data.get("metadata"), data.get("usage")
        if isinstance(realm, dict):
            self.digests.add(str(realm.get("digest")))
        if isinstance(metadata, dict) and metadata.get("weight_version") is not None:
            self.version = str(metadata["weight_version"])
        if isinstance(usage, dict):
            self.prompt_tokens, self.tokens = usage.get("prompt_tokens"), usage.get("completion_tokens")
        choices = data.get("choices") or []
        if len(choices) > 1:
            raise InferenceError(label, f"it gave {len(choices)} answers to one question")
        return self._choice(choices[0]) if choices else ""

    def _choice(self, choice: Mapping[str, Any]) -> str:
        said = choice.get("delta") or choice.get("message") or {}
        piece = str(choice.get("text") or said.get("content") or "")
        self.text.append(piece)
        self.finish = choice.get("finish_reason") or self.finish
        spans = choice.get("weight_versions")
        self.spans = spans if spans is not None else self.spans
        found = choice.get("logprobs")
        if isinstance(found, dict):
            self.has_logprobs = True
            listed = [each.get("logprob") for each in found.get("content") or ()] or found.get("token_logprobs") or ()
            self.logprobs += [float(each) for each in listed if each is not None]
        return piece


class Talker:
    """What all adapters have in common; each says how a form is named, what else it sends, and what counts as proof.

    Args:
        wire: the way to the server.
    """

    kind: Kind = "openai"
    strict = False
    caps_answers = False
    """Refuse an answer that was cut before the length asked for: a setting of the server's own did it."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._turns = asyncio.Semaphore(wire.patience.together)

    @property
    def label(self) -> str:
        """How the server is called in messages."""
        return self.wire.label

    # ------------------------------------------------------------ what adapters say

    async def name_for(self, digest: str) -> str:
        """The served name to ask for; raises when the form is not there. Called before each question."""
        raise NotImplementedError

    def further(self) -> dict[str, Any]:
        """Fields of this server alone."""
        return {}

    def doubt(self, digest: str, heard: Heard) -> str:
        """Why what was heard so far cannot be the form's words; empty: no reason yet. Called with every piece."""
        return ""

    async def prove(self, digest: str, heard: Heard) -> str | None:
        """The digest as the finished reply proves it; None: this server proves nothing. Raises `ModelMismatchError`."""
        raise NotImplementedError

    # ------------------------------------------------------------ asking

    async def ask(self, ask: Ask) -> AsyncIterator[str | Answer]:
        """The answer in pieces, last the `Answer` (see `Server.ask`)."""
        async with self._turns:
            began = clock.monotonic()
            name = await self.name_for(ask.digest)
            path, body = self._question(ask, name)
            body |= {"stream": True, "stream_options": {"include_usage": True}}
            heard, first = Heard(), None
            async with self.wire.events(path, body) as (status, events):
                async for event in events:
                    if status != 200:
                        await self._refused(ask.digest, Reply(status, event))
                    piece = heard.take(self.label, event)
                    self._doubted(ask.digest, heard)
                    if piece:
                        first = clock.monotonic() - began if first is None else first
                        yield piece
            yield await self._answer(ask, heard, began, first)

    async def ask_all(self, asks: Sequence[Ask]) -> list[Answer]:
        """Answers to many questions, in their order (see `Server.ask_all`)."""
        tasks = [asyncio.create_task(self._one(ask)) for ask in asks]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, ask: Ask) -> Answer:
        async with self._turns:
            began = clock.monotonic()
            path, body = self._question(ask, await self.name_for(ask.digest))
            reply = await self.wire.post(path, body)
            if reply.status != 200:
                await self._refused(ask.digest, reply)
            heard = Heard()
            heard.take(self.label, reply.data)
            self._doubted(ask.digest, heard)
            return await self._answer(ask, heard, began, None)

    def _question(self, ask: Ask, name: str) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {"model": name, **_drawn(ask.sampling), **self.further()}
        if ask.messages is not None:
            body["messages"] = [{"role": each.role, "content": each.content} for each in ask.messages]
            if ask.sampling.logprobs:
                body["logprobs"] = True
            return "/v1/chat/completions", body
        body["prompt"] = ask.prompt if ask.ids is None else list(ask.ids)
        if ask.sampling.logprobs:
            body["logprobs"] = 1
        return "/v1/completions", body

    async def _answer(self, ask: Ask, heard: Heard, began: float, first: float | None) -> Answer:
        finish = _finish(self.label, heard.finish)
        if self.caps_answers and finish == "length" and heard.tokens is not None:
            self._uncut(heard.tokens, ask.sampling.max_tokens)
        proved = await self.prove(ask.digest, heard)
        return Answer(
            text="".join(heard.text),
            digest=proved,
            model=clean(next(iter(heard.names), "")),
            finish=finish,
            prompt_tokens=heard.prompt_tokens,
            tokens=heard.tokens,
            seconds=clock.monotonic() - began,
            first_token_s=first,
            logprobs=tuple(heard.logprobs) if heard.has_logprobs else None,
        )

    def _uncut(self, tokens: int, asked: int) -> None:
        if tokens < asked:
            raise InferenceError(
                self.label,
                f"it ended the answer after {tokens} of {asked} tokens by a rule of its own",
                fix="start it with `--generation-config vllm`, as `realm worker start` does; or ask for fewer tokens",
                code="ANSWER_CUT",
            )

    def _doubted(self, digest: str, heard: Heard) -> None:
        if why := self.doubt(digest, heard):
            raise ModelMismatchError(self.label, digest, why)

    async def _refused(self, digest: str, reply: Reply) -> None:
        """Raise what a refused question means."""
        if reply.status == 404:
            raise FormMissingError(self.label, digest, [each.digest or each.name for each in await self.models()])
        if reply.status == 409:
            raise FormDamagedError(self.label, digest, reply.said)
        refuse(self.label, reply)
        raise InferenceError(self.label, reply.said)

    # ------------------------------------------------------------ looking

    async def models(self) -> tuple[Served, ...]:
        """What it offers."""
        reply = await self.wire.get("/v1/models")
        refuse(self.label, reply)
        found = reply.data.get("data") if isinstance(reply.data, dict) else None
        if not isinstance(found, list):
            raise InferenceError(self.label, "its list of models is none", fix="is it an OpenAI-compatible server?")
        return tuple(self.served(each) for each in found if isinstance(each, dict))

    def served(self, item: Mapping[str, Any]) -> Served:
        """One entry of the list of models."""
        name = str(item.get("id", ""))
        return Served(clean(name), digest_of(name), loaded=bool(item.get("loaded", True)), bytes=item.get("bytes"))

    async def health(self) -> Health:
        """Whether it answers and can chat: a server may call itself healthy and fail at the first question."""
        began = clock.monotonic()
        try:
            return await self.look(began)
        except (ServerGoneError, ServerLostError) as error:  # a tunnel breaks off where nothing listens behind it
            return Health("gone", error.why, error.fix)
        except ServerSilentError as error:
            return Health("loading", error.what, error.fix, silent=True)
        except ModelMismatchError as error:
            return Health("wrong_model", error.why, error.fix)
        except ServerError as error:
            return Health("broken", error.why or error.what, error.fix)

    async def look(self, began: float) -> Health:
        """One look; raises what it met."""
        reply = await self.wire.get("/health")
        if reply.status == 503:
            return Health("loading", reply.said, "wait until it has loaded")
        if reply.status != 404:  # some endpoints have no such page
            refuse(self.label, reply)
        offered = [each for each in await self.models() if each.loaded]
        if self.strict and not any(each.digest for each in offered):
            return self._stranger(offered)
        if offered:
            await self.chats(offered[0].name)
        return Health("up", seconds=clock.monotonic() - began)

    def _stranger(self, offered: Sequence[Served]) -> Health:
        shown = ", ".join(each.name for each in offered) or "no model"
        return Health("wrong_model", f"it serves {shown}, no form of ours", "`realm worker list` names its address")

    async def chats(self, name: str) -> None:
        """Draw one token from the model called ``name``; raises when that fails."""
        body = {"model": name, "prompt": PROBE, "max_tokens": 1, "temperature": 0, **self.further()}
        reply = await self.wire.post("/v1/completions", body, within=self.wire.patience.health_s)
        if reply.status >= 500:
            raise ServerBrokenError(self.label, f"it calls itself healthy and cannot chat: {reply.said}")
        refuse(self.label, reply)

    # ------------------------------------------------------------ the rest

    async def sleep(self) -> None:
        """This server cannot sleep."""
        raise cannot(self.label, "sleep")

    async def wake(self) -> None:
        """This server never sleeps."""

    async def aclose(self) -> None:
        """Let go of the connection; the server stays."""
        await self.wire.aclose()


def cannot(label: str, what: str) -> ServerError:
    """The error of a server that has no way to do ``what``."""
    return ServerError(f"{label} cannot {what}", fix="choose another worker", code="SERVER_CANNOT")


def _drawn(sampling: Sampling) -> dict[str, Any]:
    drawn: dict[str, Any] = {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    if sampling.seed is not None:
        drawn["seed"] = sampling.seed
    if sampling.stop:
        drawn["stop"] = list(sampling.stop)
    return drawn


def _finish(label: str, said: str | None) -> Finish:
    if said == "stop":
        return "stop"
    if said == "length":
        return "length"
    raise InferenceError(label, f"the answer was broken off ({clean(str(said))})" if said else "the answer has no end")

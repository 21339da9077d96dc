"""Answers as JSON, in OpenAI's forms, each with the form that gave it. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from configs.errors import RealmError

CHAT, COMPLETION = "chat.completion", "text_completion"
_STATUS = {
    "BAD_ARGUMENT": 400,
    "BAD_ROLE": 400,
    "PROMPT_TOO_LONG": 400,
    "UNKNOWN_CHECKPOINT": 404,
    "CHECKPOINT_CORRUPT": 409,
    "CHECKPOINT_FOREIGN": 409,
    "MODEL_DAMAGED": 409,
    "MODEL_MISSING": 409,
    "FORM_IN_USE": 409,
    "WORKER_MEMORY": 507,
    "WORKER_BUSY": 503,
}


@dataclass(frozen=True, slots=True)
class Told:
    """One token of an answer and how likely it was, by the hero's own distribution (before temperature)."""

    text: str
    logprob: float
    tops: tuple[tuple[str, float], ...] = ()
    """The likeliest tokens in its place."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What an answer grew by."""

    index: int
    """Which answer of the request."""
    text: str
    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """A whole answer."""

    index: int
    text: str
    finish: Literal["stop", "length"]
    ids: tuple[int, ...]
    """Its tokens, without the one that ended it."""
    tokens: int
    """Tokens that were decoded, the one that ended it included."""
    prompt_tokens: int
    seed: int
    seconds: float
    """From the first look at the prompt to the last token."""
    first_token_s: float
    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """What every reply to one request says."""

    ident: str
    created: int
    kind: str
    form: Mapping[str, Any]
    """``digest``, ``name``, ``step`` of the form that answers, as proved."""
    served_name: str

    def head(self, *, chunk: bool = False) -> dict[str, Any]:
        """The beginning of a reply, or of a chunk of one."""
        kind = f"{self.kind}.chunk" if chunk and self.kind == CHAT else self.kind
        return {
            "id": self.ident,
            "object": kind,
            "created": self.created,
            "model": self.served_name,
            "realm": dict(self.form),
        }

    def whole(self, answers: Sequence[Ended], *, told: bool, ids: bool, queued_s: float) -> dict[str, Any]:
        """The reply with every answer."""
        choices = []
        for one in sorted(answers, key=lambda a: a.index):
            said = {"message": {"role": "assistant", "content": one.text}} if self.kind == CHAT else {"text": one.text}
            choice: dict[str, Any] = {"index": one.index, **said, "finish_reason": one.finish}
            choice["logprobs"] = self._told(one.told) if told else None
            choices.append(choice | ({"token_ids": list(one.ids)} if ids else {}))
        found = self.head() | {"choices": choices, "usage": usage(answers)}
        found["realm"] |= measured(answers, queued_s)
        return found

    def first(self, index: int) -> dict[str, Any]:
        """The chunk that opens a streamed answer of a conversation."""
        delta = {"role": "assistant", "content": ""}
        return self.head(chunk=True) | {"choices": [{"index": index, "delta": delta, "finish_reason": None}]}

    def piece(self, piece: Piece) -> dict[str, Any]:
        """A chunk with what an answer grew by."""
        said = {"delta": {"content": piece.text}} if self.kind == CHAT else {"text": piece.text}
        choice = {"index": piece.index, **said, "finish_reason": None}
        choice["logprobs"] = self._told(piece.told) if piece.told else None
        return self.head(chunk=True) | {"choices": [choice]}

    def end(self, one: Ended, *, ids: bool) -> dict[str, Any]:
        """The chunk that ends a streamed answer."""
        said: dict[str, Any] = {"delta": {}} if self.kind == CHAT else {"text": ""}
        choice = {"index": one.index, **said, "finish_reason": one.finish, "logprobs": None}
        return self.head(chunk=True) | {"choices": [choice | ({"token_ids": list(one.ids)} if ids else {})]}

    def last(self, answers: Sequence[Ended], queued_s: float) -> dict[str, Any]:
        """The chunk behind all answers that counts their tokens."""
        found = self.head(chunk=True) | {"choices": [], "usage": usage(answers)}
        found["realm"] |= measured(answers, queued_s)
        return found

    def _told(self, told: Sequence[Told]) -> dict[str, Any]:
        if self.kind == CHAT:
            return {
                "content": [
                    _token(t.text, t.logprob) | {"top_logprobs": [_token(*top) for top in t.tops]} for t in told
                ]
            }
        offsets, at = [], 0
        for t in told:
            offsets.append(at)
            at += len(t.text)
        return {
            "tokens": [t.text for t in told],
            "token_logprobs": [t.logprob for t in told],
            "top_logprobs": [dict(reversed(t.tops)) for t in told],  # of tokens that read alike the likeliest stays
            "text_offset": offsets,
        }


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def usage(answers: Sequence[Ended]) -> dict[str, int]:
    """Tokens of a request; a prompt that was answered several times counts once for each."""
    read, written = sum(a.prompt_tokens for a in answers), sum(a.tokens for a in answers)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def measured(answers: Sequence[Ended], queued_s: float) -> dict[str, Any]:
    """What the worker saw on its own clock: seeds by which the answers can be had again, and seconds."""
    return {
        "seeds": [a.seed for a in sorted(answers, key=lambda a: a.index)],
        "seconds": round(max((a.seconds for a in answers), default=0.0), 6),
        "first_token_s": round(min((a.first_token_s for a in answers), default=0.0), 6),
        "queued_s": round(queued_s, 6),
    }


def event(data: Mapping[str, Any] | str) -> bytes:
    """One event of a stream."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()


def failure(error: RealmError, models: Sequence[str] | None = None) -> tuple[int, dict[str, Any]]:
    """HTTP status and body of a refusal; ``models`` are the names that would have been known."""
    status = _STATUS.get(error.code, 500)
    body: dict[str, Any] = {
        "message": ": ".join(filter(None, (error.what, error.why))),
        "type": "invalid_request_error" if status < 500 else "server_error",
        "param": getattr(error, "field", None) or None,
        **error.as_dict(),
    }
    return status, {"error": body} | ({} if models is None else {"models": list(models)})

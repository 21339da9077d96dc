"""What may be asked of a worker, as JSON: a part of OpenAI's interface. Whatever is unknown is refused by name, nothing is ignored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from configs.errors import UsageError

MOST_CHOICES = 512
"""Most answers of one request."""
_Ids = Annotated[list[Annotated[int, Field(strict=True, ge=0)]], Field(min_length=1)]
_Text = Annotated[StrictStr, Field(min_length=1)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TextPart(_Body):
    """A piece of a message."""

    type: Literal["text"]
    text: StrictStr


class Turn(_Body):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: StrictStr | list[TextPart] | None = None
    reasoning_content: StrictStr | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: StrictStr | None = None

    def as_message(self) -> dict[str, Any]:
        """The form in which turn formats read it."""
        content = self.content
        text = "".join(p.text for p in content) if isinstance(content, list) else content or ""
        given = {"reasoning_content": self.reasoning_content, "tool_calls": self.tool_calls}
        return {"role": self.role, "content": text} | {key: value for key, value in given.items() if value}


class StreamOptions(_Body):
    """What a stream ends with."""

    include_usage: StrictBool = False


class _Sampling(_Body):
    model: StrictStr
    temperature: float = Field(1.0, ge=0, le=10)
    top_p: float = Field(1.0, gt=0, le=1)
    seed: int | None = Field(None, strict=True, ge=0, lt=2**63)
    n: int = Field(1, strict=True, ge=1, le=MOST_CHOICES)
    stop: _Text | Annotated[list[_Text], Field(max_length=8)] | None = None
    stream: StrictBool = False
    stream_options: StreamOptions | None = None
    frequency_penalty: Literal[0] = 0
    presence_penalty: Literal[0] = 0
    return_token_ids: StrictBool = False

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts that end an answer."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())


class Chat(_Sampling):
    """``POST /v1/chat/completions``."""

    messages: list[Turn] = Field(min_length=1)
    max_tokens: StrictInt | None = Field(None, ge=1)
    max_completion_tokens: StrictInt | None = Field(None, ge=1)
    logprobs: StrictBool = False
    top_logprobs: StrictInt | None = Field(None, ge=0, le=20)

    @property
    def most_tokens(self) -> int | None:
        """Most tokens of an answer; None: as the worker's rules say."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def tops(self) -> int | None:
        """How many likely tokens are told beside each chosen one; None: nothing is told of probabilities."""
        return (self.top_logprobs or 0) if self.logprobs else None

    @property
    def prompts(self) -> list[Any]:
        """The one conversation."""
        return [[turn.as_message() for turn in self.messages]]


class Completion(_Sampling):
    """``POST /v1/completions``."""

    prompt: _Ids | list[_Ids] | list[_Text] | _Text
    max_tokens: StrictInt | None = Field(None, ge=1)
    logprobs: StrictInt | None = Field(None, ge=0, le=20)

    @property
    def most_tokens(self) -> int | None:
        """Most tokens of an answer; None: as the worker's rules say."""
        return self.max_tokens

    @property
    def tops(self) -> int | None:
        """How many likely tokens are told beside each chosen one; None: nothing is told of probabilities."""
        return self.logprobs

    @property
    def prompts(self) -> list[Any]:
        """Every prompt: a text, or token ids."""
        given: Any = self.prompt
        return [given] if isinstance(given, str) or isinstance(given[0], int) else list(given)


class Named(_Body):
    """``POST /v1/load`` and ``POST /v1/unload``."""

    model: StrictStr


def read(kind: type[Any], body: bytes) -> Any:
    """A request's body as ``kind``.

    Raises:
        RefusedError: it is no JSON object, or a field is unknown, unsupported or out of bounds; the message names it.
    """
    try:
        data = json.loads(body)
    except ValueError as error:
        raise RefusedError("the body is not JSON", str(error)) from error
    if not isinstance(data, dict):
        raise RefusedError("the body is no JSON object", "")
    try:
        made = kind.model_validate(data)
    except ValidationError as error:
        raise _named(error) from error
    if isinstance(made, _Sampling) and len(made.prompts) * made.n > MOST_CHOICES:  # type: ignore[attr-defined]
        raise RefusedError(f"a request may have {MOST_CHOICES} answers", "prompts times `n`")
    return made


class RefusedError(UsageError):
    """A request that cannot be taken; ``field`` is named to the asker."""

    def __init__(self, what: str, why: str, field: str = "") -> None:
        super().__init__(what, why=why, fix="see docs/ARCHITECTURE.md, `The worker`", code="BAD_ARGUMENT")
        self.field = field


def _named(error: ValidationError) -> RefusedError:
    first: Any = min(error.errors(), key=lambda e: (e["type"] != "extra_forbidden", len(e["loc"])))
    field = _path(first["loc"])
    if first["type"] == "extra_forbidden":
        return RefusedError(f"{field!r} is not supported here", "nothing that is asked for is ignored", field)
    if first["type"] == "missing":
        return RefusedError(f"{field!r} is missing", "", field)
    return RefusedError(f"{field!r} cannot be taken", str(first["msg"]), field)


def _path(places: Sequence[str | int]) -> str:
    """Where in the body something stands, without the names of types it was tried as."""
    kept = [str(p) for p in places if isinstance(p, int) or (p.isidentifier() and p not in ("str", "int"))]
    return ".".join(kept) or "body"

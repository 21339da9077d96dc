"""What every inference server is to the realm, whoever made it: one contract, and the errors that may come of it.

A form is named by the SHA-256 of its model (64 hex). A strict server proves with every answer which form gave it; an answer without
that proof is an error, never another model's words. A server that cannot prove anything is not strict: its answers are never exams.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from configs.errors import RealmError
from configs.inn import ServerRules

Kind = Literal["own", "vllm", "sglang", "openai"]
Finish = Literal["stop", "length"]
State = Literal["up", "loading", "sleeping", "broken", "wrong_model", "gone"]
ErrorClass = Literal[
    "transport", "connection_refused", "inference", "timeout", "bad_payload", "validation", "model_mismatch"
]

PREFIX = "realm@"
_DIGEST = re.compile(r"[0-9a-f]{64}")
SHOWN = 12
"""Letters of a digest that are shown to a person."""
_MOST_NAMED = 4


def served_name(digest: str) -> str:
    """The name under which a server offers a form: ``realm@<64 hex>``. `ValueError`: not a digest."""
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{digest!r} is not the digest of a form")
    return PREFIX + digest


def digest_of(name: str) -> str | None:
    """The digest in a served name; None for any other name."""
    digest = name.removeprefix(PREFIX)
    return digest if name.startswith(PREFIX) and _DIGEST.fullmatch(digest) else None


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn."""

    temperature: float = 0.7
    """0 is greedy."""
    top_p: float = 1.0
    seed: int | None = None
    max_tokens: int = 256
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    """Also give the log-probability of every token of the answer."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to one form: a conversation, a text to continue, or its tokens (exactly one of the three)."""

    digest: str
    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    ids: tuple[int, ...] | None = None
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        if sum(part is not None for part in (self.messages, self.prompt, self.ids)) != 1:
            raise ValueError("ask with messages, with a prompt or with ids")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and whose words they are."""

    text: str
    digest: str | None
    """The form as the server proved it; None from a server that is not strict."""
    model: str
    """The name the server put on the answer; no proof by itself."""
    finish: Finish
    prompt_tokens: int | None
    tokens: int | None
    seconds: float
    first_token_s: float | None
    """From the question to the first piece; None where nothing was streamed."""
    logprobs: tuple[float, ...] | None = None

    @property
    def tokens_per_s(self) -> float | None:
        """Speed of the answer; None: unknown."""
        return self.tokens / self.seconds if self.tokens and self.seconds > 0 else None


@dataclass(frozen=True, slots=True)
class Served:
    """A model that a server offers."""

    name: str
    digest: str | None
    """None: not a form of ours, or not one it could prove."""
    loaded: bool
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How a server is: it is up only when it answers and can chat."""

    state: State
    why: str = ""
    fix: str = ""
    seconds: float | None = None
    """How long the look took."""
    paused: bool = False
    """It takes questions and answers none until somebody resumes it: a swap is under way, or was left half done."""
    silent: bool = False
    """It did not say that it loads; it said nothing, as one that is frozen does."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds; `inn.server` of the rules gives the numbers (`patience`)."""

    connect_s: float = 5.0
    answer_s: float = 300.0
    """Longest silence within an answer."""
    load_s: float = 600.0
    """Longest load, swap or waking."""
    health_s: float = 15.0
    together: int = 32
    """Most questions under way at once to one server."""


def patience(rules: ServerRules) -> Patience:
    """What the rules say."""
    return Patience(rules.connect_s, rules.answer_s, rules.load_s, rules.health_s, rules.together)


class ServerError(RealmError):
    """Something went wrong with a server; `error_class` says whether a job may try again."""

    error_class: ErrorClass = "inference"


class ServerGoneError(ServerError):
    """Nothing listens there."""

    error_class = "connection_refused"

    def __init__(self, label: str, why: str = "") -> None:
        super().__init__(
            f"{label} does not listen",
            why=why or "no process answers at its address",
            fix="`realm worker list` says what became of it; `realm worker start` starts one",
            code="SERVER_GONE",
        )


class ServerLostError(ServerError):
    """The connection broke; a tunnel without a server behind it does this at the first request."""

    error_class = "transport"

    def __init__(self, label: str, why: str) -> None:
        super().__init__(
            f"{label} broke the connection",
            why=why,
            fix="look at `realm worker list`: either the link is down or the server behind it ended",
            code="SERVER_LOST",
        )


class ServerSilentError(ServerError):
    """No answer in time; a server that loads may be silent without being dead."""

    error_class = "timeout"

    def __init__(self, label: str, seconds: float, doing: str, *, fix: str = "") -> None:
        super().__init__(
            f"{label} was silent for {seconds:.0f} s ({doing})",
            fix=fix
            or "it may still be loading: look at `realm worker list`, or give it more time in the rules of the Inn",
            code="SERVER_SILENT",
        )


class InferenceError(ServerError):
    """The server took the question and failed."""

    error_class = "inference"

    def __init__(self, label: str, why: str, *, fix: str = "", code: str = "") -> None:
        super().__init__(
            f"{label} could not answer",
            why=why,
            fix=fix or "see its log: `realm worker logs`",
            code=code or "SERVER_FAILED",
        )


class ServerBrokenError(ServerError):
    """A server that must not be asked any more, although it may still call itself healthy."""

    error_class = "inference"

    def __init__(self, label: str, why: str) -> None:
        super().__init__(
            f"{label} is broken and must be started anew",
            why=why,
            fix="`realm worker stop`, then `realm worker start`",
            code="SERVER_BROKEN",
        )


class AskRefusedError(ServerError):
    """The server refuses the question as it stands; asking again changes nothing."""

    error_class = "bad_payload"

    def __init__(self, label: str, why: str, *, fix: str = "", code: str = "") -> None:
        super().__init__(
            f"{label} refused the question",
            why=why,
            fix=fix or "change the question",
            code=code or "ASK_REFUSED",
        )


class FormDamagedError(ServerError):
    """A file of the form differs from its digest where the server stands."""

    error_class = "validation"

    def __init__(self, label: str, digest: str, why: str) -> None:
        super().__init__(
            f"{label} found form {digest[:SHOWN]} damaged",
            why=why,
            fix="ask another form (`realm ledger list`); a copy at another place is brought anew with the next question",
            code="FORM_DAMAGED",
        )


class ModelMismatchError(ServerError):
    """The server answers as another model than was asked, or proves nothing."""

    error_class = "model_mismatch"

    def __init__(self, label: str, asked: str, why: str) -> None:
        super().__init__(
            f"{label} did not prove that form {asked[:SHOWN]} answered",
            why=why,
            fix="promote the form again, or start the worker anew; the answer was thrown away",
            code="MODEL_MISMATCH",
        )


class FormMissingError(ServerError):
    """The server does not have the form; it must be pushed or loaded first."""

    error_class = "model_mismatch"

    def __init__(self, label: str, asked: str, has: Sequence[str]) -> None:
        shown = ", ".join((digest_of(name) or name)[:SHOWN] for name in has[:_MOST_NAMED])
        shown += f" and {len(has) - _MOST_NAMED} more" if len(has) > _MOST_NAMED else ""
        super().__init__(
            f"{label} does not serve form {asked[:SHOWN]}",
            why=f"it has {shown}" if shown else "it has no form",
            fix="`realm promote` with the box brings a form there",
            code="FORM_MISSING",
        )


class Server(Protocol):
    """An inference server. Every method may raise a `ServerError`."""

    @property
    def kind(self) -> Kind:
        """Which sort of server."""

    @property
    def strict(self) -> bool:
        """It proves with each answer which form gave it."""

    async def health(self) -> Health:
        """Whether it answers and can chat; never raises for a server that is down or broken."""

    async def models(self) -> tuple[Served, ...]:
        """What it offers."""

    def ask(self, ask: Ask) -> AsyncIterator[str | Answer]:
        """The answer in pieces, last of all the `Answer`.

        Pieces are provisional until it comes: when the proof fails, `ModelMismatchError` is raised instead and they are void.
        """

    async def ask_all(self, asks: Sequence[Ask]) -> list[Answer]:
        """Answers to many questions, in their order; the first failure ends all."""

    async def take(self, directory: str, digest: str, base: str | None) -> str:
        """Take up a form and prove it.

        Args:
            directory: its folder there, verified before.
            digest: which form that is.
            base: digest of its base when it is an adapter; None: whole weights.

        Returns:
            The digest as proved.

        Raises:
            ModelMismatchError: it answers as something else.
            ServerBrokenError: the swap failed and left the server unusable.
        """

    async def sleep(self) -> None:
        """Give the card back without ending, where it can."""

    async def wake(self) -> None:
        """Take the card again; what it serves is proved anew."""

    async def aclose(self) -> None:
        """Let go of the connection; the server stays."""

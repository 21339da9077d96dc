"""What each kind of job reads and who does it. The rules of the kinds (time-outs, attempts, room) are in `configs/jobs.yaml`."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import Field, ValidationError, model_validator

from configs.base import Model
from configs.errors import BlockedError, RealmError, UsageError
from configs.jobs import KINDS, Kind
from configs.paths import SaveFolder

if TYPE_CHECKING:
    from realm_tui.runtime.inn.servers.contract import Server
    from saves.jobs import Job

Tell = Callable[[str], None]
Form = Annotated[
    str, Field(min_length=1, max_length=200, description="a form of the ledger: its name, step, best, latest, champion")
]
OptionalForm = Annotated[
    str | None,
    Field(
        max_length=200, description="a form of the ledger: its name, step, best, latest, champion; null: the champion"
    ),
]


class JobError(RealmError):
    """A job could not be done; ``error_class`` says whether it may be tried again (`saves.jobs.RETRYABLE`)."""

    def __init__(self, error_class: str, what: str, *, why: str = "", fix: str = "", code: str = "JOB_FAILED") -> None:
        super().__init__(what, why=why, fix=fix, code=code)
        self.error_class = error_class


class NotYetError(Exception):
    """A job cannot be tried now, which is nobody's fault: it waits, and no attempt is counted."""

    def __init__(self, why: str, *, wait_s: float = 60.0) -> None:
        self.why, self.wait_s = why, wait_s
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job."""

    result: Mapping[str, Any]
    effect: Callable[[sqlite3.Connection], object] | None = None
    """Writes what else belongs to it, in one transaction with the result, and only when the result counts."""
    worker: str | None = None
    """Who did it; None: the process of the dispatcher."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A server that holds the form that is asked for; no other job of this process makes it let go of it within a ``with``."""

    server: Server
    worker: str
    """How the job calls it: the place and the worker's name."""
    digest: str
    """Of the form, 64 hex."""
    strict: bool
    leave: Callable[[], object] = lambda: None
    """Lets others have the server."""

    def __enter__(self) -> Seat:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


class Desk(Protocol):
    """The way to servers that answer for a form."""

    async def seat(self, form: str | None, *, digest: str | None = None, strict: bool, tell: Tell) -> Seat:
        """A server that serves the form, brought there where that is needed.

        Args:
            form: as in `saves.ledger.find`; None: the champion, else the newest.
            digest: the model's digest, where it is known; the form is found by it then.
            strict: only a server that proves who answered.
            tell: hears what takes long.

        Raises:
            NotYetError: there is none now.
            RealmError: what stands in the way.
        """

    async def bring(self, form: str | None, place: str, *, tell: Tell) -> Mapping[str, Any]:
        """Have a form lie at a place, whole and verified; what it took.

        Raises:
            RealmError: what stands in the way.
        """

    async def aclose(self) -> None:
        """Let go of all connections."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a job is worked on."""

    folder: SaveFolder
    tell: Tell
    desk: Desk | None = None
    """None: no server can be asked from here; what needs one is done by the engine, or waits."""
    limit_s: float = 600.0
    """The kind's time-out."""
    allow: Callable[[float], None] = lambda seconds: None
    """Sets the time-out anew: so many seconds from now. On the event loop only."""

    @property
    def papers(self) -> Path:
        """Where files go that a job writes and nobody gave a place for."""
        return self.folder.root / "papers"


Work = Callable[["Job", Any, Workplace], Awaitable[Done]]
"""Does a job: the job, its payload as the kind's model, and the workplace."""


class Nothing(Model):
    """No payload."""


class Eval(Model):
    """An exam: one that the engine asked to have answered outside, or one on command by the living engine."""

    request: int | None = Field(None, ge=1, description="number of the engine's request; alone")
    plan: str | None = Field(None, description="an entry of the exam plan")
    skill: str | None = Field(None, description="a skill's id; null: the one in training")
    level: int | None = Field(None, ge=1, description="its level; null: the training level")
    items: int | None = Field(None, ge=1, le=1024, description="questions; null: the rules'")
    mix: str | None = Field(None, description="a published mix; null: the hero's")
    form: str | None = Field(None, description="who answers: live, base, champion or a checkpoint; null: live")
    against: str | None = Field(None, description="a second form on the same questions")
    elsewhere: bool | None = Field(
        None,
        description="true: asked of a saved form at the Inn; false: by the engine; null: as `inn.inference.where` says",
    )

    @model_validator(mode="after")
    def _one_of(self) -> Eval:
        others = self.model_dump(exclude={"request"}, exclude_none=True)
        if self.request is not None and others:
            raise ValueError(f"`request` stands alone, without {', '.join(others)}")
        if self.plan is not None and {"skill", "level", "items", "mix"} & others.keys():
            raise ValueError("an entry of the plan says itself what it asks")
        return self


class Spar(Model):
    """A round of sparring: by a saved form at the Inn where that is at hand, else by the living engine."""

    skill: str | None = Field(None, description="a skill's id; null: the one in training")
    level: int | None = Field(None, ge=1, description="its level; null: the training level")
    rounds: int | None = Field(None, ge=1, le=500, description="problems asked; null: the rules'")
    targeted: bool = Field(False, description="only operations that lag in the newest exams")
    form: str | None = Field(
        None,
        max_length=200,
        description="a form of the ledger, at the Inn only; null: the newest, or the hero in training",
    )


class Inference(Model):
    """One question to one form."""

    prompt: str = Field(min_length=1, max_length=200_000, description="the question")
    form: OptionalForm = None
    temperature: float | None = Field(None, ge=0, le=10, description="0 is greedy; null: the rules'")
    seed: int | None = Field(None, ge=0, description="decides what is drawn")
    max_tokens: int | None = Field(None, ge=1, le=131_072, description="longest answer")


class Generate(Model):
    """Worked problems of a skill as a quest file; exam problems are never among them."""

    skill: str = Field(description="a skill's id")
    level: int = Field(ge=1, description="its level")
    count: int = Field(200, ge=1, le=100_000, description="examples")
    first: int = Field(0, ge=0, description="number of the first training problem")
    mix: str | None = Field(None, description="a published mix; null: the hero's")
    operation: str | None = Field(None, description="only this operation")
    priority: Literal["high", "normal", "low"] = Field("low", description="of the quest")
    add: bool = Field(True, description="put it on the board; false: only write the file")


class File(Model):
    """A file of the player's, or the copy of a quest on the board."""

    file: str | None = Field(None, description="a file of the player's")
    quest: str | None = Field(None, description="a quest on the board, by name")

    @model_validator(mode="after")
    def _either(self) -> File:
        if (self.file is None) == (self.quest is None):
            raise ValueError("name a `file` or a `quest`")
        return self


class Validate(File):
    """Whether a file can become a quest."""

    long_answers: bool = Field(False, description="code or long answers, of which less needs to be masked")


class Convert(File):
    """A file in another form: pairs, instructions, shared chats or plain text become records."""

    to: Literal["messages", "text"] = Field("messages", description="the form that is written")
    out: str | None = Field(None, description="the file to write; null: one among the save's papers")


class Filter(File):
    """A file without what should not be learnt."""

    duplicates: bool = Field(False, description="true: keep duplicates")
    min_characters: int = Field(0, ge=0, description="shortest record")
    max_characters: int | None = Field(None, ge=1, description="longest record")
    min_answer: int = Field(0, ge=0, description="shortest last answer, in characters")
    max_tokens: int | None = Field(None, ge=1, description="longest record, as the hero reads it")
    without: tuple[str, ...] = Field((), description="records with one of these words are left out")
    out: str | None = Field(None, description="the file to write; null: one among the save's papers")


class Archive(Model):
    """The whole save as one file."""

    keep: Literal["none", "champion", "all"] = Field("champion", description="which forms go along")
    out: str | None = Field(None, description="the archive to write; null: one among the save's papers")


class Sync(Model):
    """A form brought to a place."""

    place: str = Field(min_length=1, description="a facility with a server")
    form: OptionalForm = None


class Layers(Model):
    """Figures of every matrix of a form."""

    form: Form = "latest"


class Drift(Layers):
    """How far each matrix has moved between two forms."""

    against: Form


@dataclass(frozen=True, slots=True)
class JobKind:
    """One kind of job."""

    id: Kind
    payload: type[Model]
    words: str
    """What it does, as a sentence's end."""
    module: str
    """Under `realm_tui.runtime.jobs.work`."""
    apart: bool = False
    """Done in a process of its own: it is heavy, and can be stopped at once."""
    example: Mapping[str, Any] = field(default_factory=dict)

    @property
    def work(self) -> Work:
        """Who does it; imported when the first one is done."""
        if self.apart:
            from realm_tui.runtime.jobs.apart import done_apart

            return done_apart
        found: Work = getattr(import_module(f"realm_tui.runtime.jobs.work.{self.module}"), self.id)
        return found

    @property
    def inside(self) -> Callable[..., Mapping[str, Any]]:
        """Who does it within a process of its own."""
        found: Callable[..., Mapping[str, Any]] = getattr(
            import_module(f"realm_tui.runtime.jobs.work.{self.module}"), self.id
        )
        return found

    def read(self, payload: Mapping[str, Any]) -> Any:
        """A payload as the kind's model.

        Raises:
            JobError: it is not one (``BAD_PAYLOAD``); every wrong field is named.
        """
        try:
            return self.payload.model_validate(dict(payload))
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(str(p) for p in e['loc']) or 'the payload'}: {str(e['msg']).removeprefix('Value error, ')}"
                for e in error.errors()
            )
            raise JobError(
                "bad_payload",
                f"this is not what a {self.id} job reads",
                why=wrong,
                fix=f"it reads {', '.join(self.payload.model_fields) or 'nothing'} (`realm job kinds`)",
                code="BAD_PAYLOAD",
            ) from error


@cache
def job_kinds() -> Mapping[str, JobKind]:
    """Every kind by its id, in the order of the schools."""
    every = (
        JobKind("eval", Eval, "examines a form of the hero", "sanctum", example={"skill": "bin", "level": 1}),
        JobKind("sparring", Spar, "lets the hero fight its own mistakes", "sanctum"),
        JobKind("inference", Inference, "puts a question to a form", "sanctum", example={"prompt": "Compute: 1 + 1"}),
        JobKind("data_gen", Generate, "writes worked problems of a skill", "forge", True, {"skill": "bin", "level": 1}),
        JobKind("data_filter", Filter, "leaves out what should not be learnt", "forge", True, {"quest": "tales"}),
        JobKind("data_convert", Convert, "turns a file into records", "forge", True, {"file": "pairs.csv"}),
        JobKind("data_validate", Validate, "checks whether a file can be trained", "forge", True, {"quest": "tales"}),
        JobKind("data_profile", File, "measures a file", "forge", True, {"quest": "tales"}),
        JobKind("archive", Archive, "packs the save into one file", "vault", True, {"keep": "champion"}),
        JobKind("retention", Nothing, "lets go of what the rules do not keep", "vault", True),
        JobKind("sync", Sync, "brings a form to a place", "sanctum", example={"place": "hub"}),
        JobKind("analytics", Nothing, "sums up how the campaign goes", "scriveners", True),
        JobKind("report", Nothing, "writes a report of the campaign", "scriveners", True),
        JobKind("health_check", Nothing, "looks after program, machine and save", "scriveners", True),
        JobKind("layer_stats", Layers, "measures every matrix of a form", "seers", True, {"form": "latest"}),
        JobKind(
            "layer_drift",
            Drift,
            "measures how far two forms lie apart",
            "seers",
            True,
            {"form": "latest", "against": "champion"},
        ),
    )
    assert {k.id for k in every} == set(KINDS)
    return {str(k.id): k for k in every}


def kind_of(name: str) -> JobKind:
    """The kind of that name; `UsageError` when there is none."""
    found = job_kinds().get(name)
    if found is None:
        raise UsageError(
            f"there is no job called {name!r}", fix=f"choose one of {', '.join(job_kinds())}", code="UNKNOWN_JOB_KIND"
        )
    return found


_PASSING = {
    "ENGINE_GONE": "transport",
    "ENGINE_BUSY": "transport",
    "NO_ANSWER": "transport",
    "SAVE_BUSY": "transport",
    "NO_REPLY": "timeout",
    "LINK_LOST": "transport",
    "PUSH_CUT": "transport",
    "HOST_UNREACHABLE": "connection_refused",
    "HOST_TIMEOUT": "timeout",
}
"""Codes of errors that may pass by themselves."""


def error_class_of(error: RealmError) -> str:
    """Whether a job may be tried again after this error: its own class, else by its code and kind."""
    own = getattr(error, "error_class", None)
    if isinstance(own, str):
        return own
    if error.code == "MODEL_MISMATCH":
        return "model_mismatch"
    if error.code in _PASSING:
        return _PASSING[error.code]
    return "bad_payload" if isinstance(error, UsageError) and not isinstance(error, BlockedError) else "validation"

"""The facts of a save as frozen dataclasses, one per table; field names are column names.

A column ``x_json`` is the decoded field ``x``; 0/1 columns are ``bool``; what is not known is ``None``.
Steps count finished optimizer steps of the campaign, times are UTC seconds since the epoch.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, TypeVar

Json = Mapping[str, Any]
JSON: Mapping[str, bool] = MappingProxyType({"json": True})
"""Marks a field that is stored as JSON text."""


class Row:
    """Base of all facts; names the table or view they are read from."""

    __slots__ = ()
    table: ClassVar[str]


R = TypeVar("R", bound=Row)


class _Shape(NamedTuple):
    """Fields of a kind of fact, in their order, and those that are not read as they are stored."""

    names: tuple[str, ...]
    bools: tuple[str, ...]
    jsons: tuple[str, ...]
    """Those decoded from ``<name>_json``."""


_SHAPES: dict[type, _Shape] = {}


def _shape(cls: type[Row]) -> _Shape:
    """How facts of this kind are stored."""
    shape = _SHAPES.get(cls)
    if shape is None:
        columns = fields(cls)  # type: ignore[arg-type]  # every fact is a dataclass
        jsons = tuple(f.name for f in columns if "json" in f.metadata)
        bools = tuple(f.name for f in columns if f.type == "bool" and f.name not in jsons)
        shape = _SHAPES[cls] = _Shape(tuple(f.name for f in columns), bools, jsons)
    return shape


def read(cls: type[R], row: sqlite3.Row) -> R:
    """The fact of type ``cls`` in a row that begins with its columns, in their order."""
    names, bools, jsons = _shape(cls)
    values: dict[str, Any] = dict(zip(names, row, strict=False))
    for name in bools:
        values[name] = bool(values[name])
    for name in jsons:
        if values[name] is not None:
            value = _decoded(values[name])
            values[name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)


_decode_first = json.JSONDecoder().raw_decode


def _decoded(text: str) -> Any:
    """What JSON text says; the save's own is compact, so that nothing has to be skipped around it."""
    with suppress(json.JSONDecodeError):
        value, end = _decode_first(text)
        if end == len(text):
            return value
    return json.loads(text)


def encode(value: Any) -> str | None:
    """JSON as the save holds it: compact, keys sorted, no NaN; None stays NULL."""
    if value is None:
        return None
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False, allow_nan=False)


def columns(fact: Row) -> dict[str, Any]:
    """The fact's values by column name, as they are stored."""
    out: dict[str, Any] = {}
    names, bools, jsons = _shape(type(fact))
    for name in names:
        value = getattr(fact, name)
        if name in jsons:
            out[name + "_json"] = encode(value)
        else:
            out[name] = int(value) if name in bools else value
    return out


def insert(conn: sqlite3.Connection, fact: Row) -> int:
    """Write a new row and return its id; an ``id`` (or ``seq``) of 0 lets the save choose."""
    values = columns(fact)
    for key in ("id", "seq"):
        if values.get(key) == 0:
            del values[key]
    marks = ", ".join("?" * len(values))
    cursor = conn.execute(
        f"INSERT INTO {fact.table} ({', '.join(values)}) VALUES ({marks})",
        tuple(values.values()),
    )
    return int(cursor.lastrowid or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign(Row):
    """One hero's way; exactly one per save is active."""

    table: ClassVar[str] = "campaigns"
    id: str
    hero_id: str
    hero: Json = field(metadata=JSON)
    """The hero's whole configuration when the campaign began."""
    name: str
    status: str
    seed: int
    starting_checkpoint_id: int | None
    starting_step: int
    overrides: Json = field(metadata=JSON)
    created_at: float
    archived_at: float | None
    parent_id: str | None = None
    """The campaign whose form this one began with (New Game+)."""
    completed_at: float | None = None
    summary: Json = field(metadata=JSON, default_factory=dict)
    """What was reached, written when it was archived."""
    recipe: Json = field(metadata=JSON, default_factory=dict)
    """The recipe it re-runs; empty: none."""

    @property
    def began_at(self) -> float:
        """The date that a hero is told in its system turn: that of the recipe it follows, else of its own beginning."""
        followed = self.recipe.get("began_at")
        return self.created_at if followed is None else float(followed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Row):
    """One life of a trainer, from a checkpoint (or nothing) on."""

    table: ClassVar[str] = "runs"
    id: int = 0
    campaign_id: str
    parent_run_id: int | None
    parent_checkpoint_id: int | None
    first_step: int
    """Steps already done when the run began; its own steps are larger."""
    superseded_after: int | None
    """Facts beyond this step were left behind by a later run; None while all of them count."""
    exact: bool
    pid: int
    environment: Json = field(metadata=JSON)
    started_at: float
    ended_at: float | None
    end_reason: str | None
    last_step: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWindow(Row):
    """Consecutive steps of one quest, summed; every counter adds up when windows are merged."""

    table: ClassVar[str] = "step_windows"
    run_id: int
    first_step: int
    last_step: int
    first_at: float
    last_at: float
    active_s: float
    """Seconds spent in these steps; pauses and exams are not in it."""
    skill: str | None
    quest_attempt_id: int | None
    floor: float | None
    steps: int
    loss_sum: float
    """Over the finite steps (``steps - nonfinite``)."""
    loss_min: float | None
    loss_last: float | None
    strain_sum: float
    """Over the steps whose strain is known (those not in ``zone_unknown``)."""
    strain_last: float | None
    zone_recovery: int
    zone_productive: int
    zone_stretch: int
    zone_overload: int
    zone_unknown: int
    new_bests: int
    misses: int
    nonfinite: int
    longest_streak: int
    tokens: int
    trained_tokens: int
    examples: int
    grad_norm_sum: float
    grad_norm_max: float | None
    learning_rate: float | None
    data_s: float | None = None
    """Seconds of `active_s` that went into making the data; None where it was not measured, as is each of the next."""
    compute_s: float | None = None
    """Into forward and backward passes."""
    forward_s: float | None = None
    """Into forward passes, as a part of `compute_s`; None also where both are one call."""
    update_s: float | None = None
    """Into the optimizer's update; None also where it happens within the backward pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgedQuest(Row):
    """A stretch of problems the engine made itself: a recipe, not a file."""

    table: ClassVar[str] = "forged_quests"
    id: int = 0
    run_id: int
    skill: str
    recipe: Json = field(metadata=JSON)
    first_step: int
    last_step: int | None
    started_at: float
    ended_at: float | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quest(Row):
    """A player's quest with its state: the quest's own columns, then those of its newest live attempt."""

    table: ClassVar[str] = "quest_states"
    id: int
    name: str
    file: str
    """File name inside the save's ``quests/``."""
    digest: str
    format: str
    priority: str
    epochs: int
    counts: Json = field(metadata=JSON)
    source: str
    created_at: float
    removed_at: float | None
    origin: str = "player"
    """player, sparring or forge: who wrote it."""
    checkpoint_id: int | None = None
    """The form whose failures it holds (sparring)."""
    asked_step: int | None = None
    """The optimizer step of that form."""
    place_at: int | None = None
    """Where the player moved it among the quests of its priority; None: where its id says."""
    attempt_id: int | None
    run_id: int | None
    first_step: int | None
    last_step: int | None
    steps_total: int | None
    examples_done: int | None
    tokens: Json | None = field(metadata=JSON)
    loss_before: float | None
    loss_after: float | None
    samples: tuple[Json, ...] | None = field(metadata=JSON)
    reason: str | None
    started_at: float | None
    ended_at: float | None
    failures: int
    state: str
    """queued, processing, completed, failed, skipped or removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestAttempt(Row):
    """One try at a player's quest within one run."""

    table: ClassVar[str] = "quest_attempts"
    id: int = 0
    quest_id: int
    run_id: int
    continues_id: int | None
    """The attempt of an earlier run that this one goes on with."""
    first_step: int
    last_step: int | None
    state: str
    steps_total: int | None
    examples_done: int
    tokens: Json = field(metadata=JSON)
    loss_before: float | None
    loss_after: float | None
    samples: tuple[Json, ...] = field(metadata=JSON)
    reason: str | None
    started_at: float
    ended_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam(Row):
    """One exam of one level, answered by one checkpoint or live step."""

    table: ClassVar[str] = "exams"
    id: int = 0
    run_id: int
    step: int
    skill: str
    level: int
    mix: str
    kind: str
    """gate, screen, asked, or a kind of the exam plan (quick, full, backfill, passive, suite, pair, transfer, trial)."""
    first_index: int
    items: int
    correct: int
    errors: int = 0
    """Items that could not be answered; they are not among ``items``."""
    repeats: int = 0
    apprentice: bool = False
    operations: Json = field(metadata=JSON, default_factory=dict)
    """Operation to ``{"correct", "items", "chance"}``; chance is what an answer earns that ignores the operands."""
    results: Json = field(metadata=JSON, default_factory=dict)
    """Result (crit, hit, …) to its count."""
    sequence: str = ""
    """One letter per item in order, see `RESULT_LETTERS`; outlives the items themselves."""
    weights: str
    """Which weights answered: ``live``, ``ema``, ``base``, or a form's digest."""
    won_level: bool = False
    duration_s: float
    at: float
    plan: str = ""
    """The entry of the exam plan that asked for it; empty: none."""
    skill_version: str = ""
    primitives: Json = field(metadata=JSON, default_factory=dict)
    """Primitive to ``{"correct", "items"}``, over the items that exercise it."""
    format_failures: int = 0
    """Items among ``items`` whose answer had no readable result."""
    context_hash: str = ""
    """Hash of everything around the items that could change an answer: template, system turn, data profile, token limit."""
    checkpoint_id: int | None = None
    """The checkpoint that was asked for; None: the hero in training, also where a form it had just become answered elsewhere."""


RESULT_LETTERS: Mapping[str | None, str] = {
    "crit": "C",
    "hit": "H",
    "glancing": "G",
    "miss": "M",
    "crit_miss": "X",
    None: "?",
}
"""How `Exam.sequence` spells a result; ``?`` stands for an item without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamItem(Row):
    """One question of an exam with the hero's answer."""

    table: ClassVar[str] = "exam_items"
    exam_id: int = 0
    position: int
    item_index: int
    operation: str
    tier: str
    problem_digest: str
    prompt: str
    expected: str
    answer: str | None
    result: str | None
    correct: bool
    repeat: bool = False
    primitives: tuple[str, ...] = field(metadata=JSON, default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Row):
    """Whether a mastered level was still held when it was screened."""

    table: ClassVar[str] = "holds"
    id: int = 0
    run_id: int
    step: int
    skill: str
    level: int
    items: int
    correct: int
    lost: bool
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelUp(Row):
    """A level won, anchored by a checkpoint."""

    table: ClassVar[str] = "level_ups"
    id: int = 0
    run_id: int
    step: int
    skill: str
    from_level: int
    to_level: int
    exam_ids: tuple[int, ...] = field(metadata=JSON)
    steps: int
    """Steps spent at the level."""
    effort: float
    start_loss: float | None
    end_loss: float | None
    checkpoint_id: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint(Row):
    """One saved form of the hero, as the ledger lists it."""

    table: ClassVar[str] = "checkpoints"
    id: int = 0
    run_id: int
    campaign_id: str
    step: int
    name: str
    path: str
    """The folder, relative to the save's folder where it lies inside it."""
    digest: str
    bytes: int
    reasons: tuple[str, ...] = field(metadata=JSON)
    facts: Json = field(metadata=JSON)
    protected: bool = False
    at: float
    deleted_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion(Row):
    """A form that was promoted; the reigning one has no ``retired_at``."""

    table: ClassVar[str] = "champions"
    id: int = 0
    checkpoint_id: int
    exam_id: int | None
    export_path: str | None
    at: float
    retired_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident(Row):
    """Something that went wrong, with its way out."""

    table: ClassVar[str] = "incidents"
    id: int = 0
    run_id: int | None
    step: int | None
    rule: str
    category: str
    severity: str
    status: str
    title: str
    fix: str
    blocks: bool
    detail: Json = field(metadata=JSON)
    count: int = 1
    at: float
    last_at: float
    resolved_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry(Row):
    """A command, or anything else from outside, with the step at which it took effect."""

    table: ClassVar[str] = "journal"
    seq: int = 0
    command_id: str | None
    run_id: int
    step: int
    verb: str
    args: Json = field(metadata=JSON)
    changes_training: bool
    result: Json | None = field(metadata=JSON, default=None)
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance(Row):
    """What pruned facts of one run and step range added up to."""

    table: ClassVar[str] = "balances"
    id: int = 0
    run_id: int
    kind: str
    first_step: int
    last_step: int
    state: Json = field(metadata=JSON)
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift(Row):
    """How something nobody trains, or a won level, stood against its best."""

    table: ClassVar[str] = "drifts"
    id: int = 0
    run_id: int
    step: int
    plan: str
    """The entry of the exam plan that measured it."""
    skill: str
    level: int
    baseline: float
    """Best share so far, with which it is compared."""
    share: float
    severity: str
    """none, warning or critical."""
    detail: Json = field(metadata=JSON, default_factory=dict)
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial(Row):
    """One try at a discipline's next level."""

    table: ClassVar[str] = "trials"
    id: int = 0
    run_id: int
    step: int
    discipline: str
    level: int
    items: int
    correct: int
    threshold: float
    passed: bool
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Row):
    """Something the curriculum decided or found, with its reason."""

    table: ClassVar[str] = "decisions"
    id: int = 0
    run_id: int
    step: int
    kind: str
    """strategy, attempt (at a level), regression, drill, maxed …"""
    skill: str = ""
    strategy: str = ""
    decision: str
    reason: str
    detail: Json = field(metadata=JSON, default_factory=dict)
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparring(Row):
    """One round of sparring: what a form got wrong, and the quest made of it."""

    table: ClassVar[str] = "sparring"
    id: int = 0
    run_id: int
    step: int
    checkpoint_id: int | None
    skill: str
    level: int
    asked: int
    failed: int
    records: int
    quest_id: int | None
    """The quest made of it; None: nothing was wrong."""
    detail: Json = field(metadata=JSON, default_factory=dict)
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone(Row):
    """A moment of a campaign worth remembering: noted by the game, or by the player."""

    table: ClassVar[str] = "milestones"
    id: int = 0
    campaign_id: str
    step: int
    kind: str
    note: str
    metrics: Json = field(metadata=JSON, default_factory=dict)
    at: float

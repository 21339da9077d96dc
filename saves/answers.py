"""Exams that are answered outside: the engine asks and marks, the runtime answers. Each table has one writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from configs import clock
from configs.errors import RealmError, UsageError
from saves.connection import transaction
from saves.rows import JSON, Json, Row, encode, insert, read


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamRequest(Row):
    """An exam that the engine wants answered by somebody else."""

    table: ClassVar[str] = "exam_requests"
    id: int = 0
    run_id: int
    step: int
    """At which it was asked for."""
    plan: str
    skill: str
    level: int
    kind: str
    checkpoint_id: int | None
    """The form that is to answer."""
    digest: str
    """Of that form's model, 64 hex."""
    items: tuple[Any, ...] = field(metadata=JSON)
    """What is asked, in order: for each question its ``prompt``, ``messages`` or token ``ids``, and what marking needs."""
    state: str = "open"
    """open, entered (marked at ``entered_step``), home (the engine answered it itself) or dropped."""
    entered_step: int | None = None
    exam_id: int | None = None
    reason: str = ""
    at: float
    closed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers(Row):
    """What a strict worker answered to one request."""

    table: ClassVar[str] = "answers"
    id: int = 0
    request_id: int
    job_id: int | None
    digest: str
    """As the worker proved it."""
    worker: str
    texts: tuple[str, ...] = field(metadata=JSON)
    """One for each item, in their order."""
    detail: Json = field(metadata=JSON, default_factory=dict)
    seconds: float
    at: float


def ask_outside(conn: sqlite3.Connection, request: ExamRequest) -> int:
    """Write a request, durably; its number. Only the engine does this."""
    with transaction(conn, durable=True):
        return insert(conn, request)


def close_request(
    conn: sqlite3.Connection,
    request_id: int,
    state: str,
    *,
    step: int | None = None,
    exam_id: int | None = None,
    reason: str = "",
) -> None:
    """Say what became of a request (``entered``, ``home`` or ``dropped``). Only the engine does this."""
    with transaction(conn):
        conn.execute(
            "UPDATE exam_requests SET state = ?, entered_step = ?, exam_id = ?, reason = ?, closed_at = ? WHERE id = ?",
            (state, step, exam_id, reason, clock.now(), request_id),
        )


def request(conn: sqlite3.Connection, request_id: int) -> ExamRequest:
    """One request; `UsageError` when there is none of that number."""
    row = conn.execute("SELECT * FROM exam_requests WHERE id = ?", (request_id,)).fetchone()
    if row is None:
        raise UsageError(f"no exam was asked for under number {request_id}", code="UNKNOWN_REQUEST")
    return read(ExamRequest, row)


def open_requests(conn: sqlite3.Connection) -> list[ExamRequest]:
    """Requests that are not closed, oldest first; answered ones among them until the engine has marked them."""
    rows = conn.execute("SELECT * FROM exam_requests WHERE state = 'open' ORDER BY id").fetchall()
    return [read(ExamRequest, row) for row in rows]


def unanswered(conn: sqlite3.Connection) -> list[ExamRequest]:
    """Open requests that nobody has answered, oldest first."""
    rows = conn.execute(
        """SELECT * FROM exam_requests WHERE state = 'open' AND id NOT IN (SELECT request_id FROM answers) ORDER BY id"""
    ).fetchall()
    return [read(ExamRequest, row) for row in rows]


def answers_to(conn: sqlite3.Connection, request_id: int) -> Answers | None:
    """The answers to a request; None while there are none."""
    row = conn.execute("SELECT * FROM answers WHERE request_id = ?", (request_id,)).fetchone()
    return None if row is None else read(Answers, row)


def answer(
    conn: sqlite3.Connection,
    request_id: int,
    texts: Sequence[str],
    *,
    digest: str,
    worker: str,
    seconds: float,
    job_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write the answers to a request, durably; the first ones stay, whoever comes later. Only the runtime does this.

    Raises:
        UsageError: there is no such request.
        RealmError: another form answered (``MODEL_MISMATCH``), or there is not one answer for each item.
    """
    asked = request(conn, request_id)
    if digest != asked.digest:
        raise RealmError(
            f"exam request {request_id} was answered by another form",
            why=f"asked was {asked.digest[:12]}, the worker proved {digest[:12]}",
            fix="see `realm worker list`; the exam is asked again",
            code="MODEL_MISMATCH",
        )
    if len(texts) != len(asked.items):
        raise RealmError(
            f"exam request {request_id} has {len(asked.items)} questions, but {len(texts)} answers came",
            fix="the exam is asked again",
            code="ANSWERS_INCOMPLETE",
        )
    with transaction(conn, durable=True):
        conn.execute(
            """INSERT INTO answers (request_id, job_id, digest, worker, texts_json, detail_json, seconds, at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (request_id) DO NOTHING""",
            (request_id, job_id, digest, worker, encode(list(texts)), encode(dict(detail or {})), seconds, clock.now()),
        )

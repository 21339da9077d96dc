"""Exams asked outside: what the engine wants asked of a form, and what workers answered.

The engine writes requests; the runtime writes answers, one for each request and never twice. At a step boundary the engine takes in
the answers of a round and marks them; both stay on record, so that a resumed run takes the same answers in at the same step.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from configs import clock
from configs.errors import RealmError, UsageError
from saves.connection import transaction
from saves.rows import JSON, Json, Row, encode, insert, read


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamRequest(Row):
    """Questions for one form; they are answered together, greedily."""

    table: ClassVar[str] = "exam_requests"
    id: int = 0
    run_id: int
    step: int
    """The step after which the form stood."""
    sitting: str
    """Names the examination within its campaign, e.g. ``gate:bin:1200``."""
    round: int
    position: int
    """Place within the round."""
    plan: str
    """The entry of the exam plan; empty: the gate's."""
    skill: str
    mix: str
    level: int
    kind: str
    first_index: int
    checkpoint_id: int
    digest: str
    items: tuple[Json, ...] = field(metadata=JSON)
    """``ids`` of each prompt and ``max_tokens`` of its answer."""
    state: str = "open"
    """open, entered, home (examined on the training machine instead) or dropped."""
    entered_step: int | None = None
    exam_id: int | None = None
    reason: str = ""
    at: float
    closed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers(Row):
    """What a worker said to a request."""

    table: ClassVar[str] = "answers"
    id: int = 0
    request_id: int
    job_id: int | None
    digest: str
    """Of the form that answered, as the worker proved it."""
    worker: str
    texts: tuple[str, ...] = field(metadata=JSON)
    detail: Json = field(metadata=JSON, default_factory=dict)
    seconds: float
    at: float


def post(conn: sqlite3.Connection, wanted: Sequence[ExamRequest]) -> list[ExamRequest]:
    """Write the requests of one round, durably; those that stand already for the same form are returned as they are.

    Requests of the round for another form (a run that was left behind) are dropped.
    """
    with transaction(conn, durable=True):
        known = of_round(conn, wanted[0].run_id, wanted[0].sitting, wanted[0].round)
        if [r.digest for r in known] == [r.digest for r in wanted]:
            return known
        _close(conn, known, "dropped", reason="another form was examined")
        for request in wanted:
            insert(conn, request)
        return of_round(conn, wanted[0].run_id, wanted[0].sitting, wanted[0].round)


def of_round(conn: sqlite3.Connection, run_id: int, sitting: str, number: int) -> list[ExamRequest]:
    """The requests of a round that count, by place, whichever run of the same campaign wrote them."""
    found = conn.execute(
        """SELECT q.* FROM exam_requests q JOIN runs r ON r.id = q.run_id
           WHERE q.sitting = ? AND q.round = ? AND q.state <> 'dropped'
             AND r.campaign_id = (SELECT campaign_id FROM runs WHERE id = ?) ORDER BY q.position""",
        (sitting, number, run_id),
    )
    return [read(ExamRequest, row) for row in found.fetchall()]


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
        "SELECT * FROM exam_requests WHERE state = 'open' AND id NOT IN (SELECT request_id FROM answers) ORDER BY id"
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
    detail: Json | None = None,
) -> bool:
    """Write the answers to a request, durably; False where it was answered or closed before: the first ones stay.

    Raises:
        UsageError: there is no such request.
        RealmError: another form answered (``MODEL_MISMATCH``), or there is not one answer for each item.
    """
    with transaction(conn, durable=True):
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
        if asked.state != "open" or answers_to(conn, request_id) is not None:
            return False
        insert(
            conn,
            Answers(
                request_id=request_id,
                job_id=job_id,
                digest=digest,
                worker=worker,
                texts=tuple(texts),
                detail=detail or {},
                seconds=seconds,
                at=clock.now(),
            ),
        )
        return True


def entered(conn: sqlite3.Connection, requests: Sequence[ExamRequest], step: int, exam_ids: Sequence[int]) -> None:
    """Note that answers were taken in after ``step``, and as which exams."""
    with transaction(conn, durable=True):
        conn.executemany(
            "UPDATE exam_requests SET state = 'entered', entered_step = ?, exam_id = ?, closed_at = ? WHERE id = ?",
            [(step, exam_id, clock.now(), r.id) for r, exam_id in zip(requests, exam_ids, strict=True)],
        )


def came_home(conn: sqlite3.Connection, requests: Sequence[ExamRequest], step: int, reason: str) -> None:
    """Note that the training machine examined the hero itself after ``step``."""
    with transaction(conn, durable=True):
        _close(conn, requests, "home", reason=reason, step=step)


def let_go(conn: sqlite3.Connection, requests: Sequence[ExamRequest], reason: str) -> None:
    """Note that requests need no answer any more, durably."""
    with transaction(conn, durable=True):
        _close(conn, requests, "dropped", reason=reason)


def drop_unwaited(conn: sqlite3.Connection, campaign_id: str, sittings: Sequence[str]) -> int:
    """Drop a campaign's open requests of sittings that nobody waits for any more, durably; how many there were."""
    with transaction(conn, durable=True):
        found = conn.execute(
            """SELECT q.* FROM exam_requests q JOIN runs r ON r.id = q.run_id
               WHERE q.state = 'open' AND r.campaign_id = ? AND q.sitting NOT IN (SELECT value FROM json_each(?))""",
            (campaign_id, json.dumps(list(sittings))),
        )
        gone = [read(ExamRequest, row) for row in found.fetchall()]
        _close(conn, gone, "dropped", reason="the hero went another way")
        return len(gone)


def wanted_forms(conn: sqlite3.Connection) -> set[int]:
    """Ids of checkpoints that must stay because questions wait for them."""
    return {row[0] for row in conn.execute("SELECT DISTINCT checkpoint_id FROM exam_requests WHERE state = 'open'")}


def drop_old(conn: sqlite3.Connection, campaign_id: str, before_step: int) -> int:
    """Let the questions and answers go of rounds that were closed before a step to which nothing resumes any more.

    The rows stay with what became of them; returns how many were emptied.
    """
    with transaction(conn):
        done = conn.execute(
            """SELECT q.id FROM exam_requests q JOIN runs r ON r.id = q.run_id
               WHERE r.campaign_id = ? AND q.state <> 'open' AND coalesce(q.entered_step, q.step) < ? AND q.items_json <> '[]'""",
            (campaign_id, before_step),
        ).fetchall()
        conn.executemany("DELETE FROM answers WHERE request_id = ?", [(row[0],) for row in done])
        conn.executemany("UPDATE exam_requests SET items_json = ? WHERE id = ?", [(encode([]), row[0]) for row in done])
        return len(done)


def _close(
    conn: sqlite3.Connection, requests: Sequence[ExamRequest], state: str, *, reason: str, step: int | None = None
) -> None:
    conn.executemany(
        "UPDATE exam_requests SET state = ?, reason = ?, entered_step = ?, closed_at = ? WHERE id = ?",
        [(state, reason, step, clock.now(), r.id) for r in requests],
    )

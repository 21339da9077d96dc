"""What the Garrison saw and called out, and what the Task Master began. Written by the runtime."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from configs import clock
from saves.connection import transaction
from saves.rows import JSON, Json, Row, encode, insert, read

Severity = Literal["low", "medium", "high", "critical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patrol(Row):
    """One look at one place."""

    table: ClassVar[str] = "patrols"
    id: int = 0
    box: str
    status: str
    """healthy, warning, critical, offline or unknown."""
    facts: Json = field(metadata=JSON, default_factory=dict)
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Row):
    """Something wrong at a place, from its first look to its last."""

    table: ClassVar[str] = "alerts"
    id: int = 0
    box: str
    rule: str
    severity: str
    title: str
    why: str = ""
    fix: str = ""
    detail: Json = field(metadata=JSON, default_factory=dict)
    count: int = 1
    at: float
    last_at: float
    resolved_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun(Row):
    """One run of a task."""

    table: ClassVar[str] = "task_runs"
    id: int = 0
    task: str
    outcome: str
    """running, completed, failed, cancelled or gone (whoever began it left)."""
    box: str = ""
    job_id: int | None = None
    error: str | None = None
    detail: Json = field(metadata=JSON, default_factory=dict)
    started_at: float
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Called:
    """A trouble as a look finds it."""

    rule: str
    severity: Severity
    title: str
    why: str = ""
    fix: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def looked(conn: sqlite3.Connection, box: str, status: str, facts: Mapping[str, Any], found: Sequence[Called]) -> None:
    """Write a look down: what is wrong is called out once and counted, what is right again is closed."""
    now = clock.now()
    with transaction(conn):
        insert(conn, Patrol(box=box, status=status, facts=dict(facts), at=now))
        known = {a.rule: a for a in open_alerts(conn, box=box)}
        for one in found:
            if one.rule in known:
                conn.execute(
                    """UPDATE alerts SET severity = ?, title = ?, why = ?, fix = ?, detail_json = ?, count = count + 1, last_at = ?
                       WHERE id = ?""",
                    (one.severity, one.title, one.why, one.fix, encode(dict(one.detail)), now, known[one.rule].id),
                )
                continue
            insert(
                conn,
                Alert(
                    box=box,
                    rule=one.rule,
                    severity=one.severity,
                    title=one.title,
                    why=one.why,
                    fix=one.fix,
                    detail=dict(one.detail),
                    at=now,
                    last_at=now,
                ),
            )
        over = [a.id for rule, a in known.items() if rule not in {one.rule for one in found}]
        conn.executemany("UPDATE alerts SET resolved_at = ? WHERE id = ?", [(now, number) for number in over])


def only(conn: sqlite3.Connection, boxes: Collection[str]) -> None:
    """Forget the looks at places that are not looked after any more, and close what was wrong there."""
    known = json.dumps(sorted(boxes))
    with transaction(conn):
        conn.execute(
            "UPDATE alerts SET resolved_at = ? WHERE resolved_at IS NULL AND box NOT IN (SELECT value FROM json_each(?))",
            (clock.now(), known),
        )
        conn.execute("DELETE FROM patrols WHERE box NOT IN (SELECT value FROM json_each(?))", (known,))


def newest_patrols(conn: sqlite3.Connection) -> dict[str, Patrol]:
    """The newest look at each place."""
    rows = conn.execute("SELECT * FROM patrols WHERE id IN (SELECT max(id) FROM patrols GROUP BY box) ORDER BY box")
    return {patrol.box: patrol for patrol in (read(Patrol, row) for row in rows.fetchall())}


def patrols(conn: sqlite3.Connection, box: str, *, limit: int = 60) -> list[Patrol]:
    """The newest looks at a place, newest first."""
    rows = conn.execute("SELECT * FROM patrols WHERE box = ? ORDER BY id DESC LIMIT ?", (box, limit))
    return [read(Patrol, row) for row in rows.fetchall()]


def open_alerts(conn: sqlite3.Connection, *, box: str | None = None) -> list[Alert]:
    """What is wrong now, oldest first."""
    rows = conn.execute(
        "SELECT * FROM alerts WHERE resolved_at IS NULL AND (? IS NULL OR box = ?) ORDER BY id", (box, box)
    )
    return [read(Alert, row) for row in rows.fetchall()]


def begin_task(conn: sqlite3.Connection, task: str, *, box: str = "", job_id: int | None = None) -> int:
    """Note that a task was begun; its run's number."""
    with transaction(conn):
        return insert(conn, TaskRun(task=task, outcome="running", box=box, job_id=job_id, started_at=clock.now()))


def end_task(
    conn: sqlite3.Connection, run_id: int, outcome: str, *, error: str | None = None, detail: Json | None = None
) -> None:
    """Note how a run ended."""
    with transaction(conn):
        conn.execute(
            "UPDATE task_runs SET outcome = ?, error = ?, detail_json = ?, ended_at = ? WHERE id = ? AND ended_at IS NULL",
            (outcome, error, encode(dict(detail or {})), clock.now(), run_id),
        )


def running_tasks(conn: sqlite3.Connection) -> list[TaskRun]:
    """Runs that did not end, oldest first."""
    rows = conn.execute("SELECT * FROM task_runs WHERE ended_at IS NULL ORDER BY id")
    return [read(TaskRun, row) for row in rows.fetchall()]


def last_runs(conn: sqlite3.Connection) -> dict[str, TaskRun]:
    """The newest run of each task."""
    rows = conn.execute("SELECT * FROM task_runs WHERE id IN (SELECT max(id) FROM task_runs GROUP BY task)")
    return {run.task: run for run in (read(TaskRun, row) for row in rows.fetchall())}


def forget(conn: sqlite3.Connection, *, looks_before: float, history_before: float, dry: bool = False) -> int:
    """Drop old looks (never the newest of a place), ended alarms and ended runs (never the newest of a task); how many."""
    old = {
        "patrols": ("at < ? AND id NOT IN (SELECT max(id) FROM patrols GROUP BY box)", looks_before),
        "alerts": ("resolved_at < ?", history_before),
        "task_runs": ("ended_at < ? AND id NOT IN (SELECT max(id) FROM task_runs GROUP BY task)", history_before),
    }
    if dry:
        counts = [conn.execute(f"SELECT count(*) FROM {t} WHERE {w}", (b,)).fetchone()[0] for t, (w, b) in old.items()]
        return sum(counts)
    with transaction(conn):
        return sum(conn.execute(f"DELETE FROM {t} WHERE {w}", (b,)).rowcount for t, (w, b) in old.items())

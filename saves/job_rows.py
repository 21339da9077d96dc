"""Jobs and their events as rows, what may become of them, and looking at them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, ClassVar, Literal

from configs import clock
from configs.errors import UsageError
from saves.rows import JSON, Json, Row, read

if TYPE_CHECKING:
    from configs.jobs import JobRules

WAITING = ("pending", "queued")
HELD = ("claimed", "running")
ENDED = ("completed", "failed", "cancelled", "timeout")
STATUSES = (*WAITING, *HELD, *ENDED)
BRIEF = 2000
"""Letters up to which a list of jobs holds a result."""
PRIORITIES = ("critical", "high", "normal", "low", "idle")
RETRYABLE = frozenset({"transport", "connection_refused", "inference", "timeout", "lease_expired"})
"""Classes of errors that may pass by themselves; all others end the job."""
FINAL = frozenset({"validation", "bad_payload", "model_mismatch", "cancelled"})

Alive = Callable[[str], bool | None]
"""Whether the holder of a lease lives; None: it cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Row):
    """One piece of work beside training."""

    table: ClassVar[str] = "jobs"
    id: int = 0
    kind: str
    school: str
    status: str
    priority: str
    key: str | None
    """While a job of this key is unfinished, another one is not made."""
    payload: Json = field(metadata=JSON)
    result: Json | None = field(metadata=JSON)
    attempts: int
    """Times it was taken."""
    max_attempts: int
    lease_owner: str | None
    lease_until: float | None
    worker: str | None
    """Where it is, or was, worked on."""
    error_class: str | None
    error: str | None
    """What went wrong last; without a class what it waits for, or what is being done."""
    created_at: float
    claimed_at: float | None
    started_at: float | None
    ended_at: float | None
    not_before: float
    """It is not taken earlier."""

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent(Row):
    """One transition of a job."""

    table: ClassVar[str] = "job_events"
    id: int = 0
    job_id: int
    event: str
    """submitted, claimed, started, completed, failed, again, put_off, expired, cancelled or retried."""
    status: str
    """The job's afterwards."""
    attempt: int
    owner: str | None
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Pressure:
    """How full one kind is."""

    kind: str
    pending: int
    running: int
    pending_most: int | None
    running_most: int | None
    policy: str

    @property
    def full(self) -> bool:
        """Whether as many wait as may."""
        return self.pending_most is not None and self.pending >= self.pending_most


@dataclass(frozen=True, slots=True)
class JobWarning:
    """Something about a job that a person should know."""

    kind: Literal["stuck_pending", "stuck_running", "orphaned"]
    job: Job
    since: float


def job(conn: sqlite3.Connection, job_id: int) -> Job:
    """One job; `UsageError` when there is none of that number."""
    row = conn.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        raise UsageError(f"there is no job {job_id}", fix="see `realm job list --all`", code="UNKNOWN_JOB")
    return read(Job, row)


def jobs(
    conn: sqlite3.Connection,
    *,
    statuses: Sequence[str] = STATUSES,
    kinds: Sequence[str] = (),
    limit: int = 200,
    brief: bool = False,
) -> list[Job]:
    """Jobs: those under way first, then what waits in its order, then what ended, newest first.

    Args:
        conn: the save.
        statuses: which.
        kinds: which; none: every kind.
        limit: how many at most.
        brief: leave out results that are long (`job` has them).
    """
    of_kind = f"AND kind IN ({', '.join('?' * len(kinds))})" if kinds else ""
    result = f"iif(length(result_json) > {BRIEF}, NULL, result_json)" if brief else "result_json"
    columns = ", ".join(
        result if f.name == "result" else f.name + "_json" * ("json" in f.metadata) for f in fields(Job)
    )
    rows = conn.execute(
        f"""SELECT {columns} FROM jobs WHERE status IN ({", ".join("?" * len(statuses))}) {of_kind}
            ORDER BY CASE WHEN lease_owner IS NOT NULL THEN 0 WHEN ended_at IS NULL THEN 1 ELSE 2 END,
                     CASE WHEN ended_at IS NULL THEN rank END, CASE WHEN ended_at IS NULL THEN id END,
                     ended_at DESC, id DESC LIMIT ?""",
        (*statuses, *kinds, limit),
    ).fetchall()
    return [read(Job, row) for row in rows]


def newest(conn: sqlite3.Connection, key: str) -> Job | None:
    """The job of a key that was made last, ended or not."""
    row = conn.execute("SELECT * FROM jobs WHERE key = ? ORDER BY id DESC LIMIT 1", (key,)).fetchone()
    return None if row is None else read(Job, row)


def events(conn: sqlite3.Connection, job_id: int) -> list[JobEvent]:
    """What happened to a job, oldest first."""
    rows = conn.execute("SELECT * FROM job_events WHERE job_id = ? ORDER BY id", (job_id,)).fetchall()
    return [read(JobEvent, row) for row in rows]


def counts(conn: sqlite3.Connection) -> dict[str, int]:
    """How many jobs are in each status; statuses without one are 0."""
    found = dict(conn.execute("SELECT status, count(*) FROM jobs GROUP BY status").fetchall())
    return {status: int(found.get(status, 0)) for status in STATUSES}


def pressure(conn: sqlite3.Connection, *, rules: JobRules | None = None) -> dict[str, Pressure]:
    """How full each kind is."""
    rules = rules or rules_in_force()
    rows = conn.execute(
        """SELECT kind, sum(lease_owner IS NULL) AS waiting, sum(lease_owner IS NOT NULL) AS held FROM jobs
           WHERE status IN ('pending', 'queued', 'claimed', 'running') GROUP BY kind"""
    ).fetchall()
    found = {r["kind"]: (int(r["waiting"]), int(r["held"])) for r in rows}
    return {
        str(kind): Pressure(str(kind), *found.get(kind, (0, 0)), rule.pending, rule.running, rule.policy)
        for kind, rule in rules.kinds.items()
    }


def mode(conn: sqlite3.Connection, *, rules: JobRules | None = None) -> Literal["catch_up", "normal", "idle"]:
    """What the dispatchers do: ``catch_up`` while too many critical jobs wait, ``idle`` when there are none at all."""
    rules = rules or rules_in_force()
    critical, unfinished = conn.execute(
        """SELECT coalesce(sum(priority = 'critical' AND lease_owner IS NULL), 0), count(*) FROM jobs
           WHERE status IN ('pending', 'queued', 'claimed', 'running')"""
    ).fetchone()
    if critical > rules.catch_up_critical:
        return "catch_up"
    return "normal" if unfinished else "idle"


def warnings(
    conn: sqlite3.Connection,
    now: float | None = None,
    *,
    alive: Alive | None = None,
    rules: JobRules | None = None,
) -> list[JobWarning]:
    """Jobs that nobody takes, that do not end, or whose worker is gone; the longest first."""
    rules = rules or rules_in_force()
    now = clock.now() if now is None else now
    rows = conn.execute(
        "SELECT * FROM jobs WHERE status IN ('pending', 'queued', 'claimed', 'running') ORDER BY id"
    ).fetchall()
    found = []
    for one in (read(Job, row) for row in rows):
        if one.status in WAITING:
            since = max(one.created_at, one.not_before)
            if now - since > rules.warnings.stuck_pending_s:
                found.append(JobWarning("stuck_pending", one, since))
        elif lost(one, now, alive, rules):
            found.append(JobWarning("orphaned", one, one.claimed_at or one.created_at))
        else:
            since = one.started_at or one.claimed_at or one.created_at
            if now - since > rules.warnings.stuck_running_s:
                found.append(JobWarning("stuck_running", one, since))
    return sorted(found, key=lambda w: w.since)


def rules_in_force() -> JobRules:
    """The rules of jobs; loaded when the first one is asked for, since a save is opened without them."""
    from configs.jobs import load_jobs

    return load_jobs()


def lost(found: Job, now: float, alive: Alive | None, rules: JobRules) -> bool:
    """Whether a lease has run out, or its holder is known to be gone; also one that reaches further than a new one would."""
    if found.lease_owner is None or found.lease_until is None:
        return False
    if found.lease_until <= now or found.lease_until > now + 2 * rules.lease.seconds:
        return True
    return alive is not None and alive(found.lease_owner) is False

"""The one table of jobs. Whoever holds a job's lease works on it; nobody else can finish it.

Statuses: ``pending`` (may be taken), ``queued`` (waits for its moment: after a failure, or until there is a worker), ``claimed`` and
``running`` (under a lease), and four ends: ``completed``, ``failed``, ``cancelled``, ``timeout``. Every transition is one short
transaction together with the event that tells of it. Written by the runtime: any number of dispatchers, face and command line.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from configs import clock
from configs.errors import BlockedError, UsageError
from saves.connection import transaction
from saves.job_rows import (
    ENDED,
    FINAL,
    HELD,
    PRIORITIES,
    RETRYABLE,
    STATUSES,
    WAITING,
    Alive,
    Job,
    JobEvent,
    JobWarning,
    Pressure,
    counts,
    events,
    job,
    jobs,
    lost,
    mode,
    newest,
    pressure,
    rules_in_force,
    warnings,
)
from saves.rows import encode, read

if TYPE_CHECKING:
    from configs.jobs import JobRules

__all__ = [
    "ENDED",
    "FINAL",
    "HELD",
    "PRIORITIES",
    "RETRYABLE",
    "STATUSES",
    "WAITING",
    "Alive",
    "Job",
    "JobEvent",
    "JobWarning",
    "Pressure",
    "begin",
    "cancel",
    "claim",
    "complete",
    "counts",
    "doing",
    "events",
    "fail",
    "forget",
    "job",
    "jobs",
    "mode",
    "newest",
    "pressure",
    "put_off",
    "renew",
    "retry",
    "submit",
    "sweep",
    "warnings",
]

# ---------------------------------------------------------------- asking for work


def submit(
    conn: sqlite3.Connection,
    kind: str,
    payload: Mapping[str, Any],
    *,
    priority: str = "normal",
    key: str | None = None,
    not_before: float = 0.0,
    rules: JobRules | None = None,
) -> Job:
    """A new job, or the unfinished one of the same key.

    Args:
        conn: a writable save.
        kind: one of `configs.jobs.KINDS`.
        payload: what the kind's worker reads.
        priority: one of `PRIORITIES`.
        key: what makes a second one unnecessary while the first is unfinished.
        not_before: UTC seconds before which it is not taken.
        rules: None: those in force.

    Raises:
        UsageError: there is no such kind or priority.
        BlockedError: as many of the kind wait as may (``JOBS_FULL``).
    """
    rules = rules or rules_in_force()
    rule = rules.kind(kind)
    if rule is None:
        raise UsageError(
            f"there is no job called {kind!r}", fix=f"choose one of {', '.join(rules.kinds)}", code="UNKNOWN_JOB_KIND"
        )
    if priority not in PRIORITIES:
        raise UsageError(
            f"{priority!r} is no priority", fix=f"choose one of {', '.join(PRIORITIES)}", code="BAD_JOB_PRIORITY"
        )
    now = clock.now()
    with transaction(conn):
        if key is not None and (found := _unfinished(conn, key)) is not None:
            return found
        full = _waiting(conn, kind) >= (rule.pending or float("inf"))
        if full and rule.policy == "reject":
            raise BlockedError(
                f"{rule.pending} {kind} jobs wait already, no more are taken",
                fix="wait until some are done, or cancel some (`realm job list`)",
                code="JOBS_FULL",
            )
        status = "queued" if not_before > now else "pending"
        row = conn.execute(
            """INSERT INTO jobs (kind, school, status, priority, key, payload_json, max_attempts, created_at, not_before)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *""",
            (kind, rule.school, status, priority, key, encode(dict(payload)), rule.attempts, now, not_before),
        ).fetchone()
        job = read(Job, row)
        _tell(conn, job, "submitted", None, f"more wait than {rule.pending}" if full else "", now)
    return job


def cancel(conn: sqlite3.Connection, job_id: int) -> Job:
    """End a job; whoever works on it loses its lease and stops.

    Raises:
        UsageError: there is no such job.
        BlockedError: it ended already, otherwise than by being cancelled.
    """
    with transaction(conn):
        before = job(conn, job_id)
        if before.status == "cancelled":
            return before
        if before.ended:
            raise BlockedError(
                f"job {job_id} is {before.status} already", fix="there is nothing left to cancel", code="JOB_ENDED"
            )
        after = _end(conn, job_id, "cancelled", "cancelled", "cancelled by the player")
        _tell(conn, after, "cancelled", before.lease_owner, "", clock.now())
    return after


def retry(conn: sqlite3.Connection, job_id: int) -> Job:
    """Let an ended job that did not succeed wait again, with all its attempts.

    Raises:
        UsageError: there is no such job.
        BlockedError: it has not ended, it succeeded, or another one does the same meanwhile.
    """
    now = clock.now()
    with transaction(conn):
        before = job(conn, job_id)
        if before.status not in ("failed", "cancelled", "timeout"):
            raise BlockedError(
                f"job {job_id} is {before.status}",
                fix="only failed, cancelled and timed-out jobs can be tried again",
                code="JOB_NOT_FAILED",
            )
        other = _unfinished(conn, before.key) if before.key is not None else None
        if other is not None:
            raise BlockedError(
                f"job {other.id} does the same already", fix=f"see `realm job show {other.id}`", code="JOB_EXISTS"
            )
        row = conn.execute(
            """UPDATE jobs SET status = 'pending', attempts = 0, not_before = 0, worker = NULL, error_class = NULL,
                   error = NULL, result_json = NULL, claimed_at = NULL, started_at = NULL, ended_at = NULL
               WHERE id = ? RETURNING *""",
            (job_id,),
        ).fetchone()
        after = read(Job, row)
        _tell(conn, after, "retried", None, "", now)
    return after


# ---------------------------------------------------------------- working


def claim(
    conn: sqlite3.Connection,
    owner: str,
    kinds: Sequence[str],
    now: float | None = None,
    *,
    rules: JobRules | None = None,
) -> Job | None:
    """Take the most urgent job of some kinds under a lease; None when there is none, or their kinds are busy.

    Args:
        conn: a writable save.
        owner: who takes it; a name that no other claim ever uses.
        kinds: what the caller can do.
        now: UTC seconds; None: the clock's.
        rules: None: those in force.
    """
    rules = rules or rules_in_force()
    now = clock.now() if now is None else now
    with transaction(conn):
        held = dict(
            conn.execute("SELECT kind, count(*) FROM jobs WHERE lease_owner IS NOT NULL GROUP BY kind").fetchall()
        )
        free = [k for k in kinds if (rule := rules.kind(k)) and held.get(k, 0) < (rule.running or float("inf"))]
        if not free:
            return None
        row = conn.execute(
            f"""UPDATE jobs SET status = 'claimed', lease_owner = ?, lease_until = ?, claimed_at = ?, attempts = attempts + 1,
                   started_at = NULL, worker = NULL
                WHERE id = (SELECT id FROM jobs WHERE status IN ('pending', 'queued') AND not_before <= ?
                            AND kind IN ({", ".join("?" * len(free))}) ORDER BY rank, id LIMIT 1)
                RETURNING *""",
            (owner, now + rules.lease.seconds, now, now, *free),
        ).fetchone()
        if row is None:
            return None
        taken = read(Job, row)
        _tell(conn, taken, "claimed", owner, "", now)
    return taken


def begin(conn: sqlite3.Connection, job_id: int, owner: str, worker: str) -> bool:
    """The holder starts to work, at ``worker``; False when the lease is lost."""
    now = clock.now()
    with transaction(conn):
        after = _held(conn, job_id, owner, "status = 'running', worker = ?, started_at = ?", (worker, now))
        if after is not None:
            _tell(conn, after, "started", owner, worker, now)
    return after is not None


def renew(conn: sqlite3.Connection, job_id: int, owner: str, now: float | None = None, *, lease_s: float) -> bool:
    """The holder still lives; False when the lease is lost, and the work must stop."""
    until = (clock.now() if now is None else now) + lease_s
    with transaction(conn):
        return _held(conn, job_id, owner, "lease_until = ?", (until,)) is not None


def doing(conn: sqlite3.Connection, job_id: int, owner: str, text: str) -> bool:
    """What the holder does right now, in words; False when the lease is lost."""
    with transaction(conn):
        return _held(conn, job_id, owner, "error = ?, error_class = NULL", (text,)) is not None


def complete(
    conn: sqlite3.Connection,
    job_id: int,
    owner: str,
    result: Mapping[str, Any],
    *,
    worker: str | None = None,
    effect: Callable[[sqlite3.Connection], object] | None = None,
) -> bool:
    """The holder is done.

    Args:
        conn: a writable save.
        job_id: which job.
        owner: the lease's holder.
        result: what came of it.
        worker: who did it in the end; None: who was named when it began.
        effect: writes what else belongs to it; with the result in one transaction, and only when the result counts.

    Returns:
        Whether the result counts; also True when this very holder completed it before. False: the lease was lost.
    """
    now = clock.now()
    with transaction(conn, durable=effect is not None):
        after = _held(
            conn,
            job_id,
            owner,
            """status = 'completed', result_json = ?, ended_at = ?, lease_owner = NULL, lease_until = NULL,
               error_class = NULL, error = NULL, worker = coalesce(?, worker)""",
            (encode(dict(result)), now, worker),
        )
        if after is None:
            return _completed_by(conn, job_id, owner)
        _tell(conn, after, "completed", owner, "", now)
        if effect is not None:
            effect(conn)
    return True


def fail(
    conn: sqlite3.Connection,
    job_id: int,
    owner: str,
    error_class: str,
    text: str,
    *,
    rules: JobRules | None = None,
) -> Job | None:
    """The holder could not do it: it waits for another attempt where the class of error may pass, else it has ended.

    Returns:
        The job afterwards; None when the lease was lost.
    """
    rules = rules or rules_in_force()
    now = clock.now()
    with transaction(conn):
        before = job(conn, job_id)
        if before.lease_owner != owner:
            return None
        if error_class in RETRYABLE and before.attempts < before.max_attempts:
            after = _free(conn, job_id, now + rules.retry.wait_s(before.attempts), error_class, text)
            _tell(conn, after, "again", owner, f"{error_class}: {text}", now)
        else:
            status = error_class if error_class in ("timeout", "cancelled") else "failed"
            after = _end(conn, job_id, status, error_class, text)
            _tell(conn, after, "failed", owner, f"{error_class}: {text}", now)
    return after


def put_off(conn: sqlite3.Connection, job_id: int, owner: str, why: str, *, until: float = 0.0) -> bool:
    """The holder gives the job back without having tried; that attempt does not count. False when the lease was lost.

    Args:
        conn: a writable save.
        job_id: which job.
        owner: the lease's holder.
        why: what it waits for, in words.
        until: UTC seconds before which it is not taken again.
    """
    now = clock.now()
    with transaction(conn):
        before = job(conn, job_id)
        if before.lease_owner != owner:
            return False
        conn.execute("UPDATE jobs SET attempts = max(0, attempts - 1) WHERE id = ?", (job_id,))
        after = _free(conn, job_id, until, None, why)
        if before.error != why:  # a job that waits for a box for days tells it once
            _tell(conn, after, "put_off", owner, why, now)
        else:
            conn.execute(
                """DELETE FROM job_events WHERE job_id = :job AND id >
                       (SELECT max(id) FROM job_events WHERE job_id = :job AND event = 'put_off')""",
                {"job": job_id},
            )
    return True


def sweep(
    conn: sqlite3.Connection, now: float | None = None, *, alive: Alive | None = None, rules: JobRules | None = None
) -> list[Job]:
    """Let jobs wait again whose lease ran out, or whose holder is gone; those without an attempt left have failed.

    A lease that reaches further than a new one would (the clock was set back) has run out, too.
    """
    rules = rules or rules_in_force()
    now = clock.now() if now is None else now
    swept = []
    rows = conn.execute("SELECT * FROM jobs WHERE lease_owner IS NOT NULL").fetchall()
    for seen in (read(Job, row) for row in rows):
        if not lost(seen, now, alive, rules):
            continue
        with transaction(conn):
            found = job(conn, seen.id)
            if found.lease_owner != seen.lease_owner or not lost(found, now, alive, rules):
                continue
            text = "whoever worked on it was not heard of again"
            if found.attempts < found.max_attempts:
                after = _free(conn, found.id, now, "lease_expired", text)
            else:
                after = _end(conn, found.id, "failed", "lease_expired", text)
            _tell(conn, after, "expired", found.lease_owner, text, now)
            swept.append(after)
    return swept


def forget(conn: sqlite3.Connection, now: float | None = None, *, rules: JobRules | None = None) -> int:
    """Remove ended jobs and events that are older than the rules keep them; how many jobs went."""
    rules = rules or rules_in_force()
    now = clock.now() if now is None else now
    day = 86_400.0
    with transaction(conn):
        conn.execute("DELETE FROM job_events WHERE at < ?", (now - rules.keep.events_days * day,))
        gone = conn.execute(
            "DELETE FROM jobs WHERE ended_at < ? OR (ended_at < ? AND kind = 'eval')",
            (now - rules.keep.ended_days * day, now - rules.keep.evals_days * day),
        )
    return gone.rowcount


# ---------------------------------------------------------------- inside


def _unfinished(conn: sqlite3.Connection, key: str) -> Job | None:
    row = conn.execute(
        "SELECT * FROM jobs WHERE key = ? AND status IN ('pending', 'queued', 'claimed', 'running')", (key,)
    ).fetchone()
    return None if row is None else read(Job, row)


def _waiting(conn: sqlite3.Connection, kind: str) -> int:
    row = conn.execute(
        "SELECT count(*) FROM jobs WHERE kind = ? AND status IN ('pending', 'queued')", (kind,)
    ).fetchone()
    return int(row[0])


def _held(conn: sqlite3.Connection, job_id: int, owner: str, change: str, values: tuple[Any, ...]) -> Job | None:
    """Change a job in its holder's hands; None when the lease is another's by now."""
    row = conn.execute(
        f"UPDATE jobs SET {change} WHERE id = ? AND lease_owner = ? RETURNING *", (*values, job_id, owner)
    ).fetchone()
    return None if row is None else read(Job, row)


def _free(conn: sqlite3.Connection, job_id: int, not_before: float, error_class: str | None, text: str) -> Job:
    row = conn.execute(
        """UPDATE jobs SET status = iif(? > ?, 'queued', 'pending'), not_before = ?, lease_owner = NULL, lease_until = NULL,
               error_class = ?, error = ? WHERE id = ? RETURNING *""",
        (not_before, clock.now(), not_before, error_class, text, job_id),
    ).fetchone()
    return read(Job, row)


def _end(conn: sqlite3.Connection, job_id: int, status: str, error_class: str, text: str) -> Job:
    row = conn.execute(
        """UPDATE jobs SET status = ?, error_class = ?, error = ?, ended_at = ?, lease_owner = NULL, lease_until = NULL
           WHERE id = ? RETURNING *""",
        (status, error_class, text, clock.now(), job_id),
    ).fetchone()
    return read(Job, row)


def _completed_by(conn: sqlite3.Connection, job_id: int, owner: str) -> bool:
    row = conn.execute(
        "SELECT 1 FROM job_events WHERE job_id = ? AND event = 'completed' AND owner = ?", (job_id, owner)
    ).fetchone()
    return row is not None


def _tell(conn: sqlite3.Connection, found: Job, event: str, owner: str | None, text: str, at: float) -> None:
    conn.execute(
        "INSERT INTO job_events (job_id, event, status, attempt, owner, text, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (found.id, event, found.status, found.attempts, owner, text, at),
    )

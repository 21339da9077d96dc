"""Runs: the lives of trainers. Resuming opens a new run and leaves behind what the old ones did beyond the checkpoint."""

from __future__ import annotations

import sqlite3
from typing import Any

from configs import clock
from saves.connection import transaction
from saves.rows import Checkpoint, Run, encode, read

SUMMONED = "summoned"
"""How a run ends that only marks a return to an older form."""


def open_run(
    conn: sqlite3.Connection,
    campaign_id: str,
    *,
    first_step: int,
    parent_run_id: int | None,
    parent_checkpoint_id: int | None,
    pid: int,
    environment: dict[str, Any],
    exact: bool,
) -> int:
    """Begin a run, durably.

    Args:
        conn: a writable save.
        campaign_id: whose run.
        first_step: steps done in the checkpoint it resumes from (0 for a new hero); facts of earlier runs beyond it no longer
            count.
        parent_run_id: the run that wrote that checkpoint.
        parent_checkpoint_id: the checkpoint resumed from.
        pid: the trainer's process.
        environment: device, precision, threads, versions: what an exact resume must find again.
        exact: whether this run continues its parent exactly.
    """
    with transaction(conn, durable=True):
        conn.execute(
            """UPDATE runs SET superseded_after = ?
               WHERE campaign_id = ? AND (superseded_after IS NULL OR superseded_after > ?)""",
            (first_step, campaign_id, first_step),
        )
        cursor = conn.execute(
            """INSERT INTO runs (campaign_id, parent_run_id, parent_checkpoint_id, first_step, exact, pid,
                                 environment_json, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                campaign_id,
                parent_run_id,
                parent_checkpoint_id,
                first_step,
                int(exact),
                pid,
                encode(environment),
                clock.now(),
            ),
        )
        return int(cursor.lastrowid or 0)


def go_back(conn: sqlite3.Connection, checkpoint: Checkpoint, *, pid: int) -> int:
    """Make ``checkpoint`` the newest form of its campaign, durably; returns a run that began and ended there.

    The way that led to it counts again, even where it had been left behind: each run on it up to the checkpoint from which the next
    one went on. Everything else of the campaign counts no more.

    Args:
        conn: a writable save that no engine holds.
        checkpoint: a checkpoint on disk.
        pid: the process that does this.
    """
    with transaction(conn, durable=True):
        ends: dict[int, int] = {}
        form: Checkpoint | None = checkpoint
        while form is not None:
            ends[form.run_id] = form.step
            parent = run(conn, form.run_id).parent_checkpoint_id
            row = conn.execute("SELECT * FROM checkpoints WHERE id = ?", (parent,)).fetchone()
            form = None if row is None else read(Checkpoint, row)
        for other, first_step in conn.execute(
            "SELECT id, first_step FROM runs WHERE campaign_id = ?", (checkpoint.campaign_id,)
        ).fetchall():
            end = ends.get(other, max(0, first_step - 1))
            conn.execute("UPDATE runs SET superseded_after = ? WHERE id = ?", (end, other))
        saved_by = run(conn, checkpoint.run_id)
        run_id = open_run(
            conn,
            checkpoint.campaign_id,
            first_step=checkpoint.step,
            parent_run_id=saved_by.id,
            parent_checkpoint_id=checkpoint.id,
            pid=pid,
            environment=dict(saved_by.environment),
            exact=saved_by.exact,
        )
        close_run(conn, run_id, checkpoint.step, SUMMONED)
        return run_id


def close_run(conn: sqlite3.Connection, run_id: int, last_step: int | None, reason: str) -> None:
    """End a run (``stopped``, ``crashed``, ``oom``…), durably; a run that already ended stays as it is."""
    with transaction(conn, durable=True):
        conn.execute(
            "UPDATE runs SET ended_at = ?, end_reason = ?, last_step = ? WHERE id = ? AND ended_at IS NULL",
            (clock.now(), reason, last_step, run_id),
        )


def repair(conn: sqlite3.Connection) -> list[int]:
    """Close what a dead engine left open; returns the runs that were closed as ``crashed``.

    Only for one who knows that no engine lives (he holds the trainer's lock). A run's last known step and time come from the
    newest facts it wrote.
    """
    with transaction(conn, durable=True):
        left = [r[0] for r in conn.execute("SELECT id FROM runs WHERE ended_at IS NULL ORDER BY id").fetchall()]
        for run_id in left:
            step, at = _last_trace(conn, run_id)
            conn.execute(
                "UPDATE runs SET ended_at = coalesce(?, started_at), end_reason = 'crashed', last_step = ? WHERE id = ?",
                (at, step, run_id),
            )
        for table in ("quest_attempts", "forged_quests"):
            conn.execute(
                f"""UPDATE {table} SET state = 'interrupted',
                        last_step = coalesce(last_step, (SELECT last_step FROM runs WHERE id = run_id)),
                        ended_at = (SELECT ended_at FROM runs WHERE id = run_id)
                    WHERE state = 'processing' AND (SELECT ended_at FROM runs WHERE id = run_id) IS NOT NULL"""
            )
    return left


def _last_trace(conn: sqlite3.Connection, run_id: int) -> tuple[int | None, float | None]:
    """The newest step and time in any fact of a run."""
    row = conn.execute(
        """SELECT max(step), max(at) FROM (
               SELECT last_step AS step, last_at AS at FROM step_windows WHERE run_id = :run
               UNION ALL SELECT step, at FROM exams WHERE run_id = :run
               UNION ALL SELECT step, at FROM checkpoints WHERE run_id = :run
               UNION ALL SELECT step, at FROM journal WHERE run_id = :run)""",
        {"run": run_id},
    ).fetchone()
    return row[0], row[1]


def run(conn: sqlite3.Connection, run_id: int) -> Run:
    """One run by its id; `KeyError` when there is none."""
    row = conn.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise KeyError(run_id)
    return read(Run, row)


def latest_run(conn: sqlite3.Connection, campaign_id: str) -> Run | None:
    """The newest run of a campaign; None before the first."""
    row = conn.execute("SELECT * FROM runs WHERE campaign_id = ? ORDER BY id DESC LIMIT 1", (campaign_id,)).fetchone()
    return None if row is None else read(Run, row)


def runs(conn: sqlite3.Connection, campaign_id: str, *, since: float = 0.0) -> list[Run]:
    """The runs of a campaign that began or ended at ``since`` or later, oldest first."""
    found = conn.execute(
        """SELECT * FROM runs WHERE campaign_id = ? AND (started_at >= ? OR coalesce(ended_at, started_at) >= ?)
           ORDER BY id""",
        (campaign_id, since, since),
    )
    return [read(Run, row) for row in found.fetchall()]

"""Incidents: what went wrong, whether it blocks, and the way out."""

from __future__ import annotations

import sqlite3
from typing import Any

from configs import clock
from saves.connection import transaction
from saves.rows import Incident, encode, insert, read

COOLDOWN_S = 300.0
"""A rule that strikes again within this time counts up the open incident instead of writing another."""


def raise_incident(
    conn: sqlite3.Connection,
    rule: str,
    *,
    category: str,
    severity: str,
    title: str,
    fix: str,
    detail: dict[str, Any] | None = None,
    blocks: bool = False,
    run_id: int | None = None,
    step: int | None = None,
) -> int:
    """Write an incident and return its id, durably.

    While one of the same rule is open and was seen less than `COOLDOWN_S` ago, that one is counted up: it takes the newest
    step and detail, and blocks as soon as one of its strikes does.

    Args:
        conn: a writable save.
        rule: stable id of what was noticed (``nan``, ``oom``, ``disk_full``).
        category: data, training, infra or logic.
        severity: low, medium, high or critical.
        title: one line for the player.
        fix: the way out.
        detail: the evidence, JSON.
        blocks: training waits until it is resolved.
        run_id: the run it happened in, where there was one.
        step: its optimizer step.
    """
    now = clock.now()
    with transaction(conn, durable=True):
        row = conn.execute(
            """SELECT id FROM incidents WHERE rule = ? AND status IN ('open', 'investigating') AND last_at > ?
               ORDER BY id DESC LIMIT 1""",
            (rule, now - COOLDOWN_S),
        ).fetchone()
        if row is not None:
            conn.execute(
                """UPDATE incidents SET count = count + 1, last_at = ?, step = coalesce(?, step), title = ?, fix = ?,
                       detail_json = ?, blocks = max(blocks, ?) WHERE id = ?""",
                (now, step, title, fix, encode(detail or {}), int(blocks), row[0]),
            )
            return int(row[0])
        return insert(
            conn,
            Incident(
                run_id=run_id,
                step=step,
                rule=rule,
                category=category,
                severity=severity,
                status="open",
                title=title,
                fix=fix,
                blocks=blocks,
                detail=detail or {},
                at=now,
                last_at=now,
            ),
        )


def open_incidents(
    conn: sqlite3.Connection, *, blocking: bool = False, campaign_id: str | None = None
) -> list[Incident]:
    """Incidents that nobody resolved, worst first, then newest.

    Args:
        conn: the save.
        blocking: leave only those that stop training.
        campaign_id: leave out what struck in the runs of other campaigns.
    """
    found = conn.execute(
        """SELECT * FROM incidents WHERE status IN ('open', 'investigating') AND (blocks OR NOT ?)
           AND (? IS NULL OR run_id IS NULL OR run_id IN (SELECT id FROM runs WHERE campaign_id = ?))
           ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END, id DESC""",
        (blocking, campaign_id, campaign_id),
    )
    return [read(Incident, row) for row in found.fetchall()]


def incidents(conn: sqlite3.Connection, *, since: float = 0.0, campaign_id: str | None = None) -> list[Incident]:
    """Every incident that struck after ``since``, oldest first; with ``campaign_id`` none of another campaign's runs."""
    found = conn.execute(
        """SELECT * FROM incidents WHERE last_at > ? AND (
               ? IS NULL OR run_id IS NULL OR run_id IN (SELECT id FROM runs WHERE campaign_id = ?)) ORDER BY id""",
        (since, campaign_id, campaign_id),
    )
    return [read(Incident, row) for row in found.fetchall()]


def resolve(conn: sqlite3.Connection, incident_id: int, *, status: str = "resolved") -> bool:
    """Close an incident (``resolved`` or ``wontfix``), durably; False when it was not open."""
    with transaction(conn, durable=True):
        cursor = conn.execute(
            "UPDATE incidents SET status = ?, resolved_at = ? WHERE id = ? AND status IN ('open', 'investigating')",
            (status, clock.now(), incident_id),
        )
        return cursor.rowcount > 0


def resolve_rule(conn: sqlite3.Connection, rule: str) -> int:
    """Close every open incident of a rule, durably; returns how many."""
    with transaction(conn, durable=True):
        cursor = conn.execute(
            """UPDATE incidents SET status = 'resolved', resolved_at = ?
               WHERE rule = ? AND status IN ('open', 'investigating')""",
            (clock.now(), rule),
        )
        return cursor.rowcount

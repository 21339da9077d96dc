"""Incidents: what went wrong, whether it blocks, and the way out."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from configs import clock
from configs.errors import UsageError
from saves.connection import transaction
from saves.rows import Incident, encode, insert, read

FIRST_STEP = "first_step"
"""Where the evidence of an incident that struck again keeps the step of its first strike."""
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
            """SELECT id, step, detail_json FROM incidents WHERE rule = ? AND status IN ('open', 'investigating')
               AND last_at > ? ORDER BY id DESC LIMIT 1""",
            (rule, now - COOLDOWN_S),
        ).fetchone()
        if row is not None:
            began = json.loads(row[2]).get(FIRST_STEP, row[1])
            conn.execute(
                """UPDATE incidents SET count = count + 1, last_at = ?, step = coalesce(?, step), title = ?, fix = ?,
                       detail_json = ?, blocks = max(blocks, ?) WHERE id = ?""",
                (now, step, title, fix, encode({**(detail or {}), FIRST_STEP: began}), int(blocks), row[0]),
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


def newest_open(conn: sqlite3.Connection, rule: str, *, since: float) -> Incident | None:
    """The newest incident of a rule that struck after ``since`` and that nobody resolved; None: there is none."""
    row = conn.execute(
        """SELECT * FROM incidents WHERE rule = ? AND status IN ('open', 'investigating') AND last_at >= ?
           ORDER BY last_at DESC LIMIT 1""",
        (rule, since),
    ).fetchone()
    return None if row is None else read(Incident, row)


def incidents(conn: sqlite3.Connection, *, since: float = 0.0, campaign_id: str | None = None) -> list[Incident]:
    """Every incident that struck after ``since``, oldest first; with ``campaign_id`` none of another campaign's runs."""
    found = conn.execute(
        """SELECT * FROM incidents WHERE last_at > ? AND (
               ? IS NULL OR run_id IS NULL OR run_id IN (SELECT id FROM runs WHERE campaign_id = ?)) ORDER BY id""",
        (since, campaign_id, campaign_id),
    )
    return [read(Incident, row) for row in found.fetchall()]


def incident(conn: sqlite3.Connection, incident_id: int) -> Incident | None:
    """One incident by its number, of any campaign; None when there is none."""
    row = conn.execute("SELECT * FROM incidents WHERE id = ?", (incident_id,)).fetchone()
    return None if row is None else read(Incident, row)


def resolve(conn: sqlite3.Connection, incident_id: int, *, status: str = "resolved") -> bool:
    """Close an incident (``resolved`` or ``wontfix``), durably; False when it was not open."""
    with transaction(conn, durable=True):
        cursor = conn.execute(
            "UPDATE incidents SET status = ?, resolved_at = ? WHERE id = ? AND status IN ('open', 'investigating')",
            (status, clock.now(), incident_id),
        )
        return cursor.rowcount > 0


def closable(conn: sqlite3.Connection, number: Any) -> Incident:
    """The open incident of a number.

    Raises:
        UsageError: there is none, or it is closed already.
    """
    found = incident(conn, number) if isinstance(number, int) else None
    if found is None:
        raise UsageError(
            f"there is no incident {number!r}", fix="take a number from `realm incident list`", code="NO_INCIDENT"
        )
    if found.status not in ("open", "investigating"):
        raise UsageError(
            f"incident {found.id} is closed already", fix="`realm incident list` shows what is open", code="NO_INCIDENT"
        )
    return found


def close(conn: sqlite3.Connection, found: Incident, *, wontfix: bool = False) -> dict[str, Any]:
    """Close an open incident, durably; its number, rule and new status.

    Args:
        conn: a writable save.
        found: the incident.
        wontfix: it is left as it is, and stays so.
    """
    status = "wontfix" if wontfix else "resolved"
    resolve(conn, found.id, status=status)
    return {"id": found.id, "rule": found.rule, "status": status}


def resolve_rule(conn: sqlite3.Connection, rule: str) -> int:
    """Close every open incident of a rule, durably; returns how many."""
    with transaction(conn, durable=True):
        cursor = conn.execute(
            """UPDATE incidents SET status = 'resolved', resolved_at = ?
               WHERE rule = ? AND status IN ('open', 'investigating')""",
            (clock.now(), rule),
        )
        return cursor.rowcount

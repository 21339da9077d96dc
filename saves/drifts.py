"""Drifts: how what nobody trains, or a won level, stood against its best."""

from __future__ import annotations

import sqlite3

from saves.connection import transaction
from saves.rows import Drift, insert, read


def add_drift(conn: sqlite3.Connection, drift: Drift) -> int:
    """Write a comparison, durably."""
    with transaction(conn, durable=True):
        return insert(conn, drift)


def drifts(
    conn: sqlite3.Connection, campaign_id: str, *, alarms: bool = False, limit: int | None = None, since: float = 0.0
) -> list[Drift]:
    """Live comparisons later than ``since``, newest first; ``alarms`` leaves out those without one."""
    found = conn.execute(
        """SELECT * FROM live_drifts WHERE run_campaign_id = ? AND at > ? AND (severity <> 'none' OR NOT ?)
           ORDER BY id DESC LIMIT ?""",
        (campaign_id, since, alarms, -1 if limit is None else limit),
    )
    return [read(Drift, row) for row in found.fetchall()]


def newest_drifts(conn: sqlite3.Connection, campaign_id: str) -> list[Drift]:
    """The newest live comparison of each entry, skill and level, worst first."""
    found = conn.execute(
        """SELECT * FROM live_drifts WHERE id IN (
               SELECT max(id) FROM live_drifts WHERE run_campaign_id = ? GROUP BY plan, skill, level)
           ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, baseline - share DESC""",
        (campaign_id,),
    )
    return [read(Drift, row) for row in found.fetchall()]

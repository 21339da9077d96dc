"""What the curriculum decided and found, with its reasons."""

from __future__ import annotations

import sqlite3

from saves.connection import transaction
from saves.rows import Decision, insert, read

PASSING = ("strategy", "drill", "remedy")
"""Kinds that retention lets go of; the others stay for good."""


def add_decision(conn: sqlite3.Connection, decision: Decision) -> int:
    """Write a decision down."""
    with transaction(conn):
        return insert(conn, decision)


def recent_decisions(
    conn: sqlite3.Connection,
    campaign_id: str,
    *,
    kind: str | None = None,
    skill: str | None = None,
    limit: int | None = None,
    since: float = 0.0,
) -> list[Decision]:
    """Live decisions later than ``since``, newest first; of one kind or one skill where given."""
    found = conn.execute(
        """SELECT * FROM live_decisions WHERE run_campaign_id = ? AND at > ? AND (? IS NULL OR kind = ?)
           AND (? IS NULL OR skill = ?) ORDER BY id DESC LIMIT ?""",
        (campaign_id, since, kind, kind, skill, skill, -1 if limit is None else limit),
    )
    return [read(Decision, row) for row in found.fetchall()]


def latest_decision(
    conn: sqlite3.Connection, campaign_id: str, *, kind: str, skill: str | None = None
) -> Decision | None:
    """The newest live decision of a kind; None before the first."""
    found = recent_decisions(conn, campaign_id, kind=kind, skill=skill, limit=1)
    return found[0] if found else None


def lasting(conn: sqlite3.Connection, campaign_id: str) -> list[Decision]:
    """Live decisions that stay for good (attempts, regressions, a cap that was found), newest first."""
    found = conn.execute(
        f"SELECT * FROM live_decisions WHERE run_campaign_id = ? AND kind NOT IN {PASSING} ORDER BY id DESC",
        (campaign_id,),
    )
    return [read(Decision, row) for row in found.fetchall()]

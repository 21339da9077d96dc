"""Trials: tries at a discipline's next level."""

from __future__ import annotations

import sqlite3

from saves.connection import transaction
from saves.rows import Trial, insert, read


def add_trial(conn: sqlite3.Connection, trial: Trial) -> int:
    """Write a trial, durably."""
    with transaction(conn, durable=True):
        return insert(conn, trial)


def trials(conn: sqlite3.Connection, campaign_id: str, discipline: str | None = None) -> list[Trial]:
    """Live trials, of one discipline where it is named, oldest first."""
    found = conn.execute(
        "SELECT * FROM live_trials WHERE run_campaign_id = ? AND (? IS NULL OR discipline = ?) ORDER BY id",
        (campaign_id, discipline, discipline),
    )
    return [read(Trial, row) for row in found.fetchall()]


def passed_level(tried: list[Trial]) -> int:
    """The highest level passed in these trials; 0 is none."""
    return max((trial.level for trial in tried if trial.passed), default=0)


def failed_in_a_row(tried: list[Trial]) -> int:
    """Trials failed since the last one passed."""
    count = 0
    for trial in reversed(tried):
        if trial.passed:
            break
        count += 1
    return count

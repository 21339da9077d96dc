"""The journal: everything from outside, with the step at which the trainer took it in, so that a resumed run can do it again."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

from configs import clock
from saves.connection import transaction
from saves.rows import JournalEntry, encode, insert, read

SUMMON = "summon"
"""Verb of the entry that marks a return to an older form: what was to follow that form's step until then is not repeated."""


def add(
    conn: sqlite3.Connection,
    run_id: int,
    step: int,
    verb: str,
    args: dict[str, Any],
    *,
    changes_training: bool,
    command_id: str | None = None,
    result: dict[str, Any] | None = None,
) -> JournalEntry:
    """Write one entry, durably, and return it with its number.

    A command that is already in the journal is not written again: its entry is returned as it stands.
    """
    with transaction(conn, durable=True):
        if command_id is not None and (known := entry_of(conn, command_id)) is not None:
            return known
        entry = JournalEntry(
            command_id=command_id,
            run_id=run_id,
            step=step,
            verb=verb,
            args=args,
            changes_training=changes_training,
            result=result,
            at=clock.now(),
        )
        return replace(entry, seq=insert(conn, entry))


def set_result(conn: sqlite3.Connection, seq: int, result: dict[str, Any]) -> None:
    """Note how a command ended, durably."""
    with transaction(conn, durable=True):
        conn.execute("UPDATE journal SET result_json = ? WHERE seq = ?", (encode(result), seq))


def entry_of(conn: sqlite3.Connection, command_id: str) -> JournalEntry | None:
    """The entry of a command; None when it was never taken in."""
    row = conn.execute("SELECT * FROM journal WHERE command_id = ?", (command_id,)).fetchone()
    return None if row is None else read(JournalEntry, row)


def replayable(conn: sqlite3.Connection, campaign_id: str, after_step: int, after_seq: int = 0) -> list[JournalEntry]:
    """What a run that resumes at ``after_step`` takes in again, ordered by step, then number.

    Entries keep the run that first took them in: a resumed run does them again at the same steps and writes no new ones, so that
    it can be resumed itself. What lies beyond a form that was summoned later is left out: that way was given up.

    Args:
        conn: the save.
        campaign_id: whose journal.
        after_step: step of the checkpoint.
        after_seq: highest number already taken in at exactly that step when the checkpoint was made; later entries of the step
            are returned too.
    """
    found = conn.execute(
        """SELECT j.* FROM journal j JOIN runs r ON r.id = j.run_id
           WHERE r.campaign_id = ? AND j.changes_training AND (j.step > ? OR (j.step = ? AND j.seq > ?))
             AND NOT EXISTS (
                 SELECT 1 FROM journal s JOIN runs sr ON sr.id = s.run_id
                 WHERE sr.campaign_id = r.campaign_id AND s.verb = ? AND s.seq > j.seq AND (
                     j.step > s.step OR (j.step = s.step AND j.seq > json_extract(s.args_json, '$.applied_seq'))))
           ORDER BY j.step, j.seq""",
        (campaign_id, after_step, after_step, after_seq, SUMMON),
    )
    return [read(JournalEntry, row) for row in found.fetchall()]


def recent(conn: sqlite3.Connection, campaign_id: str, *, limit: int = 50, since: float = 0.0) -> list[JournalEntry]:
    """The newest entries later than ``since``, newest first."""
    found = conn.execute(
        """SELECT j.* FROM journal j JOIN runs r ON r.id = j.run_id WHERE r.campaign_id = ? AND j.at > ?
           ORDER BY j.seq DESC LIMIT ?""",
        (campaign_id, since, limit),
    )
    return [read(JournalEntry, row) for row in found.fetchall()]


_REST = ("end", "pause", "park", "stop", SUMMON)
"""Moments after which nothing goes on by itself."""


def longest_unattended(conn: sqlite3.Connection, campaign_id: str) -> float | None:
    """Most seconds for which a run of a campaign went on without a command; None before its first run.

    What a resume left behind counts, too: it was trained all the same.
    """
    row = conn.execute(
        f"""WITH moments AS (
               SELECT id AS run, started_at AS at, 'start' AS verb FROM runs WHERE campaign_id = :c
               UNION ALL SELECT j.run_id, j.at, j.verb FROM journal j JOIN runs r ON r.id = j.run_id
                   WHERE r.campaign_id = :c
               UNION ALL SELECT r.id, coalesce(r.ended_at, (SELECT w.last_at FROM step_windows w WHERE w.run_id = r.id
                   ORDER BY w.first_step DESC LIMIT 1), r.started_at), 'end' FROM runs r WHERE r.campaign_id = :c),
           gaps AS (SELECT verb, lead(at) OVER (PARTITION BY run ORDER BY at) - at AS gap FROM moments)
           SELECT max(gap) FROM gaps WHERE verb NOT IN ({", ".join(f"'{name}'" for name in _REST)})""",
        {"c": campaign_id},
    ).fetchone()
    return None if row[0] is None else float(row[0])

"""Files of the player's quests that nobody needs any more: every quest made of one is done, and no kept form lies before its end."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpentFile:
    """A quest's file that may go."""

    file: str
    """Its name in the save's ``quests/``."""
    ended_at: float
    """When the last of its quests was completed, UTC seconds."""


def spent_files(conn: sqlite3.Connection) -> list[SpentFile]:
    """Files that may go, those done last first.

    One stays while a quest made of it waits, runs, failed or was skipped; while a form is kept from which going on would train it once
    more, on whichever way; and while its campaign keeps no form that has it behind itself.
    """
    found = conn.execute(
        """WITH done AS (
               SELECT q.id, q.file, (
                   SELECT max(a.ended_at) FROM live_quest_attempts a JOIN runs r ON r.id = a.run_id
                   WHERE a.quest_id = q.id AND a.state = 'completed'
                     AND a.last_step <= coalesce(r.superseded_after, a.last_step)) AS ended_at,
                   q.state FROM quest_states q),
           files AS (
               SELECT file, max(ended_at) AS ended_at FROM done GROUP BY file
               HAVING count(*) = count(CASE WHEN state IN ('completed', 'removed') THEN ended_at END)),
           trained AS (
               SELECT q.file, r.campaign_id, max(coalesce(a.last_step, a.first_step)) AS last_step
               FROM quest_attempts a JOIN quests q ON q.id = a.quest_id JOIN runs r ON r.id = a.run_id
               GROUP BY q.file, r.campaign_id)
           SELECT file, ended_at FROM files WHERE NOT EXISTS (
               SELECT 1 FROM trained t WHERE t.file = files.file AND (
                   EXISTS (SELECT 1 FROM checkpoints c WHERE c.campaign_id = t.campaign_id AND c.deleted_at IS NULL
                           AND (c.step < t.last_step OR (c.step = t.last_step AND c.reasons_json NOT LIKE '%"quest"%')))
                   OR NOT EXISTS (SELECT 1 FROM checkpoints c WHERE c.campaign_id = t.campaign_id AND c.deleted_at IS NULL)))
           ORDER BY ended_at DESC, file"""
    )
    return [SpentFile(str(row["file"]), float(row["ended_at"])) for row in found.fetchall()]

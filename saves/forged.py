"""Quests the engine forges itself: recipes whose items can be made again."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any

from configs import clock
from saves.connection import transaction
from saves.rows import Balance, ForgedQuest, encode, read

BALANCE = "forged_quests"


def start_forged(conn: sqlite3.Connection, run_id: int, skill: str, recipe: dict[str, Any], *, first_step: int) -> int:
    """Begin a forged quest; ``recipe`` holds what makes its items again (mix, seed, levels, count)."""
    with transaction(conn):
        cursor = conn.execute(
            """INSERT INTO forged_quests (run_id, skill, recipe_json, first_step, started_at, state)
               VALUES (?, ?, ?, ?, ?, 'processing')""",
            (run_id, skill, encode(recipe), first_step, clock.now()),
        )
        return int(cursor.lastrowid or 0)


def finish_forged(conn: sqlite3.Connection, forged_id: int, state: str, *, last_step: int) -> None:
    """End a forged quest as completed, skipped or interrupted."""
    with transaction(conn):
        conn.execute(
            "UPDATE forged_quests SET state = ?, last_step = ?, ended_at = ? WHERE id = ?",
            (state, last_step, clock.now(), forged_id),
        )


def latest_forged(conn: sqlite3.Connection, campaign_id: str) -> ForgedQuest | None:
    """The newest live forged quest; None before the first."""
    row = conn.execute(
        "SELECT * FROM live_forged_quests WHERE run_campaign_id = ? ORDER BY id DESC LIMIT 1", (campaign_id,)
    ).fetchone()
    return None if row is None else read(ForgedQuest, row)


def forged_counts(conn: sqlite3.Connection, campaign_id: str) -> dict[str, dict[str, int]]:
    """Skill to state to number of live forged quests, pruned ones included."""
    counts: dict[str, Counter[str]] = {}
    for row in conn.execute(
        """SELECT skill, CASE WHEN state = 'completed' AND last_step > coalesce(
                      (SELECT superseded_after FROM runs WHERE id = run_id), last_step)
                  THEN 'interrupted' ELSE state END AS state, count(*) AS n
           FROM live_forged_quests WHERE run_campaign_id = ? GROUP BY 1, 2""",
        (campaign_id,),
    ).fetchall():
        counts.setdefault(row["skill"], Counter())[row["state"]] += row["n"]
    for row in conn.execute(
        "SELECT * FROM live_balances WHERE run_campaign_id = ? AND kind = ?", (campaign_id, BALANCE)
    ).fetchall():
        for skill, states in read(Balance, row).state.items():
            counts.setdefault(skill, Counter()).update(states)
    return {skill: dict(sorted(c.items())) for skill, c in sorted(counts.items())}

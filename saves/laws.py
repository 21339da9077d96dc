"""World laws that the rows of a save can break, beside those of `saves.verify`. Reads only."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

from saves.verify import MAX_FINDINGS, Finding

_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")


def check_laws(conn: sqlite3.Connection) -> list[Finding]:
    """World laws 6, 7, 10, 12 and 14."""
    found = [*_battlefields(conn), *_times(conn), *_exams(conn), *_ids(conn), *_attempts(conn)]
    return found[:MAX_FINDINGS]


def skills_asked(conn: sqlite3.Connection) -> list[str]:
    """Every skill that an exam or a drill names, sorted."""
    found = conn.execute(
        """SELECT skill FROM (SELECT DISTINCT skill FROM exams UNION SELECT DISTINCT skill FROM forged_quests)
           ORDER BY skill"""
    )
    return [row["skill"] for row in found.fetchall()]


def _battlefields(conn: sqlite3.Connection) -> Iterator[Finding]:
    for row in conn.execute(
        """SELECT id, last_step - first_step AS steps FROM runs r WHERE last_step > first_step
           AND json_extract(environment_json, '$.device') IS NULL AND json_extract(environment_json, '$.placement') IS NULL
           AND EXISTS (SELECT 1 FROM step_windows w WHERE w.run_id = r.id)"""
    ).fetchall():
        yield Finding("law-6", f"run {row['id']}", f"it took {row['steps']} steps and names no device")


def _times(conn: sqlite3.Connection) -> Iterator[Finding]:
    for row in conn.execute("SELECT id FROM campaigns WHERE archived_at < created_at").fetchall():
        yield Finding("law-7", row["id"], "it was archived before it was created")
    for row in conn.execute("SELECT id FROM quest_attempts WHERE ended_at < started_at").fetchall():
        yield Finding("law-7", f"attempt {row['id']}", "it ended before it began")
    for row in conn.execute("SELECT id FROM incidents WHERE resolved_at < at OR last_at < at").fetchall():
        yield Finding("law-7", f"incident {row['id']}", "it was seen or resolved before it appeared")


def _exams(conn: sqlite3.Connection) -> Iterator[Finding]:
    for row in conn.execute("SELECT id FROM exams WHERE weights = '' OR correct > items OR correct < 0").fetchall():
        yield Finding("law-10", f"exam {row['id']}", "it names no weights, or more right answers than items")


def _ids(conn: sqlite3.Connection) -> Iterator[Finding]:
    for row in conn.execute("SELECT id, name, hero_id FROM campaigns").fetchall():
        if not row["name"].strip() or not _ID.fullmatch(row["id"]) or not _ID.fullmatch(row["hero_id"]):
            yield Finding(
                "law-12", f"campaign {row['id']}", f"it is called {row['name']!r}, its hero {row['hero_id']!r}"
            )


def _attempts(conn: sqlite3.Connection) -> Iterator[Finding]:
    for row in conn.execute(
        "SELECT id, state FROM quest_attempts WHERE state <> 'processing' AND ended_at IS NULL"
    ).fetchall():
        yield Finding("law-14", f"attempt {row['id']}", f"it is {row['state']} and never ended")
    for row in conn.execute(
        """SELECT run_id, count(*) AS n FROM quest_attempts WHERE state = 'processing'
           GROUP BY run_id HAVING n > 1"""
    ).fetchall():
        yield Finding("law-14", f"run {row['run_id']}", f"{row['n']} quests are under way in it")

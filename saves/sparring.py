"""Rounds of sparring: what a form got wrong, and the quest made of it. Written by face and command line."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from saves.connection import transaction
from saves.rows import Quest, Sparring, insert, read

KEPT = 50
"""Rounds that are remembered."""


@dataclass(frozen=True, slots=True)
class Round:
    """A round with what became of its quest."""

    sparring: Sparring
    quest: Quest | None

    @property
    def state(self) -> str:
        """``flawless`` (nothing was wrong), or its quest's state; a quest dropped as out of date is ``stale``."""
        if self.quest is None:
            return "flawless"
        return "stale" if self.quest.state == "skipped" and self.quest.steps_total is None else self.quest.state


def add_sparring(conn: sqlite3.Connection, found: Sparring) -> int:
    """Remember a round, durably; the oldest beyond `KEPT` are forgotten (their quests stay)."""
    with transaction(conn, durable=True):
        number = insert(conn, found)
        conn.execute("DELETE FROM sparring WHERE id NOT IN (SELECT id FROM sparring ORDER BY id DESC LIMIT ?)", (KEPT,))
        return number


def rounds(conn: sqlite3.Connection) -> list[Round]:
    """Every round, newest first."""
    states = {
        row["id"]: read(Quest, row) for row in conn.execute("SELECT * FROM quest_states WHERE origin = 'sparring'")
    }
    found = conn.execute("SELECT * FROM sparring ORDER BY id DESC").fetchall()
    return [Round(one, states.get(one.quest_id)) for one in (read(Sparring, row) for row in found)]

"""Where forms of the hero lie beside the save: which box holds which digest, and how whole it is. Written by the runtime."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import ClassVar

from saves.connection import transaction
from saves.rows import Row, columns, read

STATES = ("partial", "whole", "damaged", "gone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place(Row):
    """One form on one box."""

    table: ClassVar[str] = "checkpoint_places"
    digest: str
    """Of the model, 64 hex."""
    box: str
    path: str
    name: str = ""
    """The checkpoint's, as this save calls it."""
    step: int | None = None
    bytes: int
    state: str
    """One of `STATES`."""
    pushed_at: float | None = None
    checked_at: float | None = None
    """When its files were last compared with their digests there."""
    used_at: float | None = None
    """When a server last loaded it."""


def put(conn: sqlite3.Connection, place: Place) -> None:
    """Remember what lies on a box now; it takes the place of what was known of that digest there."""
    values = columns(place)
    with transaction(conn):
        conn.execute(
            f"INSERT OR REPLACE INTO checkpoint_places ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
            tuple(values.values()),
        )


def used(conn: sqlite3.Connection, digest: str, box: str, at: float) -> None:
    """Remember that a server loaded it."""
    with transaction(conn):
        conn.execute("UPDATE checkpoint_places SET used_at = ? WHERE digest = ? AND box = ?", (at, digest, box))


def gone(conn: sqlite3.Connection, digest: str, box: str, at: float) -> None:
    """Remember that it was removed from there."""
    with transaction(conn):
        conn.execute(
            "UPDATE checkpoint_places SET state = 'gone', bytes = 0, checked_at = ? WHERE digest = ? AND box = ?",
            (at, digest, box),
        )


def places(conn: sqlite3.Connection, *, box: str | None = None, digest: str | None = None) -> list[Place]:
    """What is known to lie outside, the newest push first; without what went."""
    rows = conn.execute(
        """SELECT * FROM checkpoint_places WHERE state <> 'gone' AND (:box IS NULL OR box = :box)
           AND (:digest IS NULL OR digest = :digest) ORDER BY pushed_at DESC, box, digest""",
        {"box": box, "digest": digest},
    ).fetchall()
    return [read(Place, row) for row in rows]

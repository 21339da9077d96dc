"""Forms put to work at the Inn: each ceremony with the stage it reached, written by face and command line."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Any, ClassVar

from configs import clock
from saves.connection import transaction
from saves.rows import JSON, Json, Row, encode, insert, read

STAGES = ("gate", "sync", "swap", "canary", "crowned")
"""The way of a form to the Inn; two further ends are ``undone`` and ``failed``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceremony(Row):
    """One attempt to put a form to work on a box."""

    table: ClassVar[str] = "ceremonies"
    id: int = 0
    campaign_id: str
    kind: str
    """promote, auto or undo."""
    name: str
    step: int | None
    digest: str
    box: str
    worker: str = ""
    state: str
    """The stage that is under way, or its end."""
    before_digest: str | None
    """What worked there before; None: nothing."""
    before_name: str | None
    canary: Json = field(metadata=JSON, default_factory=dict)
    """The trial question: ``prompt``, ``answer``, ``digest``, ``seconds``."""
    error_code: str | None = None
    error: str | None = None
    detail: Json = field(metadata=JSON, default_factory=dict)
    """``seconds`` of each stage, what was pushed, the gate's verdict; of a failed one the ``stage``."""
    begun_at: float
    ended_at: float | None = None


def begin(conn: sqlite3.Connection, ceremony: Ceremony) -> int:
    """Write down that a ceremony begins; its number."""
    with transaction(conn, durable=True):
        return insert(conn, ceremony)


def advance(conn: sqlite3.Connection, number: int, state: str, *, over: bool = False, **known: Any) -> None:
    """Write down which stage a ceremony reached.

    Args:
        conn: the save.
        number: the ceremony's.
        state: the stage.
        over: nothing follows it.
        known: further columns that are known now (``worker``, ``canary``, ``error_code``, ``error``, ``detail``).
    """
    values: dict[str, Any] = {"state": state}
    if over:
        values["ended_at"] = clock.now()
    for name, value in known.items():
        is_json = name in ("canary", "detail")
        values[f"{name}_json" if is_json else name] = encode(value) if is_json else value
    marks = ", ".join(f"{name} = ?" for name in values)
    with transaction(conn, durable=True):
        conn.execute(f"UPDATE ceremonies SET {marks} WHERE id = ?", (*values.values(), number))


def at_work(conn: sqlite3.Connection, box: str) -> Ceremony | None:
    """The form put to work on a box last; None where nothing was, or where it was taken back to nothing."""
    row = conn.execute(
        "SELECT * FROM ceremonies WHERE box = ? AND state = 'crowned' ORDER BY id DESC LIMIT 1", (box,)
    ).fetchone()
    return None if row is None else read(Ceremony, row)


def ceremonies(conn: sqlite3.Connection, *, box: str | None = None, limit: int = 100) -> tuple[Ceremony, ...]:
    """The newest ceremonies first."""
    found = conn.execute("SELECT * FROM ceremonies WHERE box = coalesce(?, box) ORDER BY id DESC LIMIT ?", (box, limit))
    return tuple(read(Ceremony, row) for row in found.fetchall())


def working_places(conn: sqlite3.Connection) -> dict[str, Ceremony]:
    """What works on each box."""
    boxes = conn.execute("SELECT DISTINCT box FROM ceremonies").fetchall()
    found = {row["box"]: at_work(conn, row["box"]) for row in boxes}
    return {box: one for box, one in found.items() if one is not None}


def sweep(conn: sqlite3.Connection, older_than_s: float) -> int:
    """End as failed what a crash left half-done; returns how many."""
    with transaction(conn, durable=True):
        return conn.execute(
            """UPDATE ceremonies SET ended_at = ?, error_code = 'INTERRUPTED', error = 'the program ended meanwhile',
                   state = 'failed' WHERE ended_at IS NULL AND begun_at <= ?""",
            (clock.now(), clock.now() - older_than_s),
        ).rowcount

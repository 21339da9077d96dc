"""The inference servers a save knows: which place, which kind, how they were when last looked at. Written by the runtime."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from saves.connection import transaction
from saves.rows import JSON, Json, Row, columns, read

Origin = Literal["started", "adopted"]
STOPPED = ("stopped", "ended")
"""States of a worker that runs no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker(Row):
    """One server at one place."""

    table: ClassVar[str] = "workers"
    id: str
    box: str
    """The place it stands at."""
    kind: str
    """own, vllm, sglang or openai."""
    strict: bool
    """It proves with each answer which form gave it; answers of others never count as exams."""
    address: str
    """Its socket there, ``127.0.0.1:PORT`` there, or an ``https://`` address."""
    origin: str
    """started: by the realm, under a lease; adopted: it ran before, and is never ended by the realm."""
    state: str
    """up, starting, loading, sleeping, broken, wrong_model, gone, unreachable; stopped or ended."""
    why: str = ""
    digest: str | None = None
    """The form in its whole weights when last looked at; None: none, many, or not known."""
    pid: int | None = None
    ticks: int | None = None
    boot_id: str | None = None
    lease_s: float | None = None
    created_at: float
    """When it was last started or adopted."""
    seen_at: float | None = None
    """When it last answered."""
    stopped_at: float | None = None
    detail: Json = field(default_factory=dict, metadata=JSON)

    @property
    def runs(self) -> bool:
        """As far as is known."""
        return self.state not in STOPPED


def put(conn: sqlite3.Connection, worker: Worker) -> None:
    """Write a worker as it is now; it takes the place of what was known under its name."""
    values = columns(worker)
    with transaction(conn):
        conn.execute(
            f"INSERT OR REPLACE INTO workers ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
            tuple(values.values()),
        )


def worker(conn: sqlite3.Connection, name: str) -> Worker | None:
    """The worker called ``name``."""
    row = conn.execute("SELECT * FROM workers WHERE id = ?", (name,)).fetchone()
    return None if row is None else read(Worker, row)


def workers(conn: sqlite3.Connection, *, place: str | None = None) -> list[Worker]:
    """Every worker, or those of a place, by name."""
    where, values = ("WHERE box = ?", (place,)) if place is not None else ("", ())
    return [read(Worker, row) for row in conn.execute(f"SELECT * FROM workers {where} ORDER BY id", values).fetchall()]


def forget(conn: sqlite3.Connection, name: str) -> None:
    """Let go of what was known of a worker."""
    with transaction(conn):
        conn.execute("DELETE FROM workers WHERE id = ?", (name,))

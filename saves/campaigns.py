"""Campaigns, settings of the save, and what the player has already seen. Written by face and command line."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from configs import clock
from configs.errors import RealmError
from saves.connection import transaction
from saves.rows import Campaign, encode, read


def active_campaign(conn: sqlite3.Connection) -> Campaign:
    """The campaign being played; `RealmError` when the save has none."""
    row = conn.execute("SELECT * FROM campaigns WHERE status = 'active'").fetchone()
    if row is None:
        raise RealmError(
            "this save has no active campaign",
            fix="restore a copy from the save's backups/ folder",
            code="NO_ACTIVE_CAMPAIGN",
        )
    return read(Campaign, row)


def campaigns(conn: sqlite3.Connection) -> list[Campaign]:
    """Every campaign, oldest first."""
    return [read(Campaign, row) for row in conn.execute("SELECT * FROM campaigns ORDER BY created_at, id").fetchall()]


def set_overrides(conn: sqlite3.Connection, campaign_id: str, overrides: dict[str, Any]) -> None:
    """Replace the campaign's own layer of configuration."""
    with transaction(conn):
        conn.execute("UPDATE campaigns SET overrides_json = ? WHERE id = ?", (encode(overrides), campaign_id))


def set_setting(conn: sqlite3.Connection, key: str, value: Any) -> None:
    """Keep a JSON value under ``key``."""
    _keep(conn, "settings", key, value)


def get_setting(conn: sqlite3.Connection, key: str, default: Any = None) -> Any:
    """The value kept under ``key``, else ``default``."""
    row = conn.execute("SELECT value_json FROM settings WHERE key = ?", (key,)).fetchone()
    return default if row is None else json.loads(row[0])


def settings(conn: sqlite3.Connection) -> dict[str, Any]:
    """Every setting."""
    return {r["key"]: json.loads(r["value_json"]) for r in conn.execute("SELECT * FROM settings ORDER BY key")}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the player saw last, and when."""

    value: Any
    at: float


def mark_seen(conn: sqlite3.Connection, key: str, value: Any) -> None:
    """Remember how far the player has seen (``key`` names the place, ``value`` is JSON of its own)."""
    _keep(conn, "seen", key, value)


def last_seen(conn: sqlite3.Connection, key: str) -> Seen | None:
    """What was seen last at ``key``; None when nothing ever was."""
    row = conn.execute("SELECT value_json, updated_at FROM seen WHERE key = ?", (key,)).fetchone()
    return None if row is None else Seen(json.loads(row["value_json"]), row["updated_at"])


def _keep(conn: sqlite3.Connection, table: str, key: str, value: Any) -> None:
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False, allow_nan=False)
    with transaction(conn):
        conn.execute(
            f"""INSERT INTO {table} (key, value_json, updated_at) VALUES (?, ?, ?)
                ON CONFLICT (key) DO UPDATE SET value_json = excluded.value_json, updated_at = excluded.updated_at""",
            (key, text, clock.now()),
        )

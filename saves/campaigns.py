"""Campaigns, settings of the save, and what the player has already seen. Written by face and command line."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs import clock
from configs.errors import RealmError, UsageError
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


def campaign(conn: sqlite3.Connection, which: str) -> Campaign:
    """A campaign by its id, its name, or a number (``2`` is ``campaign-002``); `UsageError` when there is none."""
    wanted = f"campaign-{int(which):03}" if which.isdecimal() else which
    every = campaigns(conn)
    for found in every:
        if wanted == found.id or which.casefold() == found.name.casefold():
            return found
    raise UsageError(
        f"there is no campaign {which!r}",
        fix=f"choose one of {', '.join(c.id for c in every)}",
        code="UNKNOWN_CAMPAIGN",
    )


def add_campaign(
    conn: sqlite3.Connection,
    *,
    hero: Mapping[str, Any],
    name: str,
    seed: int,
    overrides: Mapping[str, Any],
    starting_checkpoint_id: int | None = None,
    parent_id: str | None = None,
    recipe: Mapping[str, Any] | None = None,
) -> Campaign:
    """A new campaign, durably; it is paused until it is switched to.

    Args:
        conn: a writable save.
        hero: the hero's whole configuration.
        name: what it is called; must be new.
        seed: decides everything random in it.
        overrides: its own layer of configuration.
        starting_checkpoint_id: the form it begins with; None: a newborn hero. The form is protected from now on.
        parent_id: the campaign that form belongs to.
        recipe: the recipe it re-runs.
    """
    with transaction(conn, durable=True):
        every = campaigns(conn)
        if any(c.name.casefold() == name.casefold() for c in every):
            raise UsageError(f"a campaign called {name!r} exists", fix="choose another --name", code="CAMPAIGN_EXISTS")
        number = 1 + max(
            (int(c.id.rsplit("-", 1)[-1]) for c in every if c.id.rsplit("-", 1)[-1].isdecimal()), default=0
        )
        ident = f"campaign-{number:03}"
        conn.execute(
            """INSERT INTO campaigns (id, hero_id, hero_json, name, status, seed, starting_checkpoint_id, overrides_json,
                   created_at, parent_id, recipe_json) VALUES (?, ?, ?, ?, 'paused', ?, ?, ?, ?, ?, ?)""",
            (
                *(ident, str(hero["id"]), encode(dict(hero)), name, seed, starting_checkpoint_id),
                *(encode(dict(overrides)), clock.now(), parent_id, encode(dict(recipe or {}))),
            ),
        )
        if starting_checkpoint_id is not None:
            conn.execute("UPDATE checkpoints SET protected = 1 WHERE id = ?", (starting_checkpoint_id,))
        return campaign(conn, ident)


def activate(conn: sqlite3.Connection, campaign_id: str) -> None:
    """Make a campaign the one that is played, durably; the one before is paused. No engine may hold the save."""
    with transaction(conn, durable=True):
        conn.execute("UPDATE campaigns SET status = 'paused' WHERE status = 'active'")
        conn.execute("UPDATE campaigns SET status = 'active', archived_at = NULL WHERE id = ?", (campaign_id,))


def archive(conn: sqlite3.Connection, campaign_id: str, summary: Mapping[str, Any], *, completed: bool) -> None:
    """Put a campaign that is not played into the hall, durably, with what it reached."""
    now = clock.now()
    with transaction(conn, durable=True):
        conn.execute(
            """UPDATE campaigns SET status = 'archived', archived_at = ?, completed_at = coalesce(completed_at, ?),
                   summary_json = ? WHERE id = ? AND status <> 'active'""",
            (now, now if completed else None, encode(dict(summary)), campaign_id),
        )


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

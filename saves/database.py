"""Makes, opens, checks and migrates the save file. The one place that opens ``realm.db``."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from configs import clock
from configs.errors import BlockedError, RealmError, UsageError
from configs.paths import SaveFolder
from configs.version import __version__
from saves.backups import back_up
from saves.connection import BUSY_TIMEOUT_S, SaveConnection, transaction, translate
from saves.filesystem import refuse_network_disk
from saves.locks import FileLock
from saves.migrations import STEPS
from saves.rows import encode

if TYPE_CHECKING:
    from configs.schema import HeroConfig

__all__ = ["APPLICATION_ID", "create_save", "open_save", "transaction"]

APPLICATION_ID = 0x5245414C
"""Marks a SQLite file as a save of this game (``REAL``)."""
FIRST_CAMPAIGN = "campaign-001"


def create_save(folder: SaveFolder, hero: HeroConfig, *, seed: int) -> None:
    """Make a save with one active campaign; the file appears by one rename.

    Args:
        folder: where; must not hold a save yet.
        hero: the hero of the first campaign; its whole configuration is kept with it.
        seed: decides everything random in the campaign.

    Raises:
        UsageError: there already is a save.
        RealmError: the folder cannot be used.
    """
    if folder.database.exists():
        raise UsageError(
            f"the save {folder.name} already exists",
            fix="open it with `realm play`, or choose another name",
            code="SAVE_EXISTS",
        )
    folder.make()
    refuse_network_disk(folder.root)
    part = folder.root / f".part-{os.getpid()}.db"
    part.unlink(missing_ok=True)
    try:
        conn = _connect(part, "rwc")
        try:
            # Nobody knows the part yet: it is carried to the disk once, whole, instead of after each step.
            conn.execute("PRAGMA journal_mode = MEMORY")
            conn.execute("PRAGMA synchronous = OFF")
            conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            migrate(conn, STEPS)
            now = clock.now()
            with transaction(conn):
                for key, value in (("created_at", repr(now)), ("created_by", __version__)):
                    conn.execute("INSERT INTO save_info VALUES (?, ?)", (key, value))
                conn.execute(
                    """INSERT INTO campaigns (id, hero_id, hero_json, name, status, seed, created_at)
                       VALUES (?, ?, ?, ?, 'active', ?, ?)""",
                    (FIRST_CAMPAIGN, hero.id, encode(hero.model_dump(mode="json")), hero.title, seed, now),
                )
            make_writable(conn)
        finally:
            conn.close()
        with part.open("rb") as made:
            os.fsync(made.fileno())
        try:
            os.link(part, folder.database)
        except FileExistsError as error:
            raise UsageError(
                f"the save {folder.name} already exists", fix="open it with `realm play`", code="SAVE_EXISTS"
            ) from error
    finally:
        part.unlink(missing_ok=True)


def open_save(folder: SaveFolder, *, write: bool) -> SaveConnection:
    """Open a save; an older one is backed up and migrated first, while no engine holds it.

    Args:
        folder: the save's folder.
        write: False opens it for reading only.

    Raises:
        RealmError: there is no save, it is damaged, from a newer version, or on a network disk.
        BlockedError: it needs migration while an engine uses it.
    """
    path = folder.database
    if not path.is_file():
        raise RealmError(
            f"there is no save called {folder.name}",
            why=f"{path} does not exist",
            fix=f"start one with `realm play --save {folder.name}`, or see `realm save list`",
            code="NO_SAVE",
        )
    refuse_network_disk(folder.root)
    conn = _connect(path, "rw" if write else "ro")
    try:
        version = check_identity(conn)
        if version < len(STEPS):
            conn.close()
            _migrate_folder(folder, version)
            conn = _connect(path, "rw" if write else "ro")
        if write:
            make_writable(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def make_writable(conn: SaveConnection) -> None:
    """Set what every writer of a save relies on; only for a file that is known to be one."""
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = NORMAL")
    conn.execute("PRAGMA foreign_keys = ON")


def check_identity(conn: SaveConnection) -> int:
    """The schema version of an opened file; `RealmError` when it is no save, or from a newer version."""
    mark = conn.execute("PRAGMA application_id").fetchone()[0]
    version = int(conn.execute("PRAGMA user_version").fetchone()[0])
    if mark != APPLICATION_ID:
        raise RealmError(
            f"{conn.path} is not a save of this game",
            fix="move it away, or restore a copy from the save's backups/ folder",
            code="SAVE_BROKEN",
        )
    if version > len(STEPS):
        raise RealmError(
            f"the save {conn.path.parent.name} was written by a newer version",
            why=f"it has schema {version}, this version knows {len(STEPS)}",
            fix="upgrade Realm of Training, or use another save",
            code="SAVE_NEWER",
        )
    return version


def migrate(conn: SaveConnection, steps: Sequence[Sequence[str]]) -> None:
    """Bring the schema to version ``len(steps)``; each step is one transaction, so a failed one changes nothing.

    References are checked at the end of a step, not within it: making a table anew must not cascade.
    """
    conn.execute("PRAGMA foreign_keys = OFF")
    try:
        while True:
            with transaction(conn, durable=True):
                version = int(conn.execute("PRAGMA user_version").fetchone()[0])
                if version >= len(steps):
                    return
                for statement in steps[version]:
                    conn.execute(statement)
                if conn.execute("PRAGMA foreign_key_check").fetchone() is not None:
                    raise RealmError(f"step {version + 1} of the migration broke a reference", code="MIGRATION_FAILED")
                conn.execute(f"PRAGMA user_version = {version + 1}")
    finally:
        conn.execute("PRAGMA foreign_keys = ON")


def _migrate_folder(folder: SaveFolder, version: int) -> None:
    """Back up and migrate, holding both engine locks so that no engine can start meanwhile."""
    taken: list[FileLock] = []
    try:
        for path in (folder.keeper_lock, folder.trainer_lock):
            lock = FileLock(path)
            if lock.held:
                continue  # the process that migrates is the engine itself, before it reads anything
            if not lock.acquire():
                raise BlockedError(
                    f"the save {folder.name} must be upgraded, but an engine of the older version is using it",
                    fix=f"stop it first: `realm stop --save {folder.name}`",
                    code="ENGINE_RUNNING",
                )
            taken.append(lock)
        copy = back_up(folder, reason=f"schema-{version}")
        conn = _connect(folder.database, "rw")
        try:
            make_writable(conn)
            migrate(conn, STEPS)
        except (RealmError, sqlite3.Error) as error:
            raise RealmError(
                f"the save {folder.name} could not be upgraded and stays as it was",
                why=str(error),
                fix=f"use the version that wrote it; a copy lies in {copy}",
                code="MIGRATION_FAILED",
            ) from error
        finally:
            conn.close()
    finally:
        for lock in taken:
            lock.release()


def _connect(path: Path, mode: str) -> SaveConnection:
    """A configured connection; ``mode`` is SQLite's ro, rw or rwc."""
    try:
        conn = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=BUSY_TIMEOUT_S,
            factory=SaveConnection,
        )
    except sqlite3.Error as error:
        translate(error, path)
    conn.path = path
    conn.row_factory = sqlite3.Row
    try:
        if mode == "ro":
            conn.execute("PRAGMA query_only = ON")
        conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        conn.close()
        raise
    return conn

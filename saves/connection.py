"""A SQLite connection that speaks the house's errors and groups writes into transactions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from configs.errors import BlockedError, RealmError

BUSY_TIMEOUT_S = 5.0

_RESTORE = "restore a copy from the save's backups/ folder (`realm save verify` tells more), or import an export"


def translate(error: sqlite3.Error, path: Path) -> NoReturn:
    """Raise what the error means for a player; errors of our own making pass unchanged."""
    text = str(error)
    low = text.lower()
    if isinstance(error, sqlite3.OperationalError):
        if "locked" in low or "busy" in low:
            raise BlockedError(
                f"the save {path.parent.name} is busy",
                why=f"another program kept {path.name} locked for {BUSY_TIMEOUT_S:.0f} s",
                fix="try again; close other programs that have the file open",
                code="SAVE_BUSY",
            ) from error
        if "full" in low:
            raise BlockedError(
                f"no room to write {path}", why=text, fix="free some disk space, then try again", code="DISK_FULL"
            ) from error
        if "readonly" in low or "disk i/o" in low or "unable to open" in low:
            raise RealmError(
                f"cannot use {path}", why=text, fix="check the disk and the file's permissions", code="SAVE_UNUSABLE"
            ) from error
        if "no such table" in low:
            raise RealmError(f"{path} is damaged", why=text, fix=_RESTORE, code="SAVE_BROKEN") from error
    elif type(error) is sqlite3.DatabaseError:
        raise RealmError(f"{path} is damaged", why=text, fix=_RESTORE, code="SAVE_BROKEN") from error
    raise error


class SaveCursor(sqlite3.Cursor):
    """A cursor whose failures are `RealmError`s where a player can act on them."""

    connection: SaveConnection

    def execute(self, sql: str, parameters: Any = (), /) -> SaveCursor:
        try:
            super().execute(sql, parameters)
        except sqlite3.DatabaseError as error:
            translate(error, self.connection.path)
        return self

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> SaveCursor:
        try:
            super().executemany(sql, parameters)
        except sqlite3.DatabaseError as error:
            translate(error, self.connection.path)
        return self

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except sqlite3.DatabaseError as error:
            translate(error, self.connection.path)

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except sqlite3.DatabaseError as error:
            translate(error, self.connection.path)

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.DatabaseError as error:
            translate(error, self.connection.path)


class SaveConnection(sqlite3.Connection):
    """A connection in autocommit mode; writes are grouped by `transaction` alone."""

    path: Path = Path()
    must_sync = False
    """A transaction in progress asked to be on the disk when it returns."""

    def cursor(self, factory: Any = SaveCursor) -> Any:
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = self.cursor()
        return cursor.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = self.cursor()
        return cursor.executemany(sql, parameters)


@contextmanager
def transaction(conn: sqlite3.Connection, *, durable: bool = False) -> Iterator[None]:
    """All writes inside happen together or not at all.

    A transaction inside another joins it: the outermost commits, an exception undoes everything.

    Args:
        conn: a connection made by `saves.database.open_save`.
        durable: what was written also survives a power cut once the outermost transaction is left (some milliseconds).
    """
    assert isinstance(conn, SaveConnection)
    joins = conn.in_transaction
    conn.must_sync = durable or (joins and conn.must_sync)
    if joins:
        yield
        return
    conn.execute("BEGIN IMMEDIATE")
    try:
        yield
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise
    if conn.must_sync:
        _sync_log(conn.path)


def _sync_log(database: Path) -> None:
    """Force committed pages to the disk: what ``synchronous = FULL`` does after each commit, here only where asked."""
    try:
        fd = os.open(f"{database}-wal", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # no log: everything was already carried into the database, which syncs it
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

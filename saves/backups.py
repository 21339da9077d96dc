"""Copies of the save file: one a day, and one before anything risky."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from configs import clock
from configs.paths import SaveFolder
from saves.connection import translate

SUFFIX = ".db"


def back_up(folder: SaveFolder, *, reason: str = "daily") -> Path:
    """Copy the save file, also while it is being written; returns the copy, which appears by one rename."""
    folder.backups.mkdir(parents=True, exist_ok=True, mode=0o700)
    stamp = f"{clock.utc(clock.now()):%Y%m%d-%H%M%S}"
    target = folder.backups / f"{stamp}-{reason}{SUFFIX}"
    part = folder.backups / f".part-{os.getpid()}{SUFFIX}"
    part.unlink(missing_ok=True)
    try:
        source = sqlite3.connect(f"{folder.database.absolute().as_uri()}?mode=ro", uri=True)
        try:
            copy = sqlite3.connect(part)
            try:
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
            finally:
                copy.close()
        finally:
            source.close()
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except sqlite3.Error as error:
        translate(error, folder.database)
    finally:
        part.unlink(missing_ok=True)
    return target


def backups(folder: SaveFolder) -> list[Path]:
    """The copies there are, oldest first."""
    return sorted(p for p in folder.backups.glob(f"*{SUFFIX}") if not p.name.startswith("."))


def daily_backup(folder: SaveFolder, keep: int) -> Path | None:
    """Copy the save once per UTC day and keep the newest ``keep`` daily copies; None when today's exists.

    Copies made for another reason are never thinned here.
    """
    today = f"{clock.utc(clock.now()):%Y%m%d}"
    daily = [p for p in backups(folder) if p.stem.endswith("-daily")]
    made = None
    if not any(p.name.startswith(today) for p in daily):
        made = back_up(folder)
        daily.append(made)
    for old in daily[:-keep]:
        old.unlink(missing_ok=True)
    return made

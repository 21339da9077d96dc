"""The Groundskeeper sweeps what nobody needs any more; a dry run only says what that would be.

Facts, forms and everything that training or the game is made of are the engine's to keep (`saves.retention`); here go leftovers: old
logs and papers, half-written files, files of quests that are done, looks of the Garrison, workers that are gone, and the empty room in
the save's file.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from configs import clock
from configs.errors import RealmError
from configs.garrison import GroundsRules
from configs.paths import SaveFolder, cache_dir
from realm_tui.runtime.opened import opened
from saves import jobs, patrols, workers
from saves.checkpoint_folder import PART, size_bytes
from saves.connection import transaction
from saves.database import open_save
from saves.quest_files import spent_files
from saves.upkeep import engine_holds

DAY_S = 86_400.0
MB = 1_000_000
_PACKED = "groundskeeper.packed_at"


@dataclass(frozen=True, slots=True)
class Swept:
    """One kind of thing that goes, or went."""

    what: str
    rule: str
    count: int
    bytes: int = 0
    problem: str = ""
    """Why it could not go."""


def sweep(folder: SaveFolder, rules: GroundsRules, *, dry: bool = False) -> list[Swept]:
    """Sweep one save; every kind is listed, also where nothing goes.

    Args:
        folder: the save.
        rules: what may go.
        dry: change nothing.
    """
    now = clock.now()
    swept = [
        _trim_logs(folder, rules, dry=dry),
        _files("old logs", f"older than {rules.log_days:g} days", _old(folder.logs, rules.log_days, now), dry=dry),
        _files(
            "papers",
            f"older than {rules.papers_days:g} days",
            _old(folder.root / "papers", rules.papers_days, now),
            dry=dry,
        ),
        _files(
            "leftovers",
            f"half-written, older than {rules.leftover_days:g} days",
            _leftovers(folder, rules.leftover_days * DAY_S, now),
            dry=dry,
        ),
    ]
    with opened(folder, write=not dry) as save:
        swept.append(_quests(save.conn, folder, rules, now, dry=dry))
        swept += _rows(save.conn, rules, now, dry=dry)
    swept.append(_pack(folder, rules, now, dry=dry))
    return swept


def _quests(conn: sqlite3.Connection, folder: SaveFolder, rules: GroundsRules, now: float, *, dry: bool) -> Swept:
    """Let files of done quests go; whoever wants one once more, or goes back to an older form, comes before or after, never between."""
    rule = f"done {rules.quest_days:g} days ago, or the {rules.quest_files} newest, and no kept form needs it"
    with nullcontext() if dry else transaction(conn):
        spent = [one for one in spent_files(conn) if (folder.quests / one.file).is_file()]
        going = [
            path
            for place, one in enumerate(spent)
            if place >= rules.quest_files or now - one.ended_at > rules.quest_days * DAY_S
            for path in (folder.quests / one.file, folder.quests / f"{one.file}.meta.json")
            if path.is_file()
        ]
        return _files("files of done quests", rule, going, dry=dry)


def _rows(conn: sqlite3.Connection, rules: GroundsRules, now: float, *, dry: bool) -> Iterator[Swept]:
    looks = patrols.forget(
        conn, looks_before=now - rules.looks_days * DAY_S, history_before=now - rules.history_days * DAY_S, dry=dry
    )
    yield Swept("looks, alarms and tasks", f"older than {rules.looks_days:g} and {rules.history_days:g} days", looks)
    if not dry:
        yield Swept("jobs and their events", "as config/jobs.yaml says", jobs.forget(conn, now))
    before = now - rules.workers_days * DAY_S
    lost = [w for w in workers.workers(conn) if (w.seen_at or w.created_at) < before]
    for worker in () if dry else lost:
        workers.forget(conn, worker.id)
    yield Swept("workers", f"not seen for {rules.workers_days:g} days", len(lost))


def _old(folder: Path, days: float, now: float) -> list[Path]:
    """Files that nobody wrote to for so long; of logs only those that are no longer written."""
    if not folder.is_dir():
        return []
    living = {".log", ".db"}
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and path.suffix not in living and now - path.stat().st_mtime > days * DAY_S
    ]


def _leftovers(folder: SaveFolder, age_s: float, now: float) -> list[Path]:
    """What somebody began to write and never finished. Those among forms are the engine's own to sweep."""
    places = [folder.root / "champions", folder.root / "papers", folder.quests, folder.inbox, cache_dir()]
    return [
        path
        for place in places
        if place.is_dir()
        for path in sorted(place.iterdir())
        if path.name.startswith(PART) and now - path.stat().st_mtime > age_s
    ]


def _files(what: str, rule: str, paths: list[Path], *, dry: bool) -> Swept:
    size, gone, problem = 0, 0, ""
    for path in paths:
        try:
            its = size_bytes(path) if path.is_dir() else path.stat().st_size
            if not dry:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            problem = f"{path.name}: {error.strerror}"
            continue
        size, gone = size + its, gone + 1
    return Swept(what, rule, gone, size, problem)


def _trim_logs(folder: SaveFolder, rules: GroundsRules, *, dry: bool) -> Swept:
    """Keep the newest half of logs that grew too long; whoever writes to one goes on at its new end."""
    limit, count, size, problem = int(rules.log_mb * MB), 0, 0, ""
    for path in sorted(folder.logs.glob("*.log")) if folder.logs.is_dir() else ():
        try:
            grown = path.stat().st_size
            if grown <= limit:
                continue
            if not dry:
                with path.open("r+b") as file:
                    file.seek(grown - limit // 2)
                    file.readline()
                    kept = file.read()
                    file.seek(0)
                    file.write(kept)
                    file.truncate()
        except OSError as error:
            problem = f"{path.name}: {error.strerror}"
            continue
        count, size = count + 1, size + grown - limit // 2
    return Swept("long logs", f"beyond {rules.log_mb:g} MB", count, size, problem)


def _pack(folder: SaveFolder, rules: GroundsRules, now: float, *, dry: bool) -> Swept:
    """Give the empty room in the save's file back to the disk."""
    rule = f"every {rules.vacuum_days:g} days"
    with closing(open_save(folder, write=not dry)) as conn:
        row = conn.execute("SELECT value_json FROM settings WHERE key = ?", (_PACKED,)).fetchone()
        if row is not None and now - float(row[0]) < rules.vacuum_days * DAY_S:
            return Swept("room in the save's file", rule, 0)
        pages, free, size = (
            conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        worth = free * 4 >= pages
        if worth and engine_holds(folder):
            return Swept("room in the save's file", rule, 0, 0, "" if dry else "an engine writes into it; next time")
        if not dry:
            try:
                if worth:
                    conn.execute("VACUUM")
                with transaction(conn):
                    conn.execute(
                        """INSERT INTO settings (key, value_json, updated_at) VALUES (?, ?, ?) ON CONFLICT (key)
                           DO UPDATE SET value_json = excluded.value_json, updated_at = excluded.updated_at""",
                        (_PACKED, repr(now), now),
                    )
            except RealmError as error:
                return Swept("room in the save's file", rule, 0, 0, error.text())
    return Swept("room in the save's file", rule, int(worth), free * size if worth else 0)

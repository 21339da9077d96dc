"""What the keeper writes into the save: incidents about a trainer's end. A save that cannot be written never ends the keeper."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from configs.errors import RealmError
from configs.paths import SaveFolder
from engine.link.ending import Crash, Ending
from engine.link.snapshot import Snapshot
from saves.campaigns import active_campaign
from saves.database import open_save
from saves.incidents import raise_incident
from saves.locks import FileLock
from saves.runs import close_run, latest_run, repair

Say = Callable[[str], None]

_CATEGORY = {Crash.DATA: "data", Crash.NAN: "training", Crash.CONFIG: "logic", Crash.REFUSED: "logic"}
_CRITICAL = frozenset({Crash.OOM, Crash.NAN})


def record_crash(folder: SaveFolder, ending: Ending, snapshot: Snapshot | None, say: Say) -> None:
    """A trainer ended badly; the run is the one it last showed."""
    _write(
        folder,
        say,
        rule=f"{ending.crash}_crash",
        category=_CATEGORY.get(ending.crash, "infra"),
        severity="critical" if ending.crash in _CRITICAL else "high",
        title=f"the engine ended: {ending.reason}",
        fix=ending.fix,
        detail=_evidence(ending),
        run_id=snapshot.run_id if snapshot is not None else None,
        step=snapshot.step if snapshot is not None else None,
    )


def record_given_up(folder: SaveFolder, ending: Ending, restarts: int, say: Say) -> None:
    """The keeper starts no further trainer."""
    why = f"it ended again after {restarts} restarts" if ending.restartable else "starting it again cannot help"
    _write(
        folder,
        say,
        rule="engine_given_up",
        category="infra",
        severity="critical",
        title=f"the engine was not started again, {why}: {ending.reason}",
        fix=f"{ending.fix}; then start it again",
        detail={**_evidence(ending), "restarts": restarts},
    )


def record_stuck(folder: SaveFolder, title: str, snapshot: Snapshot | None, say: Say) -> None:
    """A trainer lives but gets nowhere."""
    say(title)
    _write(
        folder,
        say,
        rule="hang",
        category="infra",
        severity="high",
        title=title,
        fix="look at `realm log`; `realm stop` twice ends it at once, nothing but the steps since the last save is lost",
        detail={"state": str(snapshot.state), "progress": snapshot.progress} if snapshot is not None else {},
        run_id=snapshot.run_id if snapshot is not None else None,
        step=snapshot.step if snapshot is not None else None,
    )


def record_end_by_force(folder: SaveFolder, last_step: int | None, say: Say) -> None:
    """The player ended the trainer at once: its run is over, and what it was doing was interrupted."""
    lock = FileLock(folder.trainer_lock)
    if not lock.acquire():
        return
    try:
        with closing(open_save(folder, write=True)) as conn:
            run = latest_run(conn, active_campaign(conn).id)
            if run is not None and run.ended_at is None:
                close_run(conn, run.id, last_step, "killed")
            repair(conn)
    except (RealmError, sqlite3.Error, OSError) as error:
        say(f"the run could not be closed: {error}")
    finally:
        lock.release()


def _evidence(ending: Ending) -> dict[str, Any]:
    return {"class": str(ending.crash), "exit_code": ending.exit_code, "signal": ending.signal}


def _write(folder: SaveFolder, say: Say, **incident: Any) -> None:
    try:
        with closing(open_save(folder, write=True)) as conn:
            run_id = incident.get("run_id")
            if run_id is not None and conn.execute("SELECT 1 FROM runs WHERE id = ?", (run_id,)).fetchone() is None:
                incident["run_id"] = None
            raise_incident(conn, **incident)
    except (RealmError, sqlite3.Error, OSError) as error:
        say(f"an incident could not be written: {error}")

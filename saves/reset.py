"""Starting over, at four depths: what would go, and doing it. A copy of the database is always made first."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from configs import clock
from configs.errors import BlockedError
from configs.paths import SaveFolder
from saves import ledger
from saves.backups import back_up
from saves.campaigns import active_campaign, campaigns
from saves.connection import transaction
from saves.rows import Campaign, Checkpoint

Depth = Literal["campaign", "hero", "full", "deep"]
DEPTHS: tuple[Depth, ...] = ("campaign", "hero", "full", "deep")
TYPED: frozenset[Depth] = frozenset({"full", "deep"})
"""Depths that want the save's name typed."""

_OF_RUNS = (
    "exam_requests",
    "sparring",
    "trials",
    "drifts",
    "decisions",
    "level_ups",
    "holds",
    "exams",
    "champions",
    "quest_attempts",
    "forged_quests",
    "step_windows",
    "balances",
    "journal",
    "incidents",
    "checkpoints",
    "runs",
)
"""Tables whose rows go with a campaign, in an order in which nothing is left that another row needs."""

_OF_THE_INN = ("jobs", "oracle_turns", "ceremonies", "task_runs", "patrols", "alerts")
"""Tables of the runtime that begin anew with the whole save; workers and what lies on their boxes are there all the same."""


@dataclass(frozen=True, slots=True)
class Reset:
    """What goes at one depth."""

    depth: Depth
    campaigns: tuple[str, ...]
    """Campaigns that lose their facts and forms. They begin anew with their hero, seed, recipe and, where it stays, the form they

    began with; those that ``removed`` names go altogether."""
    removed: tuple[str, ...]
    """Campaigns that are struck from the save."""
    checkpoints: tuple[str, ...]
    bytes: int
    """Of these on the disk."""
    quests: int
    """The player's quests that leave the board with their copies."""
    exports: tuple[str, ...]
    """Exported champions that go."""
    facts: int
    """Rows of history."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def plan_reset(folder: SaveFolder, conn: sqlite3.Connection, depth: Depth, campaign: Campaign) -> Reset:
    """What a reset would take away.

    Args:
        folder: the save's folder.
        conn: the save.
        depth: ``campaign`` (this one), ``hero`` (all of its hero's), ``full`` (all of them, the board and settings; one new campaign
            with the same hero and seed remains), ``deep`` (also exported champions, ghosts and older copies of the database).
        campaign: the one meant.

    Raises:
        BlockedError: another campaign began with a form that would go.
    """
    every = campaigns(conn)
    wiped = [
        c for c in every if depth in TYPED or c.id == campaign.id or (depth == "hero" and c.hero_id == campaign.hero_id)
    ]
    ids = {c.id for c in wiped}
    forms = [c for c in ledger.kept_checkpoints(conn) if c.campaign_id in ids]
    _refuse_orphans(every, ids, {c.id: c for c in forms})
    exports = _exports(conn, folder, ids) if depth == "deep" else ()
    quests = conn.execute("SELECT count(*) FROM quests").fetchone()[0] if depth in TYPED else 0
    removed = tuple(c.id for c in wiped if c.id != campaign.id) if depth in TYPED else ()
    return Reset(
        depth=depth,
        campaigns=tuple(c.id for c in wiped),
        removed=removed,
        checkpoints=tuple(c.name for c in forms),
        bytes=sum(c.bytes for c in forms),
        quests=quests,
        exports=exports,
        facts=sum(_count(conn, table, sorted(ids)) for table in _OF_RUNS),
    )


def carry_out(folder: SaveFolder, conn: sqlite3.Connection, plan: Reset, campaign: Campaign) -> str:
    """Do what the plan says; returns the name of the copy made before. No engine may hold the save.

    The database changes in one transaction; folders go after it, and a crash between leaves only folders that the next start sweeps.
    """
    copy = back_up(folder, reason=f"reset-{plan.depth}")
    paths = [ledger.folder_of(folder, c) for c in ledger.kept_checkpoints(conn) if c.name in set(plan.checkpoints)]
    files = [row["file"] for row in conn.execute("SELECT file FROM quests")] if plan.depth in TYPED else []
    with transaction(conn, durable=True):
        conn.execute("PRAGMA defer_foreign_keys = ON")
        ids = list(plan.campaigns)
        marks = ", ".join("?" * len(ids))
        forms = _FORMS.format(marks)
        conn.execute(
            f"""UPDATE campaigns SET starting_checkpoint_id = NULL, parent_id = NULL
                WHERE id IN ({marks}) AND starting_checkpoint_id IN ({forms})""",
            ids * 2,
        )
        conn.execute(
            f"UPDATE quests SET removed_at = coalesce(removed_at, ?), checkpoint_id = NULL WHERE checkpoint_id IN ({forms})",
            [clock.now(), *ids],
        )
        conn.execute(f"UPDATE exams SET checkpoint_id = NULL WHERE checkpoint_id IN ({forms})", ids)
        for table in _OF_RUNS:
            conn.execute(f"DELETE FROM {table} WHERE {_owner(table, marks)}", ids)
        conn.execute(f"DELETE FROM milestones WHERE campaign_id IN ({marks})", ids)
        conn.execute(
            f"""UPDATE campaigns SET summary_json = '{{}}', archived_at = NULL, completed_at = NULL,
                    status = CASE status WHEN 'active' THEN 'active' ELSE 'paused' END WHERE id IN ({marks})""",
            ids,
        )
        if plan.depth in TYPED:
            conn.execute("DELETE FROM quests")
            for table in _OF_THE_INN:
                conn.execute(f"DELETE FROM {table}")
            conn.execute("DELETE FROM settings WHERE key NOT LIKE 'face.%'")
            conn.execute("DELETE FROM seen")
            conn.executemany("DELETE FROM campaigns WHERE id = ?", [(i,) for i in plan.removed])
            conn.execute(
                "UPDATE campaigns SET status = 'active', created_at = ? WHERE id = ?", (clock.now(), campaign.id)
            )
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
    for name in files:
        for gone in (name, f"{name}.meta.json"):
            (folder.quests / gone).unlink(missing_ok=True)
    if plan.depth == "deep":
        for name in plan.exports:
            shutil.rmtree(folder.root / name, ignore_errors=True)
        for old in folder.backups.glob("*.db"):
            if old != copy:
                old.unlink(missing_ok=True)
    active_campaign(conn)
    return copy.name


_FORMS = "SELECT id FROM checkpoints WHERE campaign_id IN ({})"


def _owner(table: str, marks: str) -> str:
    """The condition under which a row belongs to one of the campaigns."""
    if table in ("runs", "checkpoints"):
        return f"campaign_id IN ({marks})"
    if table == "champions":
        return f"checkpoint_id IN ({_FORMS.format(marks)})"
    return f"run_id IN (SELECT id FROM runs WHERE campaign_id IN ({marks}))"


def _count(conn: sqlite3.Connection, table: str, ids: Sequence[str]) -> int:
    marks = ", ".join("?" * len(ids))
    return int(conn.execute(f"SELECT count(*) FROM {table} WHERE {_owner(table, marks)}", list(ids)).fetchone()[0])


def _refuse_orphans(every: Sequence[Campaign], wiped: set[str], forms: dict[int, Checkpoint]) -> None:
    for other in every:
        start = other.starting_checkpoint_id
        if other.id not in wiped and start is not None and start in forms:
            raise BlockedError(
                f"{other.id} began with {forms[start].name}, which would go",
                fix=f"reset or archive {other.id} first (`realm reset campaign --campaign {other.id}`)",
                code="FORM_IN_USE",
            )


def _exports(conn: sqlite3.Connection, folder: SaveFolder, ids: set[str]) -> tuple[str, ...]:
    rows = conn.execute(
        """SELECT DISTINCT h.export_path FROM champions h JOIN checkpoints c ON c.id = h.checkpoint_id
           WHERE h.export_path IS NOT NULL"""
    ).fetchall()
    return tuple(r["export_path"] for r in rows if (folder.root / r["export_path"]).is_dir())

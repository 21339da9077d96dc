"""Checks a save against its own laws: the file, its references, the facts, and every form on the disk. Changes nothing."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from configs.errors import RealmError
from configs.paths import SaveFolder
from saves import ledger
from saves.backups import backups
from saves.campaigns import campaigns
from saves.checkpoint_folder import verify_checkpoint
from saves.database import open_save
from saves.exams import exam, level_ups
from saves.quests import quests
from saves.rows import Checkpoint
from saves.runs import runs

_CHECKPOINT = re.compile(r"checkpoint-[0-9]+(-[0-9]+)*")
MAX_FINDINGS = 100
"""Findings of one kind that are listed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be."""

    law: str
    """``file``, ``references``, ``checkpoint``, ``quest``, ``champion``, or a world law: ``law-2``, ``law-3``, ``law-8``, …"""
    entity: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked and what was found."""

    findings: list[Finding] = field(default_factory=list)
    checkpoints: int = 0
    quests: int = 0
    backup: str | None = None
    """The newest sound copy in ``backups/``; looked for only when the file itself is damaged."""

    @property
    def ok(self) -> bool:
        return not self.findings


def verify_save(folder: SaveFolder, *, on_progress: Callable[[str], None] | None = None) -> Report:
    """Check everything; safe while an engine trains.

    Args:
        folder: the save.
        on_progress: is told in words what is looked at now.

    Raises:
        RealmError: there is no save, or it is from a newer version.
    """
    tell = on_progress or (lambda _: None)
    try:
        with closing(open_save(folder, write=False)) as conn:
            tell("the file")
            findings = check_file(conn)
            if findings:
                return Report(findings, backup=_sound_backup(folder))
            tell("the facts")
            findings = check_names(conn)
            if findings:
                return Report(findings)
            findings = check_facts(conn)
            kept = ledger.kept_checkpoints(conn)
            for number, form in enumerate(kept, 1):
                tell(f"checkpoint {number} of {len(kept)}: {form.name}")
                findings += _check_checkpoint(folder, conn, form)
            board = quests(conn)
            findings += [
                Finding("quest", q.name, f"its file quests/{q.file} is missing")
                for q in board
                if q.state in ("queued", "processing") and not (folder.quests / q.file).is_file()
            ]
            findings += check_champions(folder, conn)
            return Report(findings, len(kept), len(board))
    except RealmError as error:
        if error.code != "SAVE_BROKEN":
            raise
        return Report([Finding("file", folder.database.name, error.what + (f": {error.why}" if error.why else ""))],
                      backup=_sound_backup(folder))  # fmt: skip


def check_file(conn: sqlite3.Connection) -> list[Finding]:
    """SQLite's own look at every page, and at every reference between rows."""
    damage = [row[0] for row in conn.execute(f"PRAGMA integrity_check({MAX_FINDINGS})").fetchall()]
    found = [Finding("file", "realm.db", text) for text in damage if text != "ok"]
    dangling = conn.execute("PRAGMA foreign_key_check").fetchall()
    found += [Finding("references", r[0], f"row {r[1]} points at a missing row of {r[2]}") for r in dangling]
    return found[:MAX_FINDINGS]


def check_names(conn: sqlite3.Connection) -> list[Finding]:
    """Law 12: names are plain, so that no row leads out of the save's folder."""
    found = [
        Finding("law-12", f"checkpoint {c['id']}", f"it is called {c['name']!r} and lies in {c['path']!r}")
        for c in conn.execute("SELECT id, name, path FROM checkpoints").fetchall()
        if not _CHECKPOINT.fullmatch(c["name"]) or c["path"] != f"checkpoints/{c['name']}"
    ]
    found += [
        Finding("law-12", f"quest {q['id']}", f"its file is called {q['file']!r}")
        for q in conn.execute("SELECT id, file FROM quests").fetchall()
        if q["file"].startswith(".") or any(c in q["file"] for c in "/\\\0")
    ]
    found += [
        Finding("law-12", f"champion {c['id']}", f"it is exported to {c['export_path']!r}")
        for c in conn.execute("SELECT id, export_path FROM champions WHERE export_path IS NOT NULL").fetchall()
        if not _CHECKPOINT.fullmatch(c["export_path"].removeprefix("champions/"))
    ]
    return found[:MAX_FINDINGS]


def check_facts(conn: sqlite3.Connection) -> list[Finding]:
    """World laws 2, 3, 7, 8 and 9."""
    found = [
        Finding("law-8", "campaigns", f"{n} campaigns are active, exactly one must be")
        for (n,) in conn.execute("SELECT count(*) FROM campaigns WHERE status = 'active'").fetchall()
        if n != 1
    ]
    found += [
        Finding("law-9", f"run {r['run_id']}", f"{r['n']} checkpoints at step {r['step']}")
        for r in conn.execute(
            """SELECT run_id, step, count(*) AS n FROM checkpoints WHERE deleted_at IS NULL
               GROUP BY run_id, step HAVING n > 1"""
        ).fetchall()
    ]
    for campaign in campaigns(conn):
        found += _check_lineage(conn, campaign.id)
        found += _check_levels(conn, campaign.id)
    return found


def _check_lineage(conn: sqlite3.Connection, campaign_id: str) -> list[Finding]:
    """Law 2 (steps, effort never decrease within the lineage) and law 7 (nothing ends before it begins)."""
    found: list[Finding] = []
    for run in runs(conn, campaign_id):
        name = f"run {run.id}"
        if run.ended_at is not None and run.ended_at < run.started_at:
            found.append(Finding("law-7", name, "it ended before it began"))
        if run.last_step is not None and run.last_step < run.first_step:
            found.append(Finding("law-2", name, f"it ended at step {run.last_step} but began at {run.first_step}"))
        if run.superseded_after is not None and run.superseded_after < 0:
            found.append(Finding("law-2", name, "it is left behind from before the first step"))
    reached, owner = 0, ""
    for w in conn.execute(
        """SELECT w.run_id, w.first_step, w.last_step, w.steps, w.strain_sum, r.first_step AS run_first
           FROM live_step_windows w JOIN runs r ON r.id = w.run_id
           WHERE w.run_campaign_id = ? ORDER BY w.first_step, w.run_id""",
        (campaign_id,),
    ).fetchall():
        name = f"run {w['run_id']}, steps {w['first_step']}–{w['last_step']}"
        if w["last_step"] < w["first_step"] or w["steps"] != w["last_step"] - w["first_step"] + 1:
            found.append(Finding("law-2", name, f"it counts {w['steps']} steps"))
        if w["first_step"] <= reached:
            found.append(Finding("law-2", name, f"these steps were already counted by {owner}"))
        if w["first_step"] <= w["run_first"]:
            found.append(Finding("law-2", name, f"they lie before the run's beginning at step {w['run_first']}"))
        if w["strain_sum"] < 0:
            found.append(Finding("law-2", name, "its effort is negative"))
        reached, owner = max(reached, w["last_step"]), name
    for r in conn.execute(
        """SELECT c.name, w.first_step, w.last_step FROM live_checkpoints c JOIN live_step_windows w ON w.run_id = c.run_id
           WHERE c.campaign_id = ? AND c.deleted_at IS NULL AND w.first_step <= c.step AND w.last_step > c.step""",
        (campaign_id,),
    ).fetchall():
        text = f"steps {r['first_step']}–{r['last_step']} are summed across it, so a resume would lose some"
        found.append(Finding("law-2", r["name"], text))
    return found[:MAX_FINDINGS]


def _check_levels(conn: sqlite3.Connection, campaign_id: str) -> list[Finding]:
    """Law 3: levels are earned in order, each by exams of its own level and with its checkpoint."""
    found: list[Finding] = []
    standing: dict[str, int] = {}
    for won in level_ups(conn, campaign_id):
        name = f"{won.skill} level {won.to_level} at step {won.step}"
        before = standing.get(won.skill, 0)
        if won.from_level != before or won.to_level != before + 1:
            found.append(Finding("law-3", name, f"it follows level {before}"))
        standing[won.skill] = won.to_level
        taken = [exam(conn, i) for i in won.exam_ids]
        if any(e is None or (e.skill, e.level) != (won.skill, won.to_level) or e.step > won.step for e in taken):
            found.append(Finding("law-3", name, "its exams are not all of that level, or not there"))
        steps = [e.step for e in taken if e is not None]
        if steps != sorted(set(steps)):
            found.append(Finding("law-3", name, "its exams are not each from a later step than the one before"))
        if ledger.checkpoint(conn, won.checkpoint_id).step != won.step:
            found.append(Finding("law-3", name, "its checkpoint is from another step"))
    return found[:MAX_FINDINGS]


def _check_checkpoint(folder: SaveFolder, conn: sqlite3.Connection, form: Checkpoint) -> list[Finding]:
    """Every file of a form against its digest, and the form against the ledger."""
    try:
        sidecar = verify_checkpoint(ledger.folder_of(folder, form))
    except RealmError as error:
        text = error.what + (f": {error.why}" if error.why else "")
    else:
        if (sidecar.get("digest"), sidecar.get("step")) == (form.digest, form.step):
            return []
        text = "the folder is not the form that the ledger lists"
    # A living engine may have let go of it meanwhile.
    if ledger.checkpoint(conn, form.id).deleted_at is not None:
        return []
    return [Finding("checkpoint", form.name, text)]


def check_champions(folder: SaveFolder, conn: sqlite3.Connection) -> list[Finding]:
    """Law 11: every campaign's champion exists and has a place."""
    found: list[Finding] = []
    for reigning in ledger.reigning(conn):
        form, where = ledger.checkpoint(conn, reigning.checkpoint_id), reigning.export_path
        if form.deleted_at is not None:
            found.append(Finding("champion", form.name, "the champion's checkpoint was deleted"))
        elif where and not (folder.root / where / "config.json").is_file():
            found.append(Finding("champion", form.name, f"its exported folder {where} is gone; promote it again"))
    return found


def _sound_backup(folder: SaveFolder) -> str | None:
    for copy in reversed(backups(folder)):
        try:
            with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as conn:
                if conn.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok":
                    return copy.name
        except sqlite3.DatabaseError:
            continue
    return None

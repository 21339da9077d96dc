"""The ledger: every saved form of the hero, which are protected, and the champion."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from configs import clock
from configs.errors import BlockedError, UsageError
from configs.paths import SaveFolder
from saves.checkpoint_folder import checkpoint_name
from saves.connection import transaction
from saves.rows import Champion, Checkpoint, encode, insert, read


def free_name(conn: sqlite3.Connection, step: int, at: float) -> str:
    """The canonical name for a checkpoint, with ``-2``, ``-3``… when a run that was left behind already used it."""
    name = base = checkpoint_name(step, at)
    number = 1
    while conn.execute("SELECT 1 FROM checkpoints WHERE name = ?", (name,)).fetchone() is not None:
        number += 1
        name = f"{base}-{number}"
    return name


def add_checkpoint(conn: sqlite3.Connection, checkpoint: Checkpoint) -> int:
    """List a checkpoint whose folder is complete on disk, durably.

    Two saves at one step of a run are one checkpoint: the second only adds its reasons to the first.
    """
    with transaction(conn, durable=True):
        present = at_step(conn, checkpoint.run_id, checkpoint.step)
        if present is None:
            return insert(conn, checkpoint)
        add_reasons(conn, present.id, checkpoint.reasons, protected=checkpoint.protected)
        return present.id


def at_step(conn: sqlite3.Connection, run_id: int, step: int) -> Checkpoint | None:
    """The checkpoint a run saved at ``step``; None when there is none on disk."""
    row = conn.execute(
        "SELECT * FROM checkpoints WHERE run_id = ? AND step = ? AND deleted_at IS NULL", (run_id, step)
    ).fetchone()
    return None if row is None else read(Checkpoint, row)


def add_reasons(
    conn: sqlite3.Connection, checkpoint_id: int, reasons: Sequence[str], *, protected: bool = False
) -> None:
    """Note further reasons for which a checkpoint is kept."""
    with transaction(conn, durable=True):
        known = checkpoint(conn, checkpoint_id).reasons
        merged = [*known, *(r for r in reasons if r not in known)]
        conn.execute(
            "UPDATE checkpoints SET reasons_json = ?, protected = max(protected, ?) WHERE id = ?",
            (encode(merged), int(protected), checkpoint_id),
        )


def examined(conn: sqlite3.Connection, checkpoint_id: int, exam: Mapping[str, Any]) -> None:
    """Note, durably, the exam that a form sat after it was saved; one that it sat before stays."""
    with transaction(conn, durable=True):
        facts = checkpoint(conn, checkpoint_id).facts
        if facts.get("exam") is None:
            changed = encode({**facts, "exam": dict(exam)})
            conn.execute("UPDATE checkpoints SET facts_json = ? WHERE id = ?", (changed, checkpoint_id))


def checkpoint(conn: sqlite3.Connection, checkpoint_id: int) -> Checkpoint:
    """One checkpoint by its id, deleted or not; `KeyError` when there is none."""
    row = conn.execute("SELECT * FROM checkpoints WHERE id = ?", (checkpoint_id,)).fetchone()
    if row is None:
        raise KeyError(checkpoint_id)
    return read(Checkpoint, row)


def live_checkpoints(conn: sqlite3.Connection, campaign_id: str) -> list[Checkpoint]:
    """Checkpoints on disk from which the campaign can go on, oldest first."""
    found = conn.execute(
        "SELECT * FROM live_checkpoints WHERE run_campaign_id = ? AND deleted_at IS NULL ORDER BY step, id",
        (campaign_id,),
    )
    return [read(Checkpoint, row) for row in found.fetchall()]


def kept_checkpoints(conn: sqlite3.Connection) -> list[Checkpoint]:
    """Every checkpoint on disk, also those a resume left behind; by step."""
    found = conn.execute("SELECT * FROM checkpoints WHERE deleted_at IS NULL ORDER BY step, id")
    return [read(Checkpoint, row) for row in found.fetchall()]


def recent_checkpoints(conn: sqlite3.Connection, campaign_id: str, *, since: float = 0.0) -> list[Checkpoint]:
    """Live checkpoints written after ``since``, oldest first; also those whose folder is gone again."""
    found = conn.execute(
        "SELECT * FROM live_checkpoints WHERE run_campaign_id = ? AND at > ? ORDER BY id", (campaign_id, since)
    )
    return [read(Checkpoint, row) for row in found.fetchall()]


def newest_checkpoint(conn: sqlite3.Connection, campaign_id: str) -> Checkpoint | None:
    """The checkpoint to resume from; None before the first."""
    row = conn.execute(
        """SELECT * FROM live_checkpoints WHERE run_campaign_id = ? AND deleted_at IS NULL
           ORDER BY step DESC, id DESC LIMIT 1""",
        (campaign_id,),
    ).fetchone()
    return None if row is None else read(Checkpoint, row)


def find(conn: sqlite3.Connection, which: str) -> Checkpoint:
    """A checkpoint on disk by name, step or the first letters of its digest; ``latest`` and ``champion`` are known.

    A step means the active campaign's where it has one.

    Raises:
        UsageError: nothing or more than one thing fits; a checkpoint is never guessed.
    """
    kept = kept_checkpoints(conn)
    playing = conn.execute("SELECT id FROM campaigns WHERE status = 'active'").fetchone()
    if which in ("latest", "champion"):
        crowned = champion(conn)
        fits = [c for c in kept if crowned and c.id == crowned.checkpoint_id]
        if which == "latest":
            fits = live_checkpoints(conn, playing[0])[-1:] if playing is not None else []
    else:
        wanted = which.lower()
        fits = [c for c in kept if c.name == wanted]
        at_that_step = [c for c in kept if str(c.step) == wanted.removeprefix("checkpoint-")]
        mine = [c for c in at_that_step if playing is not None and c.campaign_id == playing[0]]
        fits = fits or mine or at_that_step
        fits = fits or [c for c in kept if len(wanted) >= 6 and c.digest.startswith(wanted)]
    if not kept:
        raise UsageError(
            "no form of the hero is kept yet", fix="save one: `realm checkpoint`", code="UNKNOWN_CHECKPOINT"
        )
    if len(fits) != 1:
        raise UsageError(
            f"no checkpoint on disk is {which!r}" if not fits else f"{which!r} could be any of {len(fits)} checkpoints",
            why="" if not fits else ", ".join(c.name for c in fits),
            fix="name one from `realm ledger list`",
            code="UNKNOWN_CHECKPOINT",
        )
    return fits[0]


def folder_of(folder: SaveFolder, checkpoint: Checkpoint) -> Path:
    """Where a checkpoint lies."""
    return folder.root / checkpoint.path


def reason_to_stay(conn: sqlite3.Connection, form: Checkpoint) -> str:
    """Why a checkpoint must not be deleted, in words; empty: it may go."""
    if any(c.checkpoint_id == form.id for c in reigning(conn)):
        return "it is the champion"
    begun = conn.execute("SELECT id FROM campaigns WHERE starting_checkpoint_id = ? ORDER BY id", (form.id,)).fetchone()
    if begun is not None:
        return f"{begun['id']} began with it"
    if form.protected:
        return "it is protected"
    newest = newest_checkpoint(conn, form.campaign_id)
    return "it is the newest, and training resumes from it" if newest is not None and newest.id == form.id else ""


def set_protected(conn: sqlite3.Connection, checkpoint_id: int, protected: bool) -> None:
    """Protect a checkpoint from thinning, or stop protecting it."""
    with transaction(conn, durable=True):
        conn.execute("UPDATE checkpoints SET protected = ? WHERE id = ?", (int(protected), checkpoint_id))


def mark_deleted(conn: sqlite3.Connection, checkpoint_id: int) -> None:
    """Note, durably and before the folder goes, that a checkpoint is gone; the reigning champion is refused."""
    with transaction(conn, durable=True):
        if any(c.checkpoint_id == checkpoint_id for c in reigning(conn)):
            raise BlockedError(
                "the champion's checkpoint cannot be deleted", fix="promote another form first", code="CHAMPION"
            )
        conn.execute(
            "UPDATE checkpoints SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL", (clock.now(), checkpoint_id)
        )


def crown(conn: sqlite3.Connection, checkpoint_id: int, exam_id: int | None, export_path: str | None) -> int:
    """Make a checkpoint its campaign's champion, durably: it is protected, and the reigning one retires."""
    now = clock.now()
    with transaction(conn, durable=True):
        conn.execute(
            """UPDATE champions SET retired_at = ? WHERE retired_at IS NULL AND checkpoint_id IN (
                   SELECT id FROM checkpoints WHERE campaign_id = (SELECT campaign_id FROM checkpoints WHERE id = ?))""",
            (now, checkpoint_id),
        )
        set_protected(conn, checkpoint_id, True)
        return insert(conn, Champion(checkpoint_id=checkpoint_id, exam_id=exam_id, export_path=export_path, at=now))


def uncrown(conn: sqlite3.Connection, campaign_id: str) -> tuple[Champion, Champion | None]:
    """Take the newest crowning of a campaign back, durably: the form that reigned before it is crowned again.

    The form that loses the crown is protected no more, unless it wore one before or a campaign began with it.

    Returns:
        The champion that steps down, and the one that reigns now (None: nobody reigned before).

    Raises:
        BlockedError: nobody reigns.
    """
    fallen = champion(conn, campaign_id)
    if fallen is None:
        raise BlockedError("there is no champion yet", fix="promote one (`realm promote`)", code="NO_CHAMPION")
    row = conn.execute(
        """SELECT h.* FROM champions h JOIN checkpoints c ON c.id = h.checkpoint_id
           WHERE c.campaign_id = ? AND h.id < ? AND h.checkpoint_id <> ? AND c.deleted_at IS NULL ORDER BY h.id DESC LIMIT 1""",
        (campaign_id, fallen.id, fallen.checkpoint_id),
    ).fetchone()
    before = None if row is None else read(Champion, row)
    with transaction(conn, durable=True):
        conn.execute("UPDATE champions SET retired_at = ? WHERE id = ?", (clock.now(), fallen.id))
        conn.execute(
            """UPDATE checkpoints SET protected = 0 WHERE id = :form
               AND NOT EXISTS (SELECT 1 FROM champions WHERE checkpoint_id = :form AND id <> :crowning)
               AND NOT EXISTS (SELECT 1 FROM campaigns WHERE starting_checkpoint_id = :form)""",
            {"form": fallen.checkpoint_id, "crowning": fallen.id},
        )
        if before is not None:
            crown(conn, before.checkpoint_id, before.exam_id, before.export_path)
    return fallen, champion(conn, campaign_id)


def champion(conn: sqlite3.Connection, campaign_id: str | None = None) -> Champion | None:
    """The reigning champion of a campaign (None: of the active one); None while there is none."""
    row = conn.execute(
        """SELECT h.* FROM champions h JOIN checkpoints c ON c.id = h.checkpoint_id WHERE h.retired_at IS NULL
           AND c.campaign_id = coalesce(?, (SELECT id FROM campaigns WHERE status = 'active')) ORDER BY h.id DESC LIMIT 1""",
        (campaign_id,),
    ).fetchone()
    return None if row is None else read(Champion, row)


def reigning(conn: sqlite3.Connection) -> list[Champion]:
    """The reigning champions of all campaigns, the oldest first."""
    found = conn.execute("SELECT * FROM champions WHERE retired_at IS NULL ORDER BY id")
    return [read(Champion, row) for row in found.fetchall()]


def champions(conn: sqlite3.Connection, campaign_id: str, *, since: float = 0.0) -> list[Champion]:
    """Every champion of a campaign that was crowned after ``since``, oldest first."""
    found = conn.execute(
        """SELECT h.* FROM champions h JOIN checkpoints c ON c.id = h.checkpoint_id
           WHERE c.campaign_id = ? AND h.at > ? ORDER BY h.id""",
        (campaign_id, since),
    )
    return [read(Champion, row) for row in found.fetchall()]

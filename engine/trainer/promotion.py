"""Choosing a form of the hero, crowning one champion, taking a crown back, letting a form go. Needs neither torch nor an engine."""

from __future__ import annotations

import shutil
import sqlite3
from typing import Any

from configs.errors import BlockedError
from configs.paths import SaveFolder
from saves import ledger
from saves.campaigns import active_campaign
from saves.checkpoint_folder import export_model
from saves.database import transaction
from saves.rows import Checkpoint


def find_form(conn: sqlite3.Connection, which: str) -> Checkpoint:
    """A checkpoint by name, step, digest, ``latest``, ``best`` or ``champion``; never another one instead."""
    if which == "best":
        playing = active_campaign(conn).id
        best = best_examined([c for c in ledger.kept_checkpoints(conn) if c.campaign_id == playing])
        if best is None:
            raise BlockedError(
                "no form has been examined yet", fix="let the hero sit an exam first", code="NOTHING_EXAMINED"
            )
        return best
    if which == "champion" and ledger.champion(conn) is None:
        raise BlockedError("there is no champion yet", fix="promote one (`realm promote`)", code="NO_CHAMPION")
    return ledger.find(conn, which)


def best_examined(forms: list[Checkpoint]) -> Checkpoint | None:
    """The best form that itself sat an exam: most levels held, then most won, then accuracy, then the newest."""
    examined = [c for c in forms if c.facts.get("exam") is not None]
    return max(
        examined,
        key=lambda c: (
            sum(c.facts.get("levels_held", {}).values()),
            sum(c.facts.get("skill_levels", {}).values()),
            c.facts["exam"]["accuracy"],
            c.step,
        ),
        default=None,
    )


def promote(
    folder: SaveFolder, conn: sqlite3.Connection, checkpoint: Checkpoint, exam_id: int | None
) -> dict[str, Any]:
    """Crown a form champion: export it as a plain Hugging Face folder, protect it, and write the row."""
    target = folder.root / "champions" / checkpoint.name
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        export_model(folder.root / checkpoint.path, target)
    with transaction(conn, durable=True):
        ledger.set_protected(conn, checkpoint.id, True)
        ledger.crown(conn, checkpoint.id, exam_id, f"champions/{checkpoint.name}")
    return {"name": checkpoint.name, "step": checkpoint.step, "digest": checkpoint.digest, "path": str(target)}


def take_back(folder: SaveFolder, conn: sqlite3.Connection, campaign_id: str) -> dict[str, Any]:
    """Undo the newest crowning of a campaign: the champion before it reigns again, or nobody.

    What was exported stays where it lies; the folder of the one that reigns again is written anew where it is gone.
    """
    fallen, reigning = ledger.uncrown(conn, campaign_id)
    found: dict[str, Any] = {"uncrowned": ledger.checkpoint(conn, fallen.checkpoint_id).name, "name": None}
    if reigning is None:
        return found
    form = ledger.checkpoint(conn, reigning.checkpoint_id)
    target = folder.root / (reigning.export_path or f"champions/{form.name}")
    if not target.exists() and ledger.folder_of(folder, form).is_dir():
        target.parent.mkdir(exist_ok=True)
        export_model(ledger.folder_of(folder, form), target)
    return found | {"name": form.name, "step": form.step, "digest": form.digest, "path": str(target)}


def forget(folder: SaveFolder, conn: sqlite3.Connection, which: str) -> Checkpoint:
    """Remove one form from ledger and disk on the player's word; what it was stays on record.

    Raises:
        UsageError: there is no such form.
        BlockedError: it must stay (`saves.ledger.reason_to_stay`).
    """
    form = find_form(conn, which)
    if why := ledger.reason_to_stay(conn, form):
        raise BlockedError(f"{form.name} stays", why=why, fix="choose another form", code="PROTECTED")
    ledger.mark_deleted(conn, form.id)
    shutil.rmtree(ledger.folder_of(folder, form), ignore_errors=True)
    return form

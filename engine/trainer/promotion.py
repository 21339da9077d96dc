"""Choosing a form of the hero, and crowning one champion. Needs neither torch nor a running engine."""

from __future__ import annotations

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

"""The Vault Keepers: packing the save, and letting go of what the rules do not keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from realm_tui.runtime.jobs.kinds import Archive, Nothing, Workplace


def archive(number: int, payload: Archive, place: Workplace) -> Mapping[str, Any]:
    """The save as one archive; an earlier attempt of the same job that came to its end is found again."""
    from saves.archive import SUFFIX, export_save

    if payload.out is None:
        place.papers.mkdir(mode=0o700, exist_ok=True)
        target = place.papers / f"{place.folder.name}-job{number}{SUFFIX}"
        target.unlink(missing_ok=True)
    else:
        target = Path(payload.out).expanduser()
    made = export_save(place.folder, target, keep=payload.keep, on_progress=place.tell)
    return {"file": str(made.path), "bytes": made.bytes, "files": made.files, "checkpoints": list(made.checkpoints)}


def retention(number: int, payload: Nothing, place: Workplace) -> Mapping[str, Any]:
    """Old jobs and events go; with no engine alive, old facts become sums as at a checkpoint."""
    from configs.errors import BlockedError
    from realm_tui.runtime.opened import opened
    from realm_tui.runtime.orders import engine_locked
    from saves import jobs
    from saves.retention import prune

    with opened(place.folder, write=True) as save:
        gone = jobs.forget(save.conn)
        try:
            with engine_locked(place.folder):
                rules = save.rules
                pruned = asdict(
                    prune(
                        save.conn,
                        save.campaign.id,
                        rules.retention,
                        pass_share=rules.exams.pass_share,
                        held_share=rules.exams.held_share,
                    )
                )
        except BlockedError:
            return {
                "jobs": gone,
                "facts": None,
                "note": "the living engine lets go of its facts itself, at each checkpoint",
            }
    return {"jobs": gone, "facts": pruned}

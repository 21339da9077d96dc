"""Saves forms of the hero, lists them in the ledger, and lets go of those that nothing needs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs import clock
from configs.errors import RealmError
from configs.paths import SaveFolder
from configs.schema import HeroConfig
from engine.trainer.checkpoints import TrainerState, check_room, write_checkpoint
from engine.trainer.promotion import best_examined, forget
from engine.trainer.retention import Form, expendable
from saves import ledger
from saves.answers import wanted_forms
from saves.checkpoint_folder import sweep_leftovers, verify_checkpoint
from saves.database import transaction
from saves.rows import Checkpoint


@dataclass(frozen=True, slots=True)
class Draft:
    """A checkpoint that is to be written."""

    name: str
    step: int
    reasons: tuple[str, ...]
    facts: dict[str, Any]
    at: float


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint on disk that the ledger does not list yet."""

    draft: Draft
    digest: str
    bytes: int


class Vault:
    """The checkpoints of one campaign."""

    def __init__(self, folder: SaveFolder, conn: sqlite3.Connection, campaign_id: str, hero: HeroConfig) -> None:
        self._folder, self._conn, self._campaign_id, self._hero = folder, conn, campaign_id, hero
        self.saved_at = clock.monotonic()

    def sweep(self) -> list[str]:
        """Remove folders that a crash left behind before the ledger knew of them."""
        listed = {c.name for c in ledger.kept_checkpoints(self._conn)}
        return sweep_leftovers(self._folder.checkpoints, listed)

    def newest_whole(self) -> tuple[Checkpoint, list[tuple[Checkpoint, RealmError]]] | None:
        """The newest checkpoint whose digests match, and the damaged newer ones; None when there is none at all."""
        damaged: list[tuple[Checkpoint, RealmError]] = []
        forms = sorted(
            ledger.live_checkpoints(self._conn, self._campaign_id), key=lambda c: (c.step, c.id), reverse=True
        )
        for form in forms:
            try:
                verify_checkpoint(self.path(form))
            except RealmError as error:
                damaged.append((form, error))
            else:
                return form, damaged
        if damaged:
            raise RealmError(
                "no checkpoint of this campaign is whole",
                why=damaged[0][1].text(),
                fix="restore the save from an export (`realm save import`), or start a new save (`realm save new`)",
                code="CHECKPOINT_CORRUPT",
            )
        return None

    def path(self, checkpoint: Checkpoint) -> Path:
        """Where a checkpoint lies."""
        return ledger.folder_of(self._folder, checkpoint)

    def begin(self, step: int, reasons: tuple[str, ...], facts: dict[str, Any], size: int) -> Draft:
        """Name a form of about ``size`` bytes that is to be written; `DiskFullError` when it would not fit."""
        at = clock.now()
        name = ledger.free_name(self._conn, step, at)
        check_room(self._folder.checkpoints, name, size)
        facts = {"step": step, "timestamp": at, "campaign_id": self._campaign_id, "hero_id": self._hero.id, **facts}
        facts |= {"reasons": list(reasons), "has_optimizer": True}
        self.saved_at = clock.monotonic()
        return Draft(name, step, reasons, facts, at)

    def write(self, draft: Draft, state: TrainerState, write_model: Callable[[Path], None]) -> Saved:
        """Put a form on the disk; the caller lists it together with the facts that hang on it. A thread may do this."""
        written = write_checkpoint(self._folder.checkpoints, draft.name, write_model, state, draft.facts)
        return Saved(draft, written.digest, written.bytes)

    def enter(self, saved: Saved, run_id: int) -> int:
        """The ledger row of a saved form; inside the caller's durable transaction."""
        draft = saved.draft
        return ledger.add_checkpoint(
            self._conn,
            Checkpoint(
                run_id=run_id,
                campaign_id=self._campaign_id,
                step=draft.step,
                name=draft.name,
                path=f"checkpoints/{draft.name}",
                digest=saved.digest,
                bytes=saved.bytes,
                reasons=draft.reasons,
                facts=draft.facts,
                at=draft.at,
            ),
        )

    def prune(self) -> list[Path]:
        """Strike expendable forms from the ledger; returns their folders, which may then be removed from the disk."""
        forms = [c for c in ledger.kept_checkpoints(self._conn) if c.campaign_id == self._campaign_id]
        live = {c.id for c in ledger.live_checkpoints(self._conn, self._campaign_id)}
        champion = ledger.champion(self._conn, self._campaign_id)
        best, asked = best_examined(forms), wanted_forms(self._conn)
        going = expendable(
            (
                Form(
                    id=c.id,
                    step=c.step,
                    reasons=tuple(c.reasons),
                    protected=bool(c.protected) or c.id in asked,
                    champion=champion is not None and champion.checkpoint_id == c.id,
                    best=best is not None and best.id == c.id,
                    live=c.id in live,
                    level=max(c.facts.get("skill_levels", {}).values(), default=None)
                    if "level_up" in c.reasons
                    else None,
                )
                for c in forms
            ),
            self._hero.checkpoints.keep,
        )
        gone = [c for c in forms if c.id in set(going)]
        for checkpoint in gone:
            with transaction(self._conn, durable=True):
                ledger.mark_deleted(self._conn, checkpoint.id)
        return [self.path(c) for c in gone]

    def forget(self, name: str) -> Checkpoint:
        """Remove one form on the player's word; refuses those that must stay (`saves.ledger.reason_to_stay`)."""
        return forget(self._folder, self._conn, name)

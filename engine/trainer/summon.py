"""Going back to an older form: training goes on from there, and what came after it is left behind. Needs no torch."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder
from engine.trainer.promotion import find_form
from saves import campaigns, exams, journal, ledger, quests, runs, steps
from saves.checkpoint_folder import verify_checkpoint
from saves.database import transaction
from saves.rows import Checkpoint

STATE_JSON = "trainer/state.json"


@dataclass(frozen=True, slots=True)
class Summoned:
    """What going back means."""

    name: str
    step: int
    from_step: int
    """Last step of the way the hero is on."""
    left_steps: int
    """Steps on that way that count no more."""
    left_levels: int
    left_quests: int
    left_checkpoints: tuple[str, ...]
    """They stay on the disk until newer ones take their place, and may be summoned themselves."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def summon(folder: SaveFolder, conn: sqlite3.Connection, which: str, *, really: bool) -> Summoned:
    """Make a form the one from which training goes on; without ``really`` only say what that would leave behind.

    Facts beyond its step stay on record and count no more; commands that were given later are not repeated. No engine may hold
    the save (take its lock first).

    Args:
        folder: the save's folder.
        conn: the writable save.
        which: a form as `find_form` knows it.
        really: do it.

    Raises:
        UsageError: there is no such form.
        BlockedError: it belongs to another campaign, or the hero already stands there.
        RealmError: it is damaged.
    """
    form = find_form(conn, which)
    campaign = campaigns.active_campaign(conn)
    if form.campaign_id != campaign.id:
        raise BlockedError(
            f"{form.name} belongs to {form.campaign_id}, not to {campaign.id}",
            fix="choose a form of this campaign (`realm ledger list`)",
            code="OTHER_CAMPAIGN",
        )
    live = ledger.live_checkpoints(conn, campaign.id)
    now = max(steps.totals(conn, campaign.id).live.last_step or 0, live[-1].step if live else 0)
    if live and live[-1].id == form.id and now == form.step:
        raise BlockedError(
            f"the hero stands at {form.name} already",
            fix="choose another form (`realm ledger list`)",
            code="ALREADY_THERE",
        )
    path = ledger.folder_of(folder, form)
    verify_checkpoint(path)
    applied = _applied_seq(path, form)
    if really:
        runs.repair(conn)
    before = _standing(conn, campaign.id)
    after = before
    with suppress(_DryRunError), transaction(conn, durable=True):
        run_id = runs.go_back(conn, form, pid=os.getpid())
        args = {"name": form.name, "applied_seq": applied}
        journal.add(conn, run_id, form.step, journal.SUMMON, args, changes_training=False)
        after = _standing(conn, campaign.id)
        if not really:
            raise _DryRunError
    return Summoned(
        name=form.name,
        step=form.step,
        from_step=now,
        left_steps=max(0, now - form.step),
        left_levels=max(0, before.levels - after.levels),
        left_quests=max(0, before.quests - after.quests),
        left_checkpoints=tuple(c.name for c in live if c.id not in after.checkpoints),
    )


class _DryRunError(Exception):
    """Undoes what was only tried."""


class _Standing(NamedTuple):
    """What counts at a moment."""

    levels: int
    quests: int
    checkpoints: frozenset[int]


def _standing(conn: sqlite3.Connection, campaign_id: str) -> _Standing:
    return _Standing(
        len(exams.level_ups(conn, campaign_id)),
        quests.completed_quests(conn),
        frozenset(c.id for c in ledger.live_checkpoints(conn, campaign_id)),
    )


def _applied_seq(path: Path, form: Checkpoint) -> int:
    """The newest journal entry of the form's own step that its state already holds."""
    try:
        return int(json.loads((path / STATE_JSON).read_text(encoding="utf-8"))["values"]["applied_seq"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RealmError(
            f"{form.name} lacks a part of the trainer's state",
            why=f"{type(error).__name__}: {error}",
            fix="summon another form (`realm ledger list`)",
            code="CHECKPOINT_BROKEN",
        ) from error

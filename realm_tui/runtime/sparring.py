"""Sparring as a player asks for it: the engine's hero, or a saved form, answers; its failures become a quest of high priority."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from configs import clock
from configs.paths import SaveFolder
from engine.link.protocol import Verb
from engine.quests.board import import_quest
from engine.quests.reader import reader_for
from engine.quests.sparring import kept, records
from realm_tui.runtime.opened import opened
from realm_tui.runtime.orders import order
from saves import ledger, sparring
from saves.rows import Checkpoint, Quest, Sparring
from saves.runs import latest_run

EXAMPLES = 3
"""Failures kept with the round, to be shown."""


@dataclass(frozen=True, slots=True)
class Bout:
    """What a round of sparring found and made."""

    facts: dict[str, Any]
    """As `engine.curriculum.bouts.Bout.told` says; of a saved form also ``form, digest, worker``."""
    records: int
    left_out: int
    """Records that do not keep the contract."""
    quest: Quest | None
    """None: nothing was wrong, or nothing was to be added."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        more = {"records": self.records, "left_out": self.left_out, "quest": self.quest.name if self.quest else None}
        return {**self.facts, **more}


def spar(
    folder: SaveFolder,
    *,
    skill: str | None = None,
    level: int | None = None,
    rounds: int | None = None,
    targeted: bool = False,
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Bout:
    """Let the living hero spar, and put what it got wrong on the board.

    Args:
        folder: the save's folder.
        skill: None: the one whose turn it is.
        level: None: the training level.
        rounds: None: the rules'.
        targeted: only operations that lag in the newest exams.
        dry_run: ask, and add nothing.
        progress: hears what takes long.

    Raises:
        BlockedError: no engine runs.
    """
    wanted = {"skill": skill, "level": level, "rounds": rounds, "targeted": targeted or None}
    args = {name: value for name, value in wanted.items() if value is not None}
    facts = order(folder, Verb.SPAR, args, progress=progress).result
    return enlist(folder, facts, targeted=targeted, dry_run=dry_run)


def enlist(
    folder: SaveFolder,
    facts: dict[str, Any],
    *,
    targeted: bool = False,
    dry_run: bool = False,
    form: Checkpoint | None = None,
) -> Bout:
    """Make a quest of what the hero got wrong, and remember the round.

    Args:
        folder: the save's folder.
        facts: what was asked and failed.
        targeted: how the round was asked for.
        dry_run: count the records, and add nothing.
        form: who failed; None: the hero in training, whose newest form stands for it.
    """
    good, left_out = kept(records(facts["failed"]))
    if dry_run:
        return Bout(facts, len(good), left_out, None)
    with opened(folder, write=True) as save, TemporaryDirectory() as room:
        form = form or ledger.newest_checkpoint(save.conn, save.campaign.id)
        quest = None
        if good:
            stamp = f"{clock.utc(clock.now()):%Y%m%d-%H%M%S}"
            name = f"sparring_{facts['skill']}_L{facts['level']}_{len(good)}_{stamp}"
            path = Path(room) / f"{name}.jsonl"
            path.write_text("".join(json.dumps(r.as_dict(), ensure_ascii=False) + "\n" for r in good), encoding="utf-8")
            quest = import_quest(
                save.conn,
                folder,
                path,
                save.rules.quests,
                priority="high",
                source="sparring",
                reader=reader_for(save.hero),
                born={
                    "origin": "sparring",
                    "checkpoint_id": form.id if form else None,
                    "asked_step": facts["step"],
                },
            )
        sparring.add_sparring(
            save.conn,
            Sparring(
                run_id=_run_id(save.conn, save.campaign.id),
                step=facts["step"],
                checkpoint_id=form.id if form else None,
                skill=facts["skill"],
                level=facts["level"],
                asked=facts["asked"],
                failed=len(facts["failed"]),
                records=len(good),
                quest_id=quest.id if quest else None,
                detail={
                    "examples": facts["failed"][:EXAMPLES],
                    "errors": facts["errors"],
                    "targeted": targeted,
                    **{name: facts[name] for name in ("form", "worker") if name in facts},
                },
                at=clock.now(),
            ),
        )
    return Bout(facts, len(good), left_out, quest)


def _run_id(conn: sqlite3.Connection, campaign_id: str) -> int:
    run = latest_run(conn, campaign_id)
    assert run is not None, "who answers has been trained"
    return run.id

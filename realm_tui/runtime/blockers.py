"""What stands in the hero's way right now, each with its reason and the way out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from configs.errors import RealmError
from engine.link.snapshot import Snapshot
from engine.link.state import LIVING, EngineState
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.status import Blocker
from saves.rows import Incident, Run


def blockers(
    save: OpenedSave,
    state: EngineState,
    *,
    stale: bool,
    snapshot: Snapshot | None,
    trouble: RealmError | None,
    run: Run | None,
) -> Iterator[Blocker]:
    """Everything in the way; nothing when the hero trains, or could.

    Args:
        save: the open save.
        state: what the engine is doing.
        stale: its heartbeat is old.
        snapshot: its own report, while it lives.
        trouble: why that report could not be read.
        run: the newest run.
    """
    from saves.incidents import open_incidents

    option = f" --save {save.folder.name}"
    for incident in open_incidents(save.conn, blocking=True, campaign_id=save.campaign.id):
        yield Blocker(incident.rule.upper(), incident.title, incident.fix)
    if trouble is not None:
        yield Blocker(trouble.code, trouble.what, trouble.fix or f"`realm stop{option}`, then start again")
    if snapshot is not None and snapshot.blocker:
        yield Blocker("ENGINE_HOLDS", snapshot.blocker, f"clear the cause, then `realm resume{option}`")
    if stale:
        yield Blocker(
            "ENGINE_SILENT",
            "the engine lives, but has not reported for a while",
            f"see `realm log{option}`; `realm stop{option}` ends it",
        )
    given_up = None if state in LIVING else _given_up(save, state, run)
    if state is EngineState.CRASHED or given_up is not None:
        where = f"the engine ended without finishing run {run.id}" if run is not None else "the engine crashed"
        onward = f"`realm play{option}` or `realm run{option}` goes on from the newest checkpoint; `realm log{option}` tells why"
        if given_up is None:
            yield Blocker("ENGINE_DOWN", where, onward)
        else:
            again = f"`realm play{option}` or `realm run{option}`; `realm log{option}` tells more"
            yield Blocker("ENGINE_DOWN", given_up.title, f"{given_up.fix}: {again}")
    if state not in LIVING and save.hero.model.source != "hatchling":
        from realm_tui.runtime.heroes import readiness

        ready = readiness(save.hero)
        if not ready.ready:
            yield Blocker("MODEL_MISSING", ready.missing, ready.fix)
    free_gb = shutil.disk_usage(save.folder.root).free / 1e9
    if free_gb < save.rules.engine.min_free_gb:
        yield Blocker(
            "DISK_FULL",
            f"{free_gb:.1f} GB are free where the save lies, training wants {save.rules.engine.min_free_gb:g} GB",
            f"free some disk space, or lower engine.min_free_gb; `realm ledger list{option}` shows what the hero keeps",
        )


def _given_up(save: OpenedSave, state: EngineState, run: Run | None) -> Incident | None:
    """What the keeper said when it started no further trainer after the newest run, which a trainer that never woke has not got."""
    from saves.incidents import newest_open

    if run is None:
        since = 0.0
    else:
        since = run.started_at if state is EngineState.CRASHED or run.ended_at is None else run.ended_at
    return newest_open(save.conn, "engine_given_up", since=since)

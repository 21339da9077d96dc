"""What the save alone knows of the active campaign: step, loss, effort, queue, champion, times."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.status import ChampionStatus, QueueStatus
from saves.rows import Run, StepWindow


@dataclass(frozen=True, slots=True)
class SavedFacts:
    """See `Status` for the meaning of the fields that share its names."""

    run: Run | None
    step: int
    """Last live step on record; the campaign's first when nothing was trained."""
    stepped_at: float | None
    loss: float | None
    loss_mean: float | None
    """Mean loss of the newest window."""
    first_loss: float | None
    """Mean loss of the campaign's first window."""
    strain: float | None
    floor: float | None
    effort: float | None
    """None as well when it was not asked for."""
    queue: QueueStatus
    champion: ChampionStatus | None
    incidents: int
    exam_at: float | None
    checkpoint_at: float | None
    checkpoint_step: int | None
    level_up_at: float | None


def saved_facts(save: OpenedSave, *, effort: bool = True) -> SavedFacts:
    """Read them, a handful of indexed queries; the ``effort`` alone is a sum over the whole campaign."""
    from saves import exams, incidents, ledger, runs, steps

    conn, campaign = save.conn, save.campaign
    newest = steps.windows(conn, campaign.id, 1)
    last = newest[0] if newest else None
    checkpoint = ledger.newest_checkpoint(conn, campaign.id)
    exam = exams.latest_exam(conn, campaign.id)
    level_ups = exams.level_ups(conn, campaign.id)
    reached = [campaign.starting_step]
    if last is not None:
        reached.append(last.last_step)
    if checkpoint is not None:
        reached.append(checkpoint.step)
    return SavedFacts(
        run=runs.latest_run(conn, campaign.id),
        step=max(reached),
        stepped_at=last.last_at if last is not None else None,
        loss=last.loss_last if last is not None else None,
        loss_mean=_mean(last),
        first_loss=_mean(steps.first_window(conn, campaign.id)),
        strain=last.strain_last if last is not None else None,
        floor=last.floor if last is not None else None,
        effort=steps.effort(conn, campaign.id) if effort and last is not None else None,
        queue=_queue(save),
        champion=_champion(save),
        incidents=len(incidents.open_incidents(conn)),
        exam_at=exam.at if exam is not None else None,
        checkpoint_at=checkpoint.at if checkpoint is not None else None,
        checkpoint_step=checkpoint.step if checkpoint is not None else None,
        level_up_at=level_ups[-1].at if level_ups else None,
    )


def _mean(window: StepWindow | None) -> float | None:
    if window is None or window.steps <= window.nonfinite:
        return None
    return window.loss_sum / (window.steps - window.nonfinite)


def _queue(save: OpenedSave) -> QueueStatus:
    from saves.quests import quests

    waiting = Counter(
        q.priority
        for q in quests(save.conn)
        if q.state == "queued" or (q.state == "failed" and q.failures < save.rules.quests.max_attempts)
    )
    return QueueStatus(waiting["high"], waiting["normal"], waiting["low"])


def _champion(save: OpenedSave) -> ChampionStatus | None:
    from saves.ledger import champion, checkpoint

    reigning = champion(save.conn)
    if reigning is None:
        return None
    form = checkpoint(save.conn, reigning.checkpoint_id)
    path = save.folder.root / (reigning.export_path or form.path)
    return ChampionStatus(form.name, form.step, str(path), form.digest, reigning.at)

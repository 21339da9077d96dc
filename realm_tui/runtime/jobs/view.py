"""What the Jobs screen shows: jobs in their order, how full each kind is, what hangs, and who works."""

from __future__ import annotations

from dataclasses import dataclass

from configs import clock
from realm_tui.runtime.jobs.owner import lives
from realm_tui.runtime.opened import OpenedSave
from saves import jobs
from saves.jobs import Job, JobEvent, Pressure

MOST = 300
"""Jobs that are listed."""


@dataclass(frozen=True, slots=True)
class JobsView:
    """Everything on the Jobs screen."""

    jobs: tuple[Job, ...]
    """Under way first, then waiting in their order, then ended ones, newest first."""
    counts: dict[str, int]
    busy: tuple[Pressure, ...]
    """Kinds with something waiting or under way, fullest first."""
    warnings: dict[int, str]
    """What is wrong with a job, by its number."""
    mode: str
    """catch_up, normal or idle (`saves.jobs.mode`)."""
    workers: int
    """Living processes that hold a lease."""
    events: tuple[JobEvent, ...]
    """Of the chosen job."""
    chosen: Job | None
    """The one of which everything is known."""
    now: float


def jobs_view(save: OpenedSave, chosen: int | None = None, *, every: bool = True) -> JobsView:
    """Look once.

    Args:
        save: the open save.
        chosen: the job whose events are wanted; None: the first.
        every: also jobs that have ended.
    """
    statuses = jobs.STATUSES if every else (*jobs.HELD, *jobs.WAITING)
    found = tuple(jobs.jobs(save.conn, statuses=statuses, limit=MOST, brief=True))
    numbers = {j.id for j in found}
    if chosen not in numbers:
        chosen = found[0].id if found else None
    holders = {(j.lease_owner or "").rpartition("/")[0] for j in found if j.lease_owner and lives(j.lease_owner)}
    pressed = [p for p in jobs.pressure(save.conn).values() if p.pending or p.running]
    return JobsView(
        jobs=found,
        counts=jobs.counts(save.conn),
        busy=tuple(sorted(pressed, key=lambda p: (-p.running, -p.pending, p.kind))),
        warnings={w.job.id: w.kind for w in jobs.warnings(save.conn, alive=lives)},
        mode=jobs.mode(save.conn),
        workers=len(holders),
        events=tuple(jobs.events(save.conn, chosen)) if chosen is not None else (),
        chosen=jobs.job(save.conn, chosen) if chosen is not None else None,
        now=clock.now(),
    )

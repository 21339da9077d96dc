"""The Task Master begins work by itself while a box of the Inn idles: the highest task whose cooldown has passed, one at a time.

A task is a job in the save's one table; what came of it is kept beside. The card that trains is never asked for it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs import clock
from configs.errors import BlockedError, RealmError, UsageError
from configs.jobs import load_jobs
from configs.reading import nearest
from configs.tasks import TaskRule, TaskRules, load_tasks
from saves import jobs, patrols, runs
from saves.patrols import Patrol, TaskRun


@dataclass(frozen=True, slots=True)
class TaskLine:
    """A task as the list shows it."""

    id: str
    rule: TaskRule
    last: TaskRun | None
    due_at: float
    """UTC seconds from which its cooldown is over."""
    waits: str
    """Why it does not begin by itself now; empty: it may."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        last = self.last
        return {
            "id": self.id,
            "title": self.rule.title,
            "priority": self.rule.priority,
            "cooldown_s": self.rule.cooldown_s,
            "job": self.rule.job,
            "enabled": self.rule.enabled,
            "due_at": self.due_at,
            "waits": self.waits or None,
            "last": None
            if last is None
            else {
                "outcome": last.outcome,
                "job": last.job_id,
                "started_at": last.started_at,
                "ended_at": last.ended_at,
                "error": last.error,
            },
        }


def idle_places(seen: Mapping[str, Patrol], here: str, rules: TaskRules) -> list[str]:
    """Places beside this one that were found well and whose cards have time; a place without a card counts by its health."""
    found = []
    for name, patrol in seen.items():
        busy = max((float(card.get("busy") or 0) / 100 for card in patrol.facts.get("cards") or ()), default=0.0)
        if name != here and patrol.status in ("healthy", "warning") and busy < rules.busy_share:
            found.append(name)
    return found


def lines(conn: sqlite3.Connection, here: str, campaign_id: str, rules: TaskRules | None = None) -> list[TaskLine]:
    """Every task, the next one first."""
    rules, now = rules or load_tasks(), clock.now()
    last, idle = patrols.last_runs(conn), idle_places(patrols.newest_patrols(conn), here, rules)
    run = runs.latest_run(conn, campaign_id)
    device = str((run.environment.get("placement") or {}).get("device", "")) if run is not None else ""
    found = []
    for name, rule in rules.tasks.items():
        newest = last.get(name)
        due_at = newest.started_at + rule.cooldown_s if newest is not None else 0.0
        found.append(TaskLine(name, rule, newest, due_at, _waits(rule, rules, due_at, now, idle, device)))
    return sorted(found, key=lambda line: (bool(line.waits), -line.rule.priority, line.due_at, line.id))


def _waits(rule: TaskRule, rules: TaskRules, due_at: float, now: float, idle: list[str], device: str) -> str:
    if not rule.enabled:
        return "it is switched off"
    if due_at > now:
        return f"its cooldown lasts {due_at - now:.0f} s more"
    known = load_jobs().kind(rule.job)
    if known is not None and known.needs == "inn" and not idle and device not in ("", "cpu"):
        return "it wants a card, and none beside the one that trains is idle"
    return ""


def settle(conn: sqlite3.Connection) -> list[TaskRun]:
    """Note what became of runs whose jobs ended; those that still run."""
    running = []
    for run in patrols.running_tasks(conn):
        try:
            job = jobs.job(conn, run.job_id) if run.job_id is not None else None
        except UsageError:
            job = None
        if job is None:
            patrols.end_task(conn, run.id, "gone", error="its job is gone")
        elif job.ended:
            patrols.end_task(conn, run.id, job.status, error=job.error, detail={"worker": job.worker})
        else:
            running.append(run)
    return running


def begin(conn: sqlite3.Connection, name: str, rules: TaskRules | None = None) -> tuple[int, int]:
    """Put a task's job into the table, whatever its cooldown; the numbers of its run and its job.

    Raises:
        UsageError: there is no such task.
        BlockedError: it runs already, or no more of its jobs are taken.
    """
    rules = rules or load_tasks()
    rule = rules.tasks.get(name)
    if rule is None:
        near = nearest(name, list(rules.tasks))
        raise UsageError(
            f"there is no task called {name!r}",
            why=f"the nearest is {near}" if near else "",
            fix=f"choose one of {', '.join(rules.tasks)}",
            code="UNKNOWN_TASK",
        )
    if any(run.task == name for run in settle(conn)):
        raise BlockedError(
            f"the task {name} runs already", fix="wait until it is done (`realm job list`)", code="TASK_RUNS"
        )
    job = jobs.submit(conn, rule.job, rule.payload, priority="low", key=f"task-{name}")
    return patrols.begin_task(conn, name, job_id=job.id), job.id


def step(conn: sqlite3.Connection, here: str, campaign_id: str, *, asked: bool = False) -> str | None:
    """Begin the next task, if one may begin now; its name.

    Args:
        conn: a writable save.
        here: the place of this process.
        campaign_id: the campaign in play.
        asked: a person wants it, also where tasks do not begin by themselves.
    """
    rules = load_tasks()
    if not (rules.enabled or asked) or settle(conn):
        return None
    for line in lines(conn, here, campaign_id, rules):
        if line.waits:
            continue
        try:
            begin(conn, line.id, rules)
        except RealmError as error:
            run = patrols.begin_task(conn, line.id)
            patrols.end_task(conn, run, "failed", error=error.text())
            continue
        return line.id
    return None

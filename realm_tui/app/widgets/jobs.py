"""The Jobs screen's rows: every job in a line, one of them closely, and how full the schools are."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from configs.jobs import load_jobs
from lore.lexicon import entry, label
from realm_tui.app.drawing import Look, Row
from realm_tui.app.widgets.lines import GAP, columns, drawn, heading, named, told, when
from realm_tui.app.widgets.listing import Item
from realm_tui.app.words import UNKNOWN
from realm_tui.runtime.jobs.kinds import job_kinds
from realm_tui.runtime.jobs.text import outcome, shown, span
from realm_tui.runtime.jobs.view import JobsView
from saves.jobs import Job

_TONES = {
    "pending": "text",
    "queued": "muted",
    "claimed": "accent",
    "running": "accent",
    "completed": "good",
    "failed": "bad",
    "cancelled": "faint",
    "timeout": "bad",
}
_WARNED = {
    "stuck_pending": "nobody takes it",
    "stuck_running": "it does not end",
    "orphaned": "whoever worked on it is gone; it waits again at the next sweep",
}
_FIXED = 39


def head(look: Look, width: int) -> list[Row]:
    """Column titles of the list."""
    return [
        columns(
            ("", 2, "muted"),
            ("no", -5, "muted"),
            (label("jobs.kind", look.names), 14, "muted"),
            ("age", -7, "muted"),
            ("tries", 5, "muted"),
            ("what", max(4, width - _FIXED), "muted"),
        )
    ]


def items(view: JobsView, look: Look) -> list[Item]:
    """One line a job."""
    return [Item(str(one.id), partial(_row, one, view, look)) for one in view.jobs]


def _row(one: Job, view: JobsView, look: Look, width: int) -> Row:
    warned = one.id in view.warnings
    tone = "warn" if warned else _TONES[one.status]
    return columns(
        ("!" if warned else entry(f"jobs.{one.status}").icon, 2, tone),
        (str(one.id), -5, "muted"),
        (one.kind, 14, tone if one.ended or one.lease_owner else "text"),
        (age(one, view.now), -7, "muted"),
        (f"{one.attempts}/{one.max_attempts}", 5, "bad" if one.attempts > 1 and not one.ended else "muted"),
        (drawn(outcome(one) or _does(one)), max(4, width - _FIXED), "faint" if one.status == "cancelled" else "text"),
    )


def _why(one: Job) -> str:
    """What its ``error`` is about."""
    return one.error_class or ("does now" if one.lease_owner else "waits")


def _does(one: Job) -> str:
    kind = job_kinds().get(one.kind)
    return "" if kind is None else kind.words


def age(one: Job, now: float) -> str:
    """How long it took; else for how long it runs, or waits."""
    if one.ended_at is not None:
        begun = one.started_at or one.claimed_at
        return UNKNOWN if begun is None else span(one.ended_at - begun)
    return span(now - (one.started_at or one.claimed_at or one.created_at))


def empty(every: bool) -> list[Row]:
    """What stands where no job does."""
    found = " no job waits and none is under way" + ("; " if every else "; f shows those that have ended, ")
    return [
        ((found, "faint"), ("o", "key"), (" orders one", "faint")),
        ((" exams asked elsewhere come here by themselves", "faint"),),
    ]


def summary(view: JobsView) -> str:
    """The list's subtitle: what waits, runs and failed."""
    c = view.counts
    if not any(c.values()):
        return ""
    waits, runs = c["pending"] + c["queued"], c["claimed"] + c["running"]
    ended = f"{c['completed']} done" + (f", {c['failed'] + c['timeout']} failed" if c["failed"] + c["timeout"] else "")
    hurry = ", catching up" if view.mode == "catch_up" else ""
    return f"{runs} at work, {waits} wait, {ended}{hurry}"


def sheet(view: JobsView, key: str | None, look: Look, width: int) -> list[Row]:
    """One job closely, and how full the schools are."""
    one = next((j for j in (*((view.chosen,) if view.chosen else ()), *view.jobs) if str(j.id) == key), None)
    rows = [] if one is None else _job(one, view, look, width)
    if view.busy:
        rows += [GAP, heading(label("jobs.room", look.names))]
        rows += [_room(p.kind, p.running, p.running_most, p.pending, p.pending_most) for p in view.busy]
    return rows


def _job(one: Job, view: JobsView, look: Look, width: int) -> list[Row]:
    names = look.names
    rows: list[Row] = [
        named(label("jobs.status", names), label(f"jobs.{one.status}", names), _TONES[one.status]),
        named(label("jobs.school", names), label(f"jobs.{one.school}", names), "text"),
        *told("does", _does(one), width),
        named("priority", one.priority, "text"),
        named("tries", f"{one.attempts} of {one.max_attempts}", "text"),
        named("asked for", when(one.created_at), "text"),
    ]
    if one.id in view.warnings:
        rows += told("warning", _WARNED[view.warnings[one.id]], width, "warn")
    if one.lease_until is not None:
        rule = load_jobs().kind(one.kind)
        rows.append(named("lease", f"{span(max(0.0, one.lease_until - view.now))} left", "text"))
        if rule is not None and one.started_at is not None:
            left = rule.timeout_s - (view.now - one.started_at)
            rows.append(named("time-out in", span(max(0.0, left)), "warn" if left < rule.timeout_s / 10 else "text"))
    elif not one.ended and one.not_before > view.now:
        rows.append(named("tried in", span(one.not_before - view.now), "text"))
    if one.worker:
        rows += told("worker", one.worker, width)
    if one.error:
        rows += told(_why(one), one.error, width, "bad" if one.error_class else "text")
    for title, found in (("given", one.payload), ("result", one.result)):
        if found:
            rows += [GAP, heading(title)]
            for text in shown(found):
                name, _, value = text.partition(": ")
                rows += told(name, value, width)
    if view.chosen is not None and view.chosen.id == one.id and view.events:
        rows += [GAP, heading(label("jobs.events", names))]
        for event in view.events:
            tone = "good" if event.event == "completed" else "bad" if event.event in ("failed", "expired") else "muted"
            rows += told(
                _hour(event.at), f"{event.event.replace('_', ' ')} {event.text}".strip(), width, tone, column=9
            )
    return rows


def _room(kind: str, running: int, running_most: int | None, pending: int, pending_most: int | None) -> Row:
    full = pending_most is not None and pending >= pending_most
    text = f"{_of(running, running_most)} at work, {_of(pending, pending_most)} wait"
    return named(kind, text, "warn" if full else "text")


def _of(count: int, most: int | None) -> str:
    return f"{count}" if most is None else f"{count}/{most}"


def _hour(at: float) -> str:
    """The player's wall clock, to the second."""
    return f"{datetime.fromtimestamp(at).astimezone():%H:%M:%S}"

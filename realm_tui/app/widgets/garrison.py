"""The Garrison's rows: this machine and who holds the save, every other place and its road, jobs, disk, and what is wrong."""

from __future__ import annotations

from lore.lexicon import entry, label
from realm_tui.app.drawing import Look, Row, spread
from realm_tui.app.widgets.hero import bar
from realm_tui.app.widgets.lines import GAP, columns, heading, named, wrapped
from realm_tui.app.words import UNKNOWN, number, percent, span, whole
from realm_tui.runtime.figures import size
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.garrison_view import GarrisonView, State

_TONES: dict[State, str] = {
    "healthy": "good",
    "warning": "warn",
    "critical": "bad-strong",
    "offline": "muted",
    "unknown": "muted",
}
_SEVERITIES = ("critical", "high", "medium", "low")


def state_span(state: State, look: Look) -> tuple[str, str]:
    """A state's sign and word."""
    word = entry(f"garrison.state.{state}")
    return f"{word.icon} {word.named(look.names)}", _TONES[state]


def host_rows(view: GarrisonView, look: Look, width: int) -> list[Row]:
    """The machine the hero trains on; machines that only answer come later."""
    host = view.host
    free = None if host.memory is None or host.memory_free is None else host.memory - host.memory_free
    card = host.card
    rows: list[Row] = [
        spread(((f" {clean(host.name)}", "strong"),), (state_span(host.state, look), (" ", "")), width),
        named("processor", f"{whole(host.cores)} cores, load {number(host.load, 1)}", width=11),
        named("memory", f"{percent(free, host.memory)} of {size(host.memory)} taken", width=11),
        named("accelerator", UNKNOWN if card is None else f"{clean(card.name)}, {size(card.memory_bytes)}", width=11),
    ]
    return [*rows, *sentry_rows(view, look, width)]


def sentry_rows(view: GarrisonView, look: Look, width: int) -> list[Row]:
    """Who holds the save's locks."""
    rows: list[Row] = []
    for one in view.sentries:
        name = "screen" if one.name == "face" else one.name
        if one.pid is None:
            rows.append(columns(("", 0, ""), (name, 10, "muted"), ("○ nobody", 14, "faint")))
        else:
            rows.append(
                columns(
                    ("", 0, ""),
                    (name, 10, "text"),
                    (f"● pid {one.pid}", 14, "good"),
                    (size(one.bytes), -10, "muted"),
                )
            )
    return rows


def disk_rows(view: GarrisonView, look: Look, width: int, height: int) -> list[Row]:
    """How full the disk is, and which room of the save fills it."""
    disk = view.disk
    taken = None if disk.total is None or disk.free is None else disk.total - disk.free
    filled, empty = bar(disk.used_share or 0.0, max(8, min(40, width - 32)), look.ascii)
    rows: list[Row] = [
        spread(
            ((" ", ""), (filled, _TONES[disk.state]), (empty, "line"), (f" {percent(taken, disk.total)}", "strong")),
            (state_span(disk.state, look), (" ", "")),
            width,
        ),
        named("free", f"{size(disk.free)} of {size(disk.total)}", width=11),
        heading(f"this save: {size(sum(r.bytes for r in view.rooms))}"),
    ]
    largest = max((r.bytes for r in view.rooms), default=0)
    room = max(1, height - len(rows))
    for one in view.rooms[:room]:
        part, rest = bar(one.bytes / largest if largest else 0.0, max(6, min(24, width - 42)), look.ascii)
        rows.append(
            (
                *columns(
                    ("", 0, ""),
                    (clean(one.name), 14, "text"),
                    (size(one.bytes), -10, "strong"),
                    (f"{one.files:,}", -5, "muted"),
                ),
                (" ", ""),
                (part, "curve"),
                (rest, "line"),
            )
        )
    return rows


def place_rows(view: GarrisonView, look: Look, width: int) -> list[Row]:
    """Every other place: its state and road, then what it has, then what is wrong with it."""
    if view.places_broken:
        return [((f" {line}", "bad"),) for line in wrapped(view.places_broken, width - 2)]
    if not view.places:
        words = (
            "No other machine is known. `realm host add` names one; then the Inn answers there, and exams may go there."
        )
        return [((f" {line}", "faint"),) for line in wrapped(words, width - 2)]
    rows: list[Row] = []
    for one in view.places:
        road = entry(f"road.{one.road if one.available else 'unknown'}")
        state = state_span(one.status, look) if one.available else ("left alone", "faint")
        kind = f" {one.kind}" if one.kind else ""
        rows.append(spread(((f" {clean(one.title)}", "strong"), (kind, "muted")), (state, (" ", "")), width))
        rtt = UNKNOWN if one.rtt_s is None else f"{one.rtt_s * 1000:.0f} ms"
        looked = UNKNOWN if one.looked_at is None else f"{span(max(0.0, view.at - one.looked_at))} ago"
        tone = "good" if one.road == "open" else "warn" if one.road in ("muddy", "storm") else "muted"
        rows.append(
            columns(
                ("", 1, ""),
                (f"{road.icon} {road.named(look.names)}", 15, tone),
                (rtt, -8, "muted"),
                (looked, -10, "muted"),
            )
        )
        if one.disk is not None:
            rows.append(named("disk", f"{size(one.disk_free)} of {size(one.disk)} free", width=11))
        if one.forms is not None:
            rows.append(named("forms", f"{one.forms:,}", width=11))
        if one.cards:
            rows.append(named("accelerator", clean(one.cards), width=11))
        if one.why and one.status != "healthy":
            rows += [((f"  {line}", "warn"),) for line in wrapped(one.why, width - 3)[:3]]
        rows.append(GAP)
    return rows[:-1]


def errand_rows(view: GarrisonView, look: Look, width: int) -> list[Row]:
    """Jobs under way, then those that wait, in figures and one by one."""
    errands = view.errands
    waits = sum(errands.counts.get(name, 0) for name in ("pending", "queued"))
    runs = sum(errands.counts.get(name, 0) for name in ("claimed", "running"))
    failed = sum(errands.counts.get(name, 0) for name in ("failed", "timeout"))
    first: list[tuple[str, str]] = [
        (f" {runs} under way", "strong" if runs else "muted"),
        (f"   {waits} waiting", "text" if waits else "muted"),
        (f"   {failed} failed", "bad" if failed else "muted"),
    ]
    if errands.hanging:
        first.append((f"   {errands.hanging} hanging", "warn"))
    rows: list[Row] = [tuple(first)]
    for one in (*errands.running, *errands.waiting):
        since = one.started_at or one.created_at
        age = span(max(0.0, view.at - since))
        where = clean(one.worker or "") if one in errands.running else clean(one.error or one.priority)
        sign = "▸" if one in errands.running else "·"
        rows.append(
            columns((f" {sign}", 2, "good" if sign == "▸" else "faint"), (f"{one.id} {one.kind}", 18, "text"),
                    (age, -8, "muted"), (where, max(4, width - 33), "muted"))
        )  # fmt: skip
    if len(rows) == 1 and not any(errands.counts.values()):
        rows += [
            ((f" {line}", "faint"),) for line in wrapped("`realm job submit` asks for work beside training.", width - 2)
        ]
    return rows


def alert_rows(view: GarrisonView, width: int) -> list[Row]:
    """What is wrong at other places."""
    return [
        ((" ▲ ", "bad-strong" if one.severity == "critical" else "bad" if one.severity == "high" else "warn"),
         (clean(one.title), "text"), (f"  → {clean(one.fix)}" if one.fix else "", "muted"))
        for one in view.alerts
    ]  # fmt: skip


def incident_rows(view: GarrisonView, look: Look, width: int, height: int) -> list[Row]:
    """What is wrong, worst first."""
    if not view.incidents:
        return alert_rows(view, width) or [((f" no {label('incident', look.names).lower()} is about", "faint"),)]
    counts = view.by_severity
    first: list[tuple[str, str]] = [(" ", "")]
    for severity in _SEVERITIES:
        if counts.get(severity):
            first.append((f"{counts[severity]} {label(f'incident.{severity}', look.names)}  ", "strong"))
    rows: list[Row] = [tuple(first)]
    for one in view.incidents[: max(1, height - 1)]:
        word = entry(f"incident.{one.severity}")
        tone = "bad-strong" if one.blocks or one.severity == "critical" else "bad" if one.severity == "high" else "warn"
        rows.append(((f" {word.icon} ", tone), (clean(one.title), tone), (f"  → {clean(one.fix)}", "muted")))
    return rows + alert_rows(view, width)

"""The Garrison's rows: the machine, its disk room by room, who holds the save, and what is wrong."""

from __future__ import annotations

from lore.lexicon import entry, label
from realm_tui.app.drawing import Look, Row, spread
from realm_tui.app.widgets.hero import bar
from realm_tui.app.widgets.lines import GAP, columns, heading, named, wrapped
from realm_tui.app.words import UNKNOWN, number, percent, whole
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
        GAP,
    ]
    later = "More machines that answer for the hero will stand here; today the hero is trained and asked on this one."
    rows += [((f" {line}", "faint"),) for line in wrapped(later, width - 2)]
    return rows


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


def incident_rows(view: GarrisonView, look: Look, width: int, height: int) -> list[Row]:
    """What is wrong, worst first."""
    if not view.incidents:
        return [((f" no {label('incident', look.names).lower()} is about", "faint"),)]
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
    return rows

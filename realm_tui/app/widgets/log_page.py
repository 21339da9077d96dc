"""The battle log's rows: what happened in which channel, how loud, and the row of the save that proves it."""

from __future__ import annotations

import json

from lore.lexicon import entry, label
from lore.saga import ALERTS, Alert, Line, matching
from realm_tui.app.drawing import Look, Row, shorten
from realm_tui.app.widgets.lines import GAP, columns, named, told
from realm_tui.app.widgets.listing import Item
from realm_tui.app.words import whole
from realm_tui.runtime.figures import moment
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.log_view import LogView

_TONES = {"whisper": "faint", "notice": "text", "warning": "warn", "alarm": "bad", "crisis": "bad-strong"}
_WIDE = 100
"""Cells from which channels are written out."""


def _columns(width: int) -> tuple[int, int, int]:
    """Cells for the channel, the step and the sentence."""
    channel, step = (18, 9) if width >= _WIDE else (14, 7)
    return channel, step, max(10, width - 11 - channel - step - 3)


def chosen_lines(view: LogView, channel: str, find: str, least: Alert = "whisper") -> tuple[Line, ...]:
    """Lines of a channel (empty: all) that hold what is looked for, from an alert level on."""
    loud = ALERTS.index(least)
    heard = [one for one in view.lines if channel in ("", one.channel) and ALERTS.index(one.alert) >= loud]
    if not find:
        return tuple(heard)
    said, wanted = set(map(id, matching(heard, find))), find.casefold()
    return tuple(one for one in heard if id(one) in said or any(wanted in word for word in _filed(one)))


def _filed(line: Line) -> tuple[str, ...]:
    """Where an event is filed: its type, and its channel in both voices."""
    channel = entry(f"log.channel.{line.channel}")
    return (line.event.type, channel.named("plain").casefold(), channel.named("tavern").casefold())


def log_items(lines: tuple[Line, ...], look: Look) -> list[Item]:
    """One line an event, newest first."""
    return [Item(line.event.key, lambda width, one=line: _row(one, look, width)) for line in lines]  # type: ignore[misc]


def _row(line: Line, look: Look, width: int) -> Row:
    tone = _TONES[line.alert]
    mark = entry(f"alert.{line.alert}").icon
    channel, step, said = _columns(width)
    return columns(
        (moment(line.event.at)[5:16], 11, "muted"),
        (f"{mark} {label(f'log.channel.{line.channel}', look.names)}", channel, tone if tone != "text" else "muted"),
        (whole(line.event.step), -step, "faint"),
        (f"{line.tale.icon} {clean(line.tale.text(look.names))}", said, line.tale.tone),
    )


def log_head(look: Look, width: int) -> list[Row]:
    """Column titles."""
    channel, step, said = _columns(width)
    return [
        columns(
            ("UTC", 11, "muted"),
            (label("log.channel", look.names), channel, "muted"),
            (label("training.step", look.names), -step, "muted"),
            ("", said, "muted"),
        )
    ]


def log_sheet(line: Line | None, look: Look, width: int) -> list[Row]:
    """One event with everything that is known of it."""
    if line is None:
        return []
    event = line.event
    loud = entry(f"alert.{line.alert}")
    rows = [
        *told("what", line.tale.text(look.names), width, line.tale.tone),
        named("when", f"{moment(event.at)}   step {whole(event.step)}"),
        named("alert", f"{loud.icon} {loud.named(look.names)}", _TONES[line.alert]),
        named("type", event.type),
        named("proof", f"{event.source}, run {whole(event.run_id)}"),
        GAP,
    ]
    for key, value in event.data.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        rows += told(key.replace("_", " "), shorten(clean(text), 400), width, "muted")
    return rows


def choice_text(channel: str, least: str, find: str, view: LogView, look: Look) -> str:
    """What is listened to, and whether there is more."""
    parts = [label(f"log.channel.{channel}", look.names) if channel else "all channels"]
    if least != "whisper":
        parts.append(f"from {label(f'alert.{least}', look.names)} on")
    if find:
        parts.append(f"“{clean(find)}”")
    if view.older:
        parts.append(f"newest {len(view.lines):,}")
    return " · ".join(parts)


def empty_log(view: LogView) -> list[Row]:
    """What stands where no event does."""
    if view.lines:
        return [((" nothing fits; ", "faint"), ("esc", "key"), (" shows everything", "faint"))]
    return [
        ((" nothing has happened yet", "faint"),),
        ((" every step of the way will stand here: ", "faint"),),
        ((" start the hero with ", "faint"), ("p", "key")),
    ]

"""The adventure log: one line per notable fact, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from realm_tui.app.drawing import Look, Row, cells, shorten
from realm_tui.app.facts import Facts
from realm_tui.app.widgets.panel import Panel
from realm_tui.app.words import clock_time
from realm_tui.runtime.foreign import clean

if TYPE_CHECKING:
    from lore.narrator import Tale

_INDENT = 7


def _folded(text: str, width: int, most: int) -> list[str]:
    """Text broken at blanks into at most ``most`` lines; what is left over ends in an ellipsis."""
    lines: list[str] = []
    line = ""
    words = text.split(" ")
    for i, word in enumerate(words):
        longer = f"{line} {word}" if line else word
        if cells(longer) <= width:
            line = longer
        elif len(lines) == most - 1 or not line:
            return [*lines, shorten(" ".join(([line] if line else []) + words[i:]), width)][:most]
        else:
            lines.append(line)
            line = word
    return [*lines, shorten(line, width)] if line else lines


def log_line(line: Tale, look: Look, width: int, most: int) -> list[Row]:
    """One event in at most ``most`` rows."""
    out: list[Row] = []
    for i, part in enumerate(_folded(clean(line.text(look.names)), max(8, width - _INDENT - 3), most)):
        stamp = f" {clock_time(line.at)} " if i == 0 else " " * _INDENT
        icon = (f"{line.icon} ", line.tone) if i == 0 else ("  ", "")
        out.append(((stamp, "faint"), icon, (part, line.tone)))
    return out


def log_rows(facts: Facts, look: Look, width: int, height: int) -> list[Row]:
    """As many events as fit; each may take two rows where the panel is high enough."""
    rows: list[Row] = []
    for line in facts.log:
        rows += log_line(line, look, width, 2 if height >= 5 and len(rows) < height - 1 else 1)
        if len(rows) >= height:
            break
    return rows[:height] or [((" nothing has happened yet", "faint"),)]


class LogPanel(Panel):
    """What happened, newest first."""

    word = "panel.log"

    def paint(self, facts: Facts, look: Look, width: int, height: int) -> Sequence[Row]:
        return log_rows(facts, look, width, height)

"""The strain panel: loss above floor over steps, between the borders of its zones."""

from __future__ import annotations

import re
from collections.abc import Sequence

from configs.schema import ZONES, StrainRules, Zone
from lore.lexicon import entry, label
from realm_tui.app.curve import Axis, plot, plot_ascii
from realm_tui.app.drawing import Look, Row, width_of
from realm_tui.app.facts import Facts
from realm_tui.app.widgets.panel import Panel
from realm_tui.app.widgets.scenery import weather_words
from realm_tui.app.words import UNKNOWN, number, whole

_LEFT = 5
"""Cells of the axis at the left edge."""
_RIGHT = 13
"""Cells of the zone names at the right edge."""
_GUIDE = "┄"
MARK = "▲"
_STRETCH = re.compile(" +|[^ ]+")


def _zone_row(axis: Axis, zone: Zone) -> int:
    """The middle row of a zone's band."""
    band = ZONES.index(zone)
    return min(axis.dots - 1, int(axis.dots * (3 - band + 0.5) / 4)) // 4


def _bounds(rules: StrainRules) -> tuple[float, float, float]:
    return (rules.productive, rules.stretch, rules.overload)


def _plot_row(text: str, guide: bool, marks: dict[int, str], ascii_only: bool) -> list[tuple[str, str]]:
    """One row of the curve: dots, guide line where the row is a border, marks over the guide."""
    out: list[tuple[str, str]] = []
    fill = ("- " if ascii_only else _GUIDE) if guide else " "
    ground = (fill * len(text))[: len(text)]
    x = 0
    for start, mark in [*sorted(marks.items()), (len(text), "")]:
        for found in _STRETCH.finditer(text, x, start):
            blank = found[0][0] == " "
            out.append((ground[found.start() : found.end()], "line") if blank else (found[0], "curve"))
        if mark:
            out.append((mark, "mark"))
        x = start + len(mark)
    return out


def _mark_cells(facts: Facts, first: int, per_column: int, width: int, shift: int) -> dict[int, str]:
    """Where level-up marks stand on the lowest row: cell to text; a later mark gives way to an earlier one."""
    cells: dict[int, str] = {}
    free = 0
    for step, name in facts.curve.marks:
        x = ((step - first) // per_column + shift) // 2
        text = f"{MARK}{name}"
        if x >= free and 0 <= x <= width - len(text):
            cells[x] = text
            free = x + len(text) + 1
    return cells


def _readout(facts: Facts, look: Look) -> list[tuple[str, str]]:
    status = facts.status
    zone = status.zone
    word = entry(f"zone.{zone or 'unknown'}")
    out = [
        (f"{label('strain', look.names)} ", "muted"),
        (number(status.strain), f"{zone}-strong" if zone else "strong"),
    ]
    if zone:
        out.append((f" {word.icon} {word.named(look.names)}", zone))
    if facts.strain.trend:
        trend = entry(f"trend.{facts.strain.trend}")
        out.append((f" {trend.icon} {trend.named(look.names)}", "text"))
    return out


def strain_rows(
    facts: Facts, look: Look, width: int, height: int, rules: StrainRules, *, recent: bool = False
) -> list[Row]:
    """The curve with its zones, and a line of figures below it.

    Args:
        recent: the newest steps instead of the whole campaign.
    """
    status = facts.status
    chart = height - 1 if height < 7 else height - 2
    inner = max(10, width - _LEFT - _RIGHT)
    first, per_column, values = facts.curve.columns(inner * 2, recent=recent)
    axis = Axis.over(values, rules, chart * 4)
    lines = (plot_ascii if look.ascii else plot)(values, axis, inner)
    marks = _mark_cells(facts, first, per_column, inner, 0)
    borders = {axis.border_row(i): bound for i, bound in enumerate(_bounds(rules))}
    zones = {_zone_row(axis, zone): zone for zone in ZONES}
    rows: list[Row] = []
    for y, text in enumerate(lines):
        left = f"{borders[y]:>4g} " if y in borders else f"{axis.top:>4g} " if y == 0 else " " * _LEFT
        row = [(left, "muted"), *_plot_row(text, y in borders, marks if y == chart - 1 else {}, look.ascii)]
        zone = zones.get(y)
        if zone:
            here = zone == status.zone
            name = label(f"zone.{zone}", look.names)
            row.append((f" {name}{' ◀' if here else ''}", f"{zone}-strong" if here else "faint"))
        rows.append(tuple(row))
    figures: Row = ((" ", ""), *_readout(facts, look))
    sums: Row = ()
    for word, value in (("strain.effort", number(status.effort, 1)), ("strain.gain", number(status.gain))):
        sums = (*sums, (f"   {label(word, look.names).lower()} ", "muted"), (value, "text"))
    hint = facts.strain.hint.text(look.names) if facts.strain.hint is not None else ""
    said: Row = ((f" {label('strain.hint', look.names).lower()} ", "muted"), (hint or UNKNOWN, "text"))
    if height < 7:
        below: Row = (*figures, ("  ", ""), *said)
        rows.append(below + sums if width_of(below + sums) <= width else below)
    else:
        rows.append(figures + sums[:2])
        seen = f"   steps {whole(first)} – {whole(facts.curve.last)}" if values else ""
        rows.append((*said, *sums[2:], (seen, "faint")))
    return rows


class StrainPanel(Panel):
    """How hard the lesson is, and that it gets easier."""

    word = "panel.strain"

    def __init__(self, key: str, rules: StrainRules, classes: str = "") -> None:
        super().__init__(key, classes)
        self.rules = rules
        self.recent = False

    def subtitle(self, facts: Facts, look: Look) -> str:
        told = (weather_words(facts, look), "newest steps" if self.recent else "")
        return "  ".join(filter(None, told))

    def paint(self, facts: Facts, look: Look, width: int, height: int) -> Sequence[Row]:
        return strain_rows(facts, look, width, height, self.rules, recent=self.recent)

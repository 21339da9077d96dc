"""The Strain page as rows: the curve in its zones with marks and ghost, and what effort bought."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from configs.schema import ZONES, StrainRules
from lore.lexicon import entry, label
from lore.strain import Hint, Trend
from realm_tui.app.charts import LEFT, Columns, blank, draw_line, smooth, spans, tick
from realm_tui.app.curve import Axis
from realm_tui.app.drawing import Look, Row, fit, shorten, spread, width_of
from realm_tui.app.words import UNKNOWN, brief, number, whole
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.status import Status
from realm_tui.runtime.strain_view import LevelCost, Marks, SkillEffort, StrainData
from realm_tui.runtime.watch_view import QUESTS

_RIGHT = 13
_NAME = 17
"""Cells of a level's name among the prices."""
_GUIDE = "┄"
WON, GHOST_WON, SAVED = "▲", "○", "▾"
ZONE_FILLS = ("░", "▒", "▓", "█")


@dataclass(frozen=True, slots=True)
class Now:
    """What the engine says at this moment; everything None while none lives."""

    strain: float | None = None
    zone: str | None = None
    effort: float | None = None
    floor: float | None = None
    trend: Trend | None = None
    hint: Hint | None = None

    @classmethod
    def of(cls, status: Status, trend: Trend | None, hint: Hint | None) -> Now:
        """From the newest facts."""
        return cls(status.strain, status.zone, status.effort, status.floor, trend, hint)


def strain_page_rows(
    data: StrainData, now: Now, look: Look, width: int, height: int, rules: StrainRules, *, smoothing: float = 0.0
) -> list[Row]:
    """The whole page."""
    wide = width >= 110 and height >= 30
    below = _below(data, now, look, width, wide=wide, room=height)
    chart = max(6, height - len(below))
    rows = [*curve_rows(data, now, look, width, chart, rules, smoothing=smoothing), *below]
    return [fit(row, width) for row in rows[:height]]


# ---------------------------------------------------------------- curve


def curve_rows(
    data: StrainData, now: Now, look: Look, width: int, height: int, rules: StrainRules, *, smoothing: float = 0.0
) -> list[Row]:
    """The curve, one row of marks for the campaign, one for the ghost, and the steps they stand at."""
    marks = 2 if data.ghost is None else 3
    tall, inner = height - marks, max(10, width - LEFT - _RIGHT)
    grid = data.curve.grid
    columns = Columns.fit(grid.start, grid.count, inner * 2)
    own = smooth(columns.of(data.curve.series.get("strain", ())), smoothing)
    ghost = smooth(columns.of(data.ghost_curve), smoothing)
    axis = Axis.over([*own, *ghost], rules, tall * 4)
    borders = {axis.border_row(i): bound for i, bound in enumerate((rules.productive, rules.stretch, rules.overload))}
    cells = blank(inner, tall)
    for y in borders:
        cells[y] = [(_GUIDE, "line")] * inner
    draw_line(cells, ghost, axis, "skill", dotted=True, ascii_only=look.ascii)
    draw_line(cells, own, axis, "curve", ascii_only=look.ascii)
    zones = {min(tall - 1, int(tall * (3 - i + 0.5) / 4)): zone for i, zone in enumerate(ZONES)}
    rows: list[Row] = []
    for y, line in enumerate(cells):
        value = f"{borders[y]:g}" if y in borders else f"{axis.top:g}" if y == 0 else "floor" if y == tall - 1 else ""
        row: list[tuple[str, str]] = [(f"{value:>{LEFT - 1}} ", "muted"), *spans(line)]
        zone = zones.get(y)
        if zone:
            here = zone == now.zone
            row.append(
                (f" {label(f'zone.{zone}', look.names)}{' ◀' if here else ''}", f"{zone}-strong" if here else "faint")
            )
        rows.append(tuple(row))
    if not any(v is not None for v in (*own, *ghost)):
        rows[tall // 2] = (
            (" " * LEFT, ""),
            ("no strain is known yet: it begins with the first step of a skill", "faint"),
        )

    def place(step: int) -> int | None:
        bucket = grid.bucket(max(1, step))
        return None if bucket is None else columns.at(bucket) // 2

    rows.append(_mark_row("won", data.levels, WON, "mark", place, inner, saved=data.checkpoints))
    if data.ghost is not None:
        rows.append(_mark_row("ghost", data.ghost_levels, GHOST_WON, "skill", place, inner))
    rows.append(_steps_row(data, columns, smoothing, width))
    return [fit(row, width) for row in rows]


def _mark_row(
    name: str,
    marks: Marks,
    sign: str,
    role: str,
    place: Callable[[int], int | None],
    inner: int,
    *,
    saved: Sequence[int] = (),
) -> Row:
    """Levels won with their labels, and between them a tick for every form saved."""
    cells: list[tuple[str, str]] = [(" ", "")] * inner
    for step in saved:
        x = place(step)
        if x is not None and 0 <= x < inner:
            cells[x] = (SAVED, "faint")
    free = 0
    for step, text in marks:
        x = place(step)
        if x is None or x < free or x >= inner:
            continue
        shown = f"{sign}{text}"
        if x + len(shown) > inner:
            x, shown = (x - len(text), f"{text}{sign}") if x - len(text) >= free else (x, sign)
        for i, char in enumerate(shown):
            cells[x + i] = (char, role)
        free = x + len(shown) + 1
    return ((f"{name:>{LEFT - 1}} ", "muted"), *spans(cells))


def _steps_row(data: StrainData, columns: Columns, smoothing: float, width: int) -> Row:
    grid = data.curve.grid
    out: list[tuple[str, str]] = []
    if data.last is not None:
        low, high = data.wish.span.bounds(data.first, max(data.last, grid.last if data.ghost else data.last))
        per = grid.size * columns.group
        out.append((f"{'':{LEFT}}steps {whole(low)} – {whole(min(high, max(data.last, grid.last)))}", "text"))
        out.append((f" · {whole(per)} a dot" if per > 1 else " · each", "muted"))
    if not data.complete:
        out.append((" · reading older steps…", "accent"))
    if data.wish.only:
        what = "your own files" if data.wish.only == QUESTS else data.wish.only.upper()
        out.append((f" · only {what}", "accent"))
    if smoothing:
        out.append((f" · ~{smoothing:g}", "muted"))
    right: Row = ()
    if data.ghost is not None:
        best = ", personal best" if data.ghost.best else ""
        right = ((f"○ {shorten(data.ghost.title, 28)}{best} ", "skill"),)
    elif data.rivals:
        right = (("o calls a ghost ", "muted"),)
    return spread(tuple(out), right, width)


# ---------------------------------------------------------------- below the curve


def _below(data: StrainData, now: Now, look: Look, width: int, *, wide: bool, room: int) -> list[Row]:
    rows: list[Row] = [_readout(now, look), *_hint(now, look, width)]
    if data.ghost is not None:
        rows.append(_duel(data, look))
    left = effort_rows(data.efforts, look, width if not wide else width * 3 // 5, summed=data.complete)
    right = cost_rows(data.costs, look, width - width * 3 // 5 if wide else width, max(3, room // 4))
    if not wide:
        return [*rows, *left, *right[: max(0, room - 11 - len(rows) - len(left))]]
    size = width * 3 // 5
    for y in range(max(len(left), len(right))):
        one = fit(left[y], size) if y < len(left) else ((" " * size, ""),)
        rows.append((*one, *(right[y] if y < len(right) else ())))
    return rows


def _readout(now: Now, look: Look) -> Row:
    zone = entry(f"zone.{now.zone or 'unknown'}")
    out: list[tuple[str, str]] = [
        (f" {label('strain', look.names)} ", "muted"),
        (number(now.strain), f"{now.zone}-strong" if now.zone else "strong"),
        (f" {zone.mark(ascii_only=look.ascii)} {zone.named(look.names)}" if now.zone else "", now.zone or "muted"),
    ]
    if now.trend is not None:
        trend = entry(f"trend.{now.trend}")
        out.append((f" {trend.mark(ascii_only=look.ascii)} {trend.named(look.names)}", "text"))
    for word, value in (("strain.floor", number(now.floor)), ("strain.effort", number(now.effort, 1))):
        out += [(f"   {label(word, look.names).lower()} ", "muted"), (value, "text")]
    return tuple(out)


def _hint(now: Now, look: Look, width: int) -> list[Row]:
    """What the rule says, and the rule itself."""
    word = label("strain.hint", look.names)
    if now.hint is None:
        return [((f" {word} ", "muted"), (f"{UNKNOWN}  needs ten steps whose strain is known", "faint"))]
    said: Row = ((f" {word} ", "muted"), (now.hint.text(look.names), "text"))
    sure: Row = ((f"  sure {now.hint.confidence:.1f}", "muted"),)
    rule = entry(f"hint.{now.hint.kind}").technical
    if width_of((*said, *sure)) + len(rule) + 3 <= width:
        return [(*said, *sure, (f"   {rule}", "faint"))]
    return [(*said, *sure), *[((f"   {line}", "faint"),) for line in textwrap.wrap(rule, width - 4)]]


def _duel(data: StrainData, look: Look) -> Row:
    duel = data.duel
    word = label("strain.duel", look.names)
    if duel is None or duel.step < 1:
        return ((f" {word} ", "muted"), (UNKNOWN, "faint"))
    out: list[tuple[str, str]] = [
        (f" {word} ", "muted"),
        (f"step {whole(duel.step)}", "text"),
        ("  strain ", "muted"),
        (f"{number(duel.strain)} ○ {number(duel.ghost_strain)}", "text"),
    ]
    if duel.strain is not None and duel.ghost_strain is not None:
        ahead = duel.ghost_strain - duel.strain
        words = "as hard" if abs(ahead) < 0.005 else f"{abs(ahead):.2f} {'easier' if ahead > 0 else 'harder'} for you"
        out.append((f" ({words})", "good" if ahead >= 0.005 else "text" if ahead > -0.005 else "warn"))
    out += [("  levels ", "muted"), (f"{duel.levels} ○ {duel.ghost_levels}", "text")]
    return tuple(out)


_NO_FLOOR = "no floor yet"


def effort_rows(efforts: Sequence[SkillEffort], look: Look, width: int, *, summed: bool = True) -> list[Row]:
    """One meter per skill: as long as its effort, filled by zones; what it bought stands behind it."""
    rows: list[Row] = [((f" {label('strain.meter', look.names)}", "accent"),)]
    if not efforts:
        return [*rows, ((" nothing has been trained yet" if summed else " summing up…", "faint"),)]
    most = max(e.effort or 0.0 for e in efforts) or 1.0
    known = [e.efficiency for e in efforts if e.efficiency is not None]
    figures = 52 if width >= 70 else 38
    room = max(8, width - 11 - figures)
    rows[0] = (
        *rows[0],
        (" " * max(1, 11 + room - width_of(rows[0])), ""),
        (f"{'effort':>8}", "muted"),
        (f" {'steps':>6} {'floor':>6}" if figures > 50 else "", "muted"),
        (f" {'won':>4} {'a level':>8} {'drop/effort':>12}", "muted"),
    )
    for one in efforts:
        name = "own files" if one.skill == QUESTS else shorten(clean(one.skill).upper(), 9)
        meter: Row = ((shorten(_NO_FLOOR, room), "faint"),)
        if one.effort is not None:
            meter = _meter(one, max(1, round(room * one.effort / most)))
        size = width_of(meter)
        top = len(known) > 1 and one.efficiency == max(known)
        rows.append(
            (
                (f" {name:<9} ", "skill"),
                *meter,
                (" " * (room - size), ""),
                (f"{number(one.effort, 1):>8}", "text"),
                (f" {brief(one.steps):>6} {number(one.floor):>6}" if figures > 50 else "", "text"),
                (f" {one.levels:>4}", "text"),
                (f" {number(one.per_level, 1):>8}", "text"),
                (f" {tick(one.efficiency):>10}", "good" if top else "text"),
                (" ▲" if top else "", "good"),
            )
        )
    legend = "  ".join(f"{fill} {label(f'zone.{z}', look.names)}" for fill, z in zip(ZONE_FILLS, ZONES, strict=True))
    return [*rows, ((f"{'':11}{legend}", "faint"),)]


def _meter(one: SkillEffort, size: int) -> Row:
    total = sum(one.zones) or 1
    out: list[tuple[str, str]] = []
    done = 0
    for i, (fill, zone) in enumerate(zip(ZONE_FILLS, ZONES, strict=True)):
        upto = round(size * sum(one.zones[: i + 1]) / total) if sum(one.zones) else size
        if upto > done:
            out.append((fill * (upto - done), zone))
        done = max(done, upto)
    return tuple(out)


def cost_rows(costs: Sequence[LevelCost], look: Look, width: int, most: int) -> list[Row]:
    """The newest levels won with their price; the dearest is marked."""
    rows: list[Row] = [((f" {label('strain.cost', look.names)}", "accent"),)]
    if not costs:
        return [*rows, ((" no level has been won yet", "faint"),)]
    rows[0] = (
        *fit(rows[0], _NAME),
        (f"{'steps':>6}{'effort':>8}{'drop':>6}{'d/e':>8}", "muted"),
    )
    dearest = max(costs, key=lambda c: c.effort)
    for one in costs[: max(1, most - 1)]:
        dear = one is dearest and len(costs) > 1
        rows.append(
            (
                (f" {shorten(clean(one.skill).upper(), 7)} L{one.level}".ljust(_NAME), "skill"),
                (f"{brief(one.steps):>6}", "text"),
                (f"{number(one.effort, 1):>8}", "warn" if dear else "text"),
                (f"{number(one.gain):>6}{tick(one.efficiency):>8}", "text"),
                (" ▲" if dear else "", "warn"),
            )
        )
    return rows

"""The Watchtower's charts: which there are, how each is drawn, and how they share the screen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from lore.lexicon import entry
from realm_tui.app.charts import (
    LEFT,
    OTHER_POINT,
    POINT,
    Columns,
    ValueAxis,
    blank,
    degrees,
    draw_line,
    draw_points,
    framed,
    memory,
    share,
    smooth,
    tick,
)
from realm_tui.app.drawing import Look, Row, fit, shorten, spread, width_of
from realm_tui.app.widgets.time_split import APART, WHOLE, draw_split, split_rows, split_title
from realm_tui.app.words import UNKNOWN, brief, rate, whole
from realm_tui.runtime.buckets import Grid
from realm_tui.runtime.samples import Sample
from realm_tui.runtime.watch_view import QUESTS, Curves, Points, Watch

LEAST_HEIGHT = 6
"""Rows below which a chart is not drawn."""
SMOOTHINGS = (0.0, 0.6, 0.9, 0.97)
_HELD_S = 60.0
"""A sample stands until the next one, but no longer than this."""
Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart."""

    id: str
    """Its lexicon entry is ``chart.<id>``."""
    kind: str
    """line, points, stack or sample."""
    series: tuple[str, ...]
    """The first is the line itself, a second one is drawn dotted."""
    show: Callable[[float | None], str]
    empty: str
    from_zero: bool = False
    top: float | None = None


def _rate(value: float | None) -> str:
    return "0" if value == 0 else rate(value)


CHARTS: tuple[Chart, ...] = (
    Chart("loss", "line", ("loss",), tick, "nothing has been trained yet"),
    Chart("held_out", "points", ("held_out_loss",), tick, "d adds a file of your own"),
    Chart("accuracy", "points", ("accuracy",), share, "comes with the first exam", from_zero=True, top=1.0),
    Chart("learning_rate", "line", ("learning_rate",), _rate, "nothing has been trained yet", from_zero=True),
    Chart("grad_norm", "line", ("grad_norm", "grad_norm_max"), tick, "nothing has been trained yet", from_zero=True),
    Chart("speed", "line", ("tokens_per_s",), brief, "nothing has been trained yet", from_zero=True),
    Chart(
        "time",
        "stack",
        tuple(p.series for p in (*WHOLE, *APART)),
        share,
        "not told apart while only a part is looked at",
    ),
    Chart(
        "memory", "sample", ("memory_bytes", "card_bytes"), memory, "looked at while the engine runs", from_zero=True
    ),
    Chart("temperature", "sample", ("temperature_c",), degrees, "no card is seen here"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """How the player wants the charts."""

    chart: str = "loss"
    """The one that keys act on."""
    alone: bool = False
    logs: frozenset[str] = frozenset()
    """Charts on a logarithmic axis."""
    smoothing: float = 0.0
    words: str = ""
    """Only charts whose names contain it, and log lines that do."""
    log: str = "some"
    """some, all or none of the engine's log."""

    def toggled(self, chart: str) -> Shown:
        """With the other kind of axis for a chart."""
        return replace(self, logs=self.logs ^ {chart})


def visible(shown: Shown, look: Look) -> list[Chart]:
    """The charts whose key or name contains the words looked for; all where none does."""
    wanted = shown.words.casefold()
    found = [c for c in CHARTS if wanted in c.id or wanted in entry(f"chart.{c.id}").named(look.names).casefold()]
    return found or list(CHARTS)


# ---------------------------------------------------------------- one chart


def sampled(samples: Sequence[Sample], name: str, grid: Grid) -> tuple[float | None, ...]:
    """What was looked at now and then, on the grid (bytes as MiB); a value stands until the next look."""
    out: list[float | None] = [None] * grid.count
    for one, after in zip_longest(samples, samples[1:]):
        found = getattr(one, name)
        place = grid.bucket(max(1, one.step))
        if found is None or place is None:
            continue
        value = found / 1024**2 if name.endswith("_bytes") else float(found)
        out[place] = value
        if after is not None and 0 <= after.at - one.at <= _HELD_S:
            for between in range(place + 1, min(grid.count, (after.step - 1) // grid.size - grid.start)):
                out[between] = value
    return tuple(out)


def _lines(chart: Chart, watch: Watch, curves: Curves) -> list[Values]:
    if chart.kind == "sample":
        return (
            [sampled(watch.samples, name, watch.own.plot.grid) for name in chart.series] if curves is watch.own else []
        )
    return [curves.plot.series[name] for name in chart.series if name in curves.plot.series]


def _newest(values: Values) -> float | None:
    return next((v for v in reversed(values) if v is not None and math.isfinite(v)), None)


def _placed(points: Points, grid: Grid, columns: Columns) -> list[tuple[int, float]]:
    found = []
    for step, value in points:
        bucket = grid.bucket(max(1, step))
        if bucket is not None:
            found.append((columns.at(bucket), value))
    return found


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A chart's area with the words above it."""

    rows: Sequence[Row] = ()
    value: str = UNKNOWN
    against: str = ""
    known: Sequence[float] = ()
    """What its first line shows."""
    told: Sequence[Row] = ()
    """Words between title and area."""


@dataclass(frozen=True, slots=True)
class _Area:
    """Where and how one chart is drawn."""

    chart: Chart
    watch: Watch
    columns: Columns
    inner: int
    tall: int
    log: bool
    smoothing: float
    ascii_only: bool
    named: bool = False
    """Alone on the screen: there is room for words."""

    def axis(self, values: Sequence[float | None]) -> ValueAxis:
        """The axis that holds the values."""
        one = self.chart
        return ValueAxis.over(values, self.tall * 4, log=self.log, from_zero=one.from_zero, top=one.top)


def _points(area: _Area) -> _Drawn:
    name, watch, grid = area.chart.series[0], area.watch, area.watch.own.plot.grid
    own = _placed(watch.own.points.get(name, ()), grid, area.columns)
    other = _placed(watch.other.points.get(name, ()), grid, area.columns) if watch.other is not None else []
    if not own and not other:
        return _Drawn()
    axis, cells = area.axis([v for _, v in (*own, *other)]), blank(area.inner, area.tall)
    draw_points(cells, other, axis, "skill", OTHER_POINT)
    draw_points(cells, own, axis, "curve", POINT)
    value = area.chart.show(own[-1][1]) if own else UNKNOWN
    return _Drawn(framed(cells, axis, area.chart.show), value, "", [v for _, v in own])


def _stack(area: _Area) -> _Drawn:
    lines = dict(zip(area.chart.series, _lines(area.chart, area.watch, area.watch.own), strict=False))
    if any(p.series not in lines for p in WHOLE) or all(v is None for v in lines["exam_s"]):
        return _Drawn()
    parts = APART if area.named and area.tall >= LEAST_HEIGHT else WHOLE
    told = split_rows(lines, LEFT + area.inner) if parts is APART else []
    cells = blank(area.inner, area.tall - len(told))
    draw_split(cells, [area.columns.of(lines[p.series]) for p in parts], parts)
    rows = framed(cells, ValueAxis(0.0, 1.0, len(cells) * 4), share)
    return _Drawn(rows, split_title(lines, shares=parts is WHOLE), told=told)


def _line(area: _Area) -> _Drawn:
    watch = area.watch
    own = _lines(area.chart, watch, watch.own)
    other = _lines(area.chart, watch, watch.other)[:1] if watch.other is not None else []
    # One dotted line at a time: beside a rival's, a second one of its own could not be told apart without colour.
    own = own[:1] if other else own
    drawn = [smooth(area.columns.of(line), area.smoothing) for line in own]
    beside = [smooth(area.columns.of(line), area.smoothing) for line in other]
    every = [v for line in (*drawn, *beside) for v in line]
    if all(v is None for v in every):
        return _Drawn()
    axis, cells = area.axis(every), blank(area.inner, area.tall)
    for lines, role in ((beside, "skill"), (drawn[1:], "faint")):
        for line in lines:
            draw_line(cells, line, axis, role, dotted=True, ascii_only=area.ascii_only)
    for line in drawn[:1]:
        draw_line(cells, line, axis, "curve", ascii_only=area.ascii_only)
    return _Drawn(
        framed(cells, axis, area.chart.show),
        area.chart.show(_newest(own[0])) if own else UNKNOWN,
        area.chart.show(_newest(other[0])) if other else "",
        [v for v in own[0] if v is not None] if own else (),
    )


def chart_rows(chart: Chart, watch: Watch, shown: Shown, look: Look, width: int, height: int) -> list[Row]:
    """Its title with the newest value, and the area below."""
    inner, tall = width - LEFT, height - 1
    grid = watch.own.plot.grid
    log = chart.id in shown.logs and chart.kind != "stack"
    smoothing = shown.smoothing if chart.kind == "line" else 0.0
    area = _Area(
        chart,
        watch,
        Columns.fit(grid.start, grid.count, inner * 2),
        inner,
        tall,
        log,
        smoothing,
        look.ascii,
        shown.alone,
    )
    drawn = _Drawn()
    if watch.last is not None:
        drawn = (_points if chart.kind == "points" else _stack if chart.kind == "stack" else _line)(area)
    rows = drawn.rows
    if not rows:
        missing = chart.empty if watch.last is not None else "nothing has been trained yet"
        rows = [((" " * LEFT, ""),)] * max(0, tall // 2) + [((" " * LEFT, ""), (missing, "faint"))]
    return [fit(row, width) for row in [_title(area, drawn, shown, look), *drawn.told, *rows[: tall - len(drawn.told)]]]


def _title(area: _Area, drawn: _Drawn, shown: Shown, look: Look) -> Row:
    chart, show = area.chart, area.chart.show
    here = chart.id == shown.chart
    out: list[tuple[str, str]] = [
        ("▸ " if here else "  ", "accent-strong"),
        (entry(f"chart.{chart.id}").named(look.names), "accent-strong" if here else "text"),
        (f"  {drawn.value}", "strong"),
    ]
    if drawn.against:
        out.append((f" ○ {drawn.against}", "skill"))
    flags = [*(["log"] if area.log else []), *([f"~{share(area.smoothing)}"] if area.smoothing else [])]
    if flags:
        out.append((f"  {' '.join(flags)}", "muted"))
    if shown.alone and drawn.known:
        mean = math.fsum(drawn.known) / len(drawn.known)
        out.append(
            (f"   lowest {show(min(drawn.known))} · highest {show(max(drawn.known))} · mean {show(mean)}", "muted")
        )
    return tuple(out)


# ---------------------------------------------------------------- the whole screen


@dataclass(frozen=True, slots=True)
class Layout:
    """Where charts stand: how many side by side, how high, and the first one that is seen."""

    across: int
    height: int
    down: int
    first: int

    def at(self, x: int, y: int, width: int) -> int | None:
        """Place of the chart under a cell among those that can be seen."""
        column, row = x * self.across // max(1, width), y // max(1, self.height)
        return self.first + row * self.across + column if 0 <= row < self.down and 0 <= column < self.across else None


def layout(count: int, here: int, width: int, height: int, *, alone: bool = False) -> Layout:
    """The fewest rows of charts that show all of them, or as many as there is room for, around the chosen one."""
    if alone or height < 2 * LEAST_HEIGHT:
        return Layout(1, height, 1, here)
    across = 3 if width >= 110 else 2 if width >= 70 else 1
    across = min(across, max(1, count))
    needed = -(-count // across)
    down = max(1, min(needed, height // LEAST_HEIGHT))
    top = max(0, min(here // across - down // 2, needed - down))
    return Layout(across, height // down, down, top * across)


def charts_rows(watch: Watch, shown: Shown, look: Look, width: int, height: int) -> list[Row]:
    """The charts that fit, and one line below that says what is looked at."""
    charts = visible(shown, look)
    here = next((i for i, c in enumerate(charts) if c.id == shown.chart), 0)
    place = layout(len(charts), here, width, height - 1, alone=shown.alone)
    size = width // place.across
    rows: list[Row] = []
    for line in range(place.down):
        beside = [
            chart_rows(charts[i], watch, shown, look, size - (1 if place.across > 1 else 0), place.height)
            for i in range(place.first + line * place.across, place.first + (line + 1) * place.across)
            if i < len(charts)
        ]
        for y in range(place.height):
            row: list[tuple[str, str]] = []
            for i, block in enumerate(beside):
                row += [(" ", "")] if i else []
                row += block[y] if y < len(block) else ((" " * (size - 1), ""),)
            rows.append(tuple(row))
    rows = rows[: height - 1] + [()] * max(0, height - 1 - len(rows))
    return [*rows, _below(watch, shown, look, width, len(charts), place)]


def _below(watch: Watch, shown: Shown, look: Look, width: int, count: int, place: Layout) -> Row:
    """Steps, steps per dot, what is compared and what is left out."""
    grid = watch.own.plot.grid
    out: list[tuple[str, str]] = []
    if watch.last is None:
        out.append((" no step has been taken yet: press p to begin", "muted"))
    else:
        across = max(1, width // place.across - LEFT - 1)
        columns = Columns.fit(grid.start, grid.count, across * 2)
        per = grid.size * columns.group
        low, high = watch.wish.span.bounds(watch.first, max(watch.last, grid.last if watch.rival else watch.last))
        following = watch.wish.span.end is None
        out += [
            (" steps ", "muted"),
            (f"{whole(low)} – {whole(min(high, max(watch.last, grid.last)))}", "text"),
            (f" · {whole(per)} a dot" if per > 1 else " · each", "muted"),
            (" · newest" if following and watch.wish.span.width else "", "muted"),
        ]
    if not watch.complete:
        out.append((" · reading older steps…", "accent"))
    if watch.rival is not None:
        best = ", personal best" if watch.rival.best else ""
        out.append((f" · ○ {shorten(watch.rival.title, 24)}{best}", "skill"))
    if watch.wish.only:
        out.append((f" · only {filter_word(watch.wish.only)}", "accent"))
    if shown.words:
        out.append((f" · /{shorten(shown.words, 16)}", "accent"))
    hidden = count - place.across * place.down
    right: Row = ((f"{hidden} more ↑↓ ", "muted"),) if hidden > 0 and not shown.alone else ()
    return spread(tuple(out), right, width)


def filter_word(only: str) -> str:
    """What a filter leaves, in words."""
    return "your own files" if only == QUESTS else only.upper()


def log_rows(lines: Sequence[str], shown: Shown, look: Look, width: int, height: int) -> list[Row]:
    """The newest lines that contain what is looked for, oldest first, under a title; nothing where no line is."""
    word = entry("watchtower.log")
    wanted = shown.words.casefold()
    found = [line for line in lines if wanted in line.casefold()] or list(lines)
    title: Row = ((f" {word.mark(ascii_only=look.ascii)} {word.named(look.names)} ", "accent"),)
    rows: list[Row] = [(*title, ("─" * max(0, width - width_of(title)), "line"))]
    for line in found[-max(0, height - 1) :] if height > 1 else []:
        trouble = any(sign in line for sign in _TROUBLE)
        rows.append(((" ", ""), (shorten(line, width - 2), "warn" if trouble else "muted")))
    if not found and height > 1:
        rows.append(((" nothing was written yet", "faint"),))
    return rows


_TROUBLE = ("Error", "error", "Traceback", "ended in a way", "killed", "WARN")

"""History on a grid of equal buckets, read again only where it is new: the data under every chart."""

from __future__ import annotations

import math
import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.link.snapshot import StepRecord
from realm_tui.runtime.buckets import Grid
from saves.charts import ALL, ExamMark, Lane, Only, Stretch, exams_after, reach, stretches, way

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Series over one grid, each a mean per bucket; None where nothing is known."""

    grid: Grid = field(default_factory=Grid)
    series: Mapping[str, Values] = field(default_factory=dict)


SERIES = (
    "loss",
    "strain",
    "learning_rate",
    "grad_norm",
    "grad_norm_max",
    "tokens_per_s",
    "train_s",
    "exam_s",
    "rest_s",
)


class Track:
    """One lane's history on a grid. Asked again, it reads only what was written since."""

    def __init__(self, lane: Lane, only: Only = ALL) -> None:
        self.lane, self.only = lane, only
        self._way: tuple[object, ...] | None = None
        self._grid = Grid()
        self._done: dict[tuple[int, int], Stretch] = {}
        self._exams: ExamLog | None = None

    def reach(self, conn: sqlite3.Connection) -> tuple[int, int] | None:
        """First and last step written; None before there are any."""
        return reach(conn, self.lane)

    def read(self, conn: sqlite3.Connection, grid: Grid, exams: Sequence[ExamMark] | ExamLog = ()) -> Plot:
        """The series on ``grid``.

        Args:
            conn: the save.
            grid: the buckets wanted.
            exams: exams whose time is told apart from the rest; none where only some skills are looked at.
        """
        return Plot(grid, _series(self._stretches(conn, grid), grid, exams))

    def _stretches(self, conn: sqlite3.Connection, grid: Grid) -> list[Stretch]:
        now = way(conn, self.lane.campaign_id)
        if now != self._way or grid.size != self._grid.size or grid.first < self._grid.first:
            self._way, self._done = now, {}
        self._grid = grid
        # The newest stretch of all, and whatever lies before what is remembered, may still grow.
        known = sorted(number for _, number in self._done)
        since = grid.first if not known else max(grid.first, known[-1] * grid.size + 1)
        for stretch in stretches(conn, self.lane, since, grid.last, grid.size, self.only):
            self._done[(stretch.run_id, stretch.number)] = stretch
        low, high = grid.start, grid.start + grid.count
        for key in [k for k in self._done if k[1] < low]:
            del self._done[key]
        return sorted((s for s in self._done.values() if s.number < high), key=lambda s: (s.run_id, s.number))


class ExamLog:
    """Every exam of a lane in little memory; asked again, only new ones are read."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._way: tuple[object, ...] | None = None
        self._newest = 0
        self._clear()

    def _clear(self) -> None:
        self._newest = 0
        self.steps, self.seconds, self.shares = array("q"), array("d"), array("d")
        self.skills: list[str] = []

    def update(self, conn: sqlite3.Connection) -> None:
        """Take in what was written since the last time."""
        now = way(conn, self.lane.campaign_id)
        if now != self._way:
            self._way = now
            self._clear()
        names: dict[str, str] = {}
        for mark in exams_after(conn, self.lane, self._newest):
            self._newest = mark.id
            self.steps.append(mark.step)
            self.seconds.append(mark.duration_s)
            gate = mark.kind == "gate" and mark.items > 0
            self.shares.append(mark.correct / mark.items if gate else math.nan)
            self.skills.append(names.setdefault(mark.skill, mark.skill))

    def seconds_by_bucket(self, grid: Grid) -> dict[int, float]:
        """Seconds of exams in each bucket that has any."""
        found: dict[int, float] = {}
        for step, seconds in zip(self.steps, self.seconds, strict=True):
            place = grid.bucket(max(1, step))
            if place is not None and math.isfinite(seconds):
                found[place] = found.get(place, 0.0) + seconds
        return found

    def gates(self, grid: Grid, skill: str = "") -> list[tuple[int, float]]:
        """Step and share of every gate exam on the grid, of one skill where it is named."""
        return [
            (step, share)
            for step, share, name in zip(self.steps, self.shares, self.skills, strict=True)
            if not math.isnan(share) and (not skill or name == skill) and grid.bucket(max(1, step)) is not None
        ]


def _ratio(part: float | None, whole: float) -> float | None:
    value = part / whole if part is not None and whole > 0 else None
    return value if value is not None and math.isfinite(value) else None


def _series(found: Sequence[Stretch], grid: Grid, exams: Sequence[ExamMark] | ExamLog) -> dict[str, Values]:
    out: dict[str, list[float | None]] = {name: [None] * grid.count for name in SERIES}
    asked = exams.seconds_by_bucket(grid) if isinstance(exams, ExamLog) else {}
    before: Stretch | None = None
    for one in found:
        place = min(grid.count - 1, one.number - grid.start)
        if place < 0:
            continue
        values = {
            "loss": _ratio(one.loss_sum, one.finite),
            "strain": _ratio(one.strain_sum, one.judged),
            "learning_rate": _ratio(one.rate_sum, one.steps),
            "grad_norm": _ratio(one.grad_norm_sum, one.finite),
            "grad_norm_max": one.grad_norm_max,
            "tokens_per_s": _ratio(one.tokens, one.active_s),
            "train_s": _ratio(one.active_s, one.steps),
        }
        if isinstance(exams, ExamLog):
            since = before.last_at if before is not None and before.run_id == one.run_id else one.first_at
            examined = asked.get(place, 0.0)
            values["exam_s"] = _ratio(examined, one.steps)
            values["rest_s"] = _ratio(max(0.0, one.last_at - since - one.active_s - examined), one.steps)
        first = max(0, (one.first_step - 1) // grid.size - grid.start)
        for name, value in values.items():
            line = out[name]
            # Merged history may span many buckets; they all show its mean, where nothing finer is known.
            for at in range(min(first, place), place):
                if line[at] is None:
                    line[at] = value
            line[place] = value
        before = one
    return {name: tuple(line) for name, line in out.items()}


def with_records(plot: Plot, records: Sequence[StepRecord], written: int) -> Plot:
    """The plot with the newest steps one by one: those after step ``written``, and buckets that they cover wholly.

    Args:
        plot: made of windows.
        records: of the ring, in order of steps.
        written: the last step that windows tell of.
    """
    grid = plot.grid
    steps: dict[int, list[StepRecord]] = {}
    for record in records:
        place = grid.bucket(record.step)
        if place is not None:
            steps.setdefault(place, []).append(record)
    fresh = {place: found for place, found in steps.items() if found[-1].step > written or len(found) >= grid.size}
    if not fresh:
        return plot
    series = {name: list(values) for name, values in plot.series.items()}
    for place, found in fresh.items():
        seconds = math.fsum(r.seconds for r in found)
        values = {
            "loss": _mean(r.loss for r in found),
            "strain": _mean(r.strain for r in found),
            "learning_rate": _mean(r.learning_rate for r in found),
            "grad_norm": _mean(r.grad_norm for r in found),
            "grad_norm_max": max((r.grad_norm for r in found if math.isfinite(r.grad_norm)), default=None),
            "tokens_per_s": _ratio(sum(r.tokens for r in found), seconds),
            "train_s": _ratio(seconds, len(found)),
        }
        for name, value in values.items():
            if name in series and value is not None:
                series[name][place] = value
    return Plot(grid, {name: tuple(values) for name, values in series.items()})


def _mean(values: Iterable[float]) -> float | None:
    known = [v for v in values if math.isfinite(v)]
    return math.fsum(known) / len(known) if known else None


def on_grid(points: Sequence[tuple[int, float | None]], grid: Grid) -> Values:
    """A coarse curve, each point the mean of the stretch that ends at its step, on a grid."""
    out: list[float | None] = [None] * grid.count
    ends = [step for step, _ in points]
    if not ends:
        return tuple(out)
    for place in range(grid.count):
        step = grid.first + place * grid.size
        at = bisect_left(ends, step)
        if at < len(points):
            out[place] = points[at][1]
    return tuple(out)

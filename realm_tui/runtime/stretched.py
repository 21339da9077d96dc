"""History on a grid of equal buckets, read again only where it is new: the data under every chart."""

from __future__ import annotations

import math
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from configs import clock
from engine.link.snapshot import StepRecord
from realm_tui.runtime.buckets import Grid
from saves.charts import ALL, ExamSums, Lane, Only, Stretch, exam_sums, newest_exam, reach, stretches, way

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Series over one grid, each a mean per bucket; None where nothing is known."""

    grid: Grid = field(default_factory=Grid)
    series: Mapping[str, Values] = field(default_factory=dict)


STEP_PARTS = ("step_s", "both_s", "forward_s", "backward_s", "update_s", "data_s")
"""What ``train_s`` is made of: what is not told apart, forward and backward in one or each, the update, and making the data."""
SERIES = (
    "loss",
    "strain",
    "learning_rate",
    "grad_norm",
    "grad_norm_max",
    "tokens_per_s",
    "train_s",
    *STEP_PARTS,
    "exam_s",
    "rest_s",
)


LOOK_S = 0.2
"""Longest that one look reads history; what is left follows with the next, the newest first."""
_BLOCKS = 16
"""Parts in which a long history is read."""
_EXAMS_AT_ONCE = 20_000


class Track:
    """One lane's history on a grid. Asked again, it reads only what was written since, and what it had no time for."""

    def __init__(self, lane: Lane, only: Only = ALL) -> None:
        self.lane, self.only = lane, only
        self.complete = True
        """Whether everything on the grid was read."""
        self._way: tuple[object, ...] | None = None
        self._size = 0
        self._done: dict[tuple[int, int], Stretch] = {}
        self._low = self._high = 0
        """Buckets from ``_low`` up to, but without, ``_high`` are read; the newest of them may still grow."""

    def reach(self, conn: sqlite3.Connection) -> tuple[int, int] | None:
        """First and last step written; None before there are any."""
        return reach(conn, self.lane)

    def read(self, conn: sqlite3.Connection, grid: Grid, exams: ExamLog | None = None) -> Plot:
        """The series on ``grid``.

        Args:
            conn: the save.
            grid: the buckets wanted.
            exams: exams whose time is told apart from the rest; None where only some skills are looked at.
        """
        return Plot(grid, _series(self._stretches(conn, grid), grid, exams))

    def _stretches(self, conn: sqlite3.Connection, grid: Grid) -> list[Stretch]:
        now = way(conn, self.lane.campaign_id)
        low, high = grid.start, grid.start + grid.count
        if now != self._way or grid.size != self._size or low > self._high or high < self._low:
            self._way, self._size, self._done = now, grid.size, {}
            self._low = self._high = high
        end = clock.monotonic() + LOOK_S
        if self._high > self._low:
            self._take(conn, self._high - 1, high)
        self._high = max(self._high, high)
        block = max(1, -(-grid.count // _BLOCKS))
        while self._low > low and clock.monotonic() <= end:
            upper, self._low = self._low, max(low, self._low - block)
            self._take(conn, self._low, upper)
        self.complete = self._low <= low
        if self._low < low or self._high > high:
            self._done = {k: s for k, s in self._done.items() if low <= k[1] < high}
            self._low, self._high = max(low, self._low), min(high, self._high)
        return sorted(self._done.values(), key=lambda s: (s.run_id, s.number))

    def _take(self, conn: sqlite3.Connection, low: int, high: int) -> None:
        """Read the buckets from ``low`` up to, but without, ``high``."""
        if high <= low:
            return
        size = self._size
        for one in stretches(conn, self.lane, low * size + 1, high * size, size, self.only):
            # Windows that end beyond are summed only in part here; their own bucket's turn comes by itself.
            if low <= one.number < high:
                self._done[(one.run_id, one.number)] = one


class ExamLog:
    """The exams of a lane, summed by bucket and skill. Asked again, only new ones are read, and older ones as far as they are seen."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.complete = True
        """Whether every exam on the grid was read."""
        self._way: tuple[object, ...] | None = None
        self._begin(0, 0)

    def _begin(self, size: int, newest: int) -> None:
        self._size, self._upper, self._lower, self._step = size, newest, newest, math.inf
        self._sums: dict[tuple[int, str], ExamSums] = {}

    def update(self, conn: sqlite3.Connection, grid: Grid) -> None:
        """Take in what lies on the grid: the newest first, a part of it where that is much."""
        now, newest = way(conn, self.lane.campaign_id), newest_exam(conn)
        if now != self._way or grid.size != self._size:
            self._way = now
            self._begin(grid.size, newest)
        end = clock.monotonic() + LOOK_S
        self._add(conn, self._upper, newest)
        self._upper = newest
        # What counts of a lane grows in steps as it grows in ids, so older exams than the grid's first step can wait.
        while self._lower > 0 and self._step >= grid.first and clock.monotonic() <= end:
            before = max(0, self._lower - _EXAMS_AT_ONCE)
            self._add(conn, before, self._lower)
            self._lower = before
        self.complete = self._lower <= 0 or self._step < grid.first

    def _add(self, conn: sqlite3.Connection, after: int, upto: int) -> None:
        """Sum the exams with ids above ``after`` up to ``upto``."""
        if upto <= after:
            return
        for one in exam_sums(conn, self.lane, after, upto, self._size):
            key = (one.number, one.skill)
            known = self._sums.get(key)
            self._sums[key] = one if known is None else one.plus(known)
            self._step = min(self._step, one.first_step)

    def seconds_by_bucket(self, grid: Grid) -> dict[int, float]:
        """Seconds of exams in each bucket of the grid that has any."""
        found: dict[int, float] = {}
        for one in self._on(grid):
            place = one.number - grid.start
            found[place] = found.get(place, 0.0) + one.seconds
        return found

    def gates(self, grid: Grid, skill: str = "") -> list[tuple[int, float]]:
        """Step and share of the gate exams on the grid, of one skill where it is named; one mean for each bucket and skill."""
        return sorted(
            (one.gate_step, one.gate_shares / one.gates)
            for one in self._on(grid)
            if one.gates and (not skill or one.skill == skill)
        )

    def _on(self, grid: Grid) -> list[ExamSums]:
        return [s for s in self._sums.values() if 0 <= s.number - grid.start < grid.count]


def _ratio(part: float | None, whole: float) -> float | None:
    value = part / whole if part is not None and whole > 0 else None
    return value if value is not None and math.isfinite(value) else None


def _series(found: Sequence[Stretch], grid: Grid, exams: ExamLog | None) -> dict[str, Values]:
    out: dict[str, list[float | None]] = {name: [None] * grid.count for name in SERIES}
    asked = exams.seconds_by_bucket(grid) if exams is not None else {}
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
            **_parts(one),
        }
        if exams is not None:
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


def _parts(one: Stretch) -> dict[str, float | None]:
    """The seconds of a step told apart; what windows do not tell stays together."""
    backward = None if one.forward_s is None or one.compute_s is None else max(0.0, one.compute_s - one.forward_s)
    known = {
        "both_s": one.compute_s if backward is None else None,
        "forward_s": one.forward_s,
        "backward_s": backward,
        "update_s": one.update_s,
        "data_s": one.data_s,
    }
    rest = one.active_s - math.fsum(v for v in known.values() if v is not None)
    return {name: _ratio(v, one.steps) for name, v in {"step_s": max(0.0, rest), **known}.items()}


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
        if all(series[name][place] is None for name in STEP_PARTS[1:] if name in series):
            values["step_s"] = values["train_s"]
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

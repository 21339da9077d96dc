"""The strain curve: buckets that stay put, an axis of zones, dots where the values are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from realm_tui.app.curve import Axis, plot, plot_ascii
from realm_tui.app.history import MOST_BUCKETS, History
from realm_tui.runtime.buckets import bucket_size
from tests.face.samples import RULES


def _axis(values: Sequence[float | None], rows: int = 8) -> Axis:
    return Axis.over(values, RULES.strain, rows * 4)


def test_zone_borders_lie_on_the_quarters() -> None:
    axis = _axis([1.4])
    assert [axis.border_row(band) for band in range(3)] == [6, 4, 2]
    for bound, band in ((0.1, 1), (0.3, 2), (0.5, 3)):
        assert axis.dot(bound) == axis.dots - 1 - band * 8
        assert axis.dot(bound - 1e-6) == axis.dots - band * 8
    assert axis.dot(0.0) == axis.dots - 1
    assert axis.dot(axis.top) == 0


def test_higher_strain_is_never_drawn_lower() -> None:
    axis = _axis([6.0])
    heights = [axis.dot(v / 100) for v in range(601)]
    assert heights == sorted(heights, reverse=True)


def test_unknown_and_diverged_values_are_gaps_and_do_not_wreck_the_axis() -> None:
    values = [0.2, None, math.nan, math.inf, 0.2]
    axis = _axis(values)
    assert axis.top < 2
    drawn = plot(values, axis, 3)
    columns = [{row[x] != " " for row in drawn} for x in range(3)]
    assert columns == [{True, False}, {False}, {True, False}]


def test_ascii_curve_is_ascii_and_as_wide() -> None:
    values = [0.1 * i for i in range(40)]
    drawn = plot_ascii(values, _axis(values), 20)
    assert all(len(row) == 20 and row.isascii() for row in drawn)


def test_bucket_sizes_fit_and_fill() -> None:
    for steps in range(1, 3000, 7):
        size = bucket_size(steps, 100)
        assert steps <= size * 100
    assert [bucket_size(n, 1) for n in (1, 2, 3, 4, 5, 7, 9)] == [1, 2, 3, 4, 6, 8, 12]


def test_the_history_keeps_the_mean_of_every_stretch() -> None:
    history = History()
    for step in range(1, 5001):
        history.add(step, float(step))
    curve = history.curve()
    assert len(curve.values) <= MOST_BUCKETS and curve.last == 5000
    known = [v for v in curve.values if v is not None]
    assert known == sorted(known)
    first, size, columns = curve.columns(120)
    assert first == 0 and len(columns) <= 120
    middle = columns[len(columns) // 2]
    assert middle is not None and abs(middle - (first + (len(columns) // 2 + 0.5) * size)) < size


def test_a_finished_column_never_changes_when_steps_are_added() -> None:
    history = History()
    for step in range(1, 901):
        history.add(step, math.sin(step / 50))
    _, size, before = history.curve().columns(100)
    for step in range(901, 911):
        history.add(step, 0.0)
    _, size_after, after = history.curve().columns(100)
    assert size == size_after
    assert after[: len(before) - 1] == before[:-1]


def test_a_resumed_run_draws_its_steps_anew() -> None:
    history = History()
    for step in range(1, 201):
        history.add(step, 1.0)
    history.rewind(150)
    assert history.last_recorded == 150
    history.add(151, 0.5)
    curve = history.curve()
    assert curve.last == 151 and curve.recent[-1] == 0.5 and len(curve.values) == 151


@given(st.lists(st.tuples(st.integers(1, 400), st.floats(0, 10)), min_size=1, max_size=60), st.integers(1, 300))
def test_any_history_fits_any_width(stretches: list[tuple[int, float]], width: int) -> None:
    history, step = History(), 0
    for steps, value in stretches:
        step += steps
        history.add(step, value, steps=steps)
    first, _, columns = history.curve().columns(width)
    assert 0 < len(columns) <= width and first <= step
    assert all(len(row) == width for row in plot(columns, _axis(columns), width))

"""Figures that the benchmarks print."""

from __future__ import annotations

import random

import pytest

from benchmarks.figures import paired_ratio, spread, table, written


def test_the_spread_of_many() -> None:
    assert spread(list(range(1, 101))) == {"n": 100, "min": 1, "median": 50.5, "p95": 95, "max": 100}


def test_nothing_measured_is_unknown_and_not_zero() -> None:
    assert spread([]) == {"n": 0, "min": None, "median": None, "p95": None, "max": None}
    assert paired_ratio([])["ratio"] is None


def test_a_constant_ratio_has_no_width_however_much_the_machine_drifts() -> None:
    found = paired_ratio([(1.25 * speed, speed) for speed in (3.0, 11.0, 5.0, 30.0)])
    assert found["ratio"] == found["median"] == 1.25
    assert found["interval"] == [1.25, 1.25]


def test_the_interval_covers_the_true_ratio_about_as_often_as_it_says() -> None:
    rng = random.Random(0)
    covered = 0
    for trial in range(60):
        pairs = [(0.97 * rng.lognormvariate(0, 0.05), rng.lognormvariate(0, 0.05)) for _ in range(20)]
        low, high = paired_ratio(pairs, seed=trial)["interval"]
        covered += low <= 0.97 <= high
    assert 50 <= covered <= 60


def test_two_pairs_are_too_few_for_an_interval() -> None:
    assert paired_ratio([(1.0, 2.0), (2.0, 2.0)])["interval"] is None


def test_a_table_shows_what_only_some_rows_know() -> None:
    lines: list[str] = []
    table("Doors", [{"door": "help", "s": 0.1}, {"door": "play", "never": 2}], lines.append)
    assert lines[0] == "\nDoors"
    assert [line.split() for line in lines[1:]] == [
        ["door", "s", "never"],
        ["help", "0.100", "–"],
        ["play", "–", "2"],
    ]


@pytest.mark.parametrize(
    ("value", "cell"), [(None, "–"), (0.0, "0.000"), (2e-7, "2.000e-07"), ([0.5, None], "[0.500, –]"), (7, "7")]
)
def test_cells(value: object, cell: str) -> None:
    assert written(value) == cell

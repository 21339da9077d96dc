"""Workers are killed at random; every job is done, and none counts twice."""

from __future__ import annotations

import pytest

from benchmarks.jobs import measure


@pytest.mark.full
def test_no_job_is_lost_and_none_counts_twice_whoever_is_killed() -> None:
    found = measure(count=300, workers=4, kills=12, wait_ms=60, seed=3)
    assert (found["completed"], found["lost"], found["counted twice"]) == (300, 0, 0)
    assert found["kills"] == 12 and found["under way when killed"] > 0

"""What every test may rely on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import HealthCheck, settings

# Examples that are the same every time and may take as long as a busy machine needs: a test finds what it finds, or nothing.
settings.register_profile(
    "steady", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that play a real engine come first: they are the longest, and one begun last would be waited for alone."""
    played = {one.path for one in items if one.get_closest_marker("engine") and not one.get_closest_marker("full")}
    items.sort(key=lambda one: one.path not in played)


def pytest_collection_finish() -> None:
    """What is timed is made alike for all tests."""
    # The machine's arithmetic is timed once, so that two heroes of one test always compute alike.
    placement = sys.modules.get("engine.placement")
    if placement is not None:
        for name in ("_medium", "_half_is_faster"):
            setattr(placement, name, cache(getattr(placement, name)))
    # After each key the pilot sleeps at least this long, twice, to see whether the app is at rest; it sees that in a quarter too.
    pilots = sys.modules.get("textual._wait")
    if pilots is not None:
        vars(pilots).update(SLEEP_GRANULARITY=1 / 200, SLEEP_IDLE=1 / 4000)


@pytest.fixture(autouse=True, scope="module")
def exact_products() -> Iterator[None]:
    """A module whose hero computed in coarser products leaves exact ones to the next, in whatever order they are run."""
    yield
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_float32_matmul_precision("highest")

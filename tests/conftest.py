"""What every test may rely on."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Examples that are the same every time and may take as long as a busy machine needs: a test finds what it finds, or nothing.
settings.register_profile(
    "steady", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture(autouse=True, scope="module")
def exact_products() -> Iterator[None]:
    """A module whose hero computed in coarser products leaves exact ones to the next, in whatever order they are run."""
    yield
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_float32_matmul_precision("highest")

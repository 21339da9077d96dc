"""What every test may rely on."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def exact_products() -> Iterator[None]:
    """A module whose hero computed in coarser products leaves exact ones to the next, in whatever order they are run."""
    yield
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_float32_matmul_precision("highest")

"""What running out of memory looks like, and where in a step it may be survived."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the host's allocator, had no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


class UpdateOutOfMemoryError(MemoryError):
    """Memory ran out while the weights were updated: some of them have moved, so the step cannot be tried again."""


@contextmanager
def whole_update() -> Iterator[None]:
    """Around an update of the weights: running out of memory in it is told apart from running out before it."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UpdateOutOfMemoryError(
            f"memory ran out in the middle of an update, so the hero goes on from its newest checkpoint: {error}"
        ) from error

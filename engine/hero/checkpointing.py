"""Computing activations twice, in as many blocks as memory needs and no more."""

from __future__ import annotations

from typing import Any

from torch.nn import Module

ALL = -1
"""Every block."""


def blocks_of(model: Any) -> list[Module]:
    """The decoder's blocks in order."""
    return list(model.get_decoder().layers)


def checkpoint_blocks(model: Any, count: int) -> int:
    """Keep only the inputs of ``count`` blocks (`ALL`: of all) and compute the rest again in the backward pass.

    The first blocks are taken: their activations would have to wait longest. Gradients are the same.

    Returns:
        the number of blocks that are computed twice.
    """
    blocks = blocks_of(model)
    count = len(blocks) if count == ALL else min(count, len(blocks))
    if not count:
        return 0
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})
    for block in blocks[count:]:
        for part in block.modules():
            if hasattr(part, "gradient_checkpointing"):
                setattr(part, "gradient_checkpointing", False)  # noqa: B010 - a module's attributes are typed as tensors
    return count

"""Whose state a checkpoint holds, so that none is ever taken up by another hero, method or optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from configs.errors import RealmError
from configs.schema import HeroConfig

MEANINGS = {
    "hero": "the hero",
    "method": "the method",
    "optimizer": "the optimizer",
    "model": "the model it began with",
    "averaged": "whether averaged weights are kept",
}


def identity_of(config: HeroConfig) -> dict[str, Any]:
    """What must be the same for a trainer's state to fit."""
    training, model = config.training, config.model
    return {
        "hero": config.id,
        "method": training.method,
        "optimizer": training.optimizer,
        "model": model.name or model.source,
        "averaged": training.ema_decay is not None,
    }


def check_identity(recorded: Mapping[str, Any] | None, config: HeroConfig, name: str) -> None:
    """Refuse a foreign state.

    Args:
        recorded: what `identity_of` gave when the checkpoint was made; None for one that does not say.
        config: the hero that is to go on from it.
        name: of the checkpoint.

    Raises:
        RealmError: it belongs to something else; every difference is named.
    """
    if recorded is None:
        return
    now = identity_of(config)
    foreign = [
        f"{MEANINGS[key]} was {recorded[key]}, now {now[key]}"
        for key in MEANINGS
        if key in recorded and recorded[key] != now[key]
    ]
    if foreign:
        raise RealmError(
            f"{name} holds the state of another training",
            why="; ".join(foreign),
            fix="set the hero's YAML back, or start a new save (`realm save new`)",
            code="CHECKPOINT_FOREIGN",
        )

"""Lets a challenger and the champion answer the same fresh problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from configs.errors import BlockedError
from configs.paths import SaveFolder
from engine.link.protocol import Verb
from realm_tui.runtime.gate_view import gate_view
from realm_tui.runtime.opened import opened
from realm_tui.runtime.orders import order


def duel(
    folder: SaveFolder, challenger: str | None, items: int, *, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Put the same fresh problems to challenger and champion: of every skill the hero trains, at the level it trains.

    Raises:
        BlockedError: no engine runs, or there is no champion to be held against.
        UsageError: there is no such form.
    """
    with opened(folder) as save:
        seen = gate_view(save, challenger)
        skills = tuple(save.hero.skills)
    if seen.champion is None:
        raise BlockedError(
            "there is no champion to be held against", fix="crown one (`realm promote`)", code="NO_CHAMPION"
        )
    if seen.challenger is None or seen.refused:
        raise BlockedError(
            "nobody challenges the champion",
            why=seen.refused,
            fix="save another form first (`realm checkpoint`)",
            code="NO_CHALLENGER",
        )
    pairs: list[Mapping[str, Any]] = []
    for skill in skills:
        names = {"form": seen.challenger.name, "against": seen.champion.name}
        args = {"skill": skill, "items": items, "elsewhere": False, **names}
        pairs += order(folder, Verb.EXAM, args, progress=progress).result["pairs"]
    return {"challenger": seen.challenger.name, "champion": seen.champion.name, "pairs": pairs}

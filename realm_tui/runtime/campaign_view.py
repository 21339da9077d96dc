"""All campaigns of a save, and one of them closely: its standing, milestones, next action, and what is in its way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from configs import clock
from lore.rules import rules as lore_rules
from realm_tui.runtime.campaigns import Standing, standing
from realm_tui.runtime.momentum import Momentum, momentum_of
from realm_tui.runtime.opened import OpenedSave
from saves import campaigns
from saves.milestones import milestones
from saves.rows import Campaign, Milestone

T = TypeVar("T")

MOST_MILESTONES = 400
"""Newest moments that are shown; `realm campaign show` tells all."""
_RESTS = 50.0
_RANK = {"active": 0, "paused": 1, "completed": 2, "archived": 3}


@dataclass(frozen=True, slots=True)
class CampaignView:
    """What the Campaign screen shows."""

    standings: tuple[Standing, ...]
    """The one that is played first, then those that wait, then the archived ones; the newest first among equals."""
    chosen: Standing
    seed: int
    overrides: Mapping[str, Any]
    """Its own layer of rules."""
    recipe: str | None
    """The campaign whose recipe it re-runs."""
    milestones: tuple[Milestone, ...]
    """Newest first."""
    momentum: Momentum | None
    """Of the one that is played; None for the others."""
    ghost: str | None
    """The campaign whose ghost is raced against."""


class Resting(Generic[T]):
    """Keeps what was made for as long as making it took, fifty times over, so that it takes a fiftieth of the time at most."""

    def __init__(self) -> None:
        self._kept: tuple[object, T] | None = None
        self._until = 0.0

    def get(self, key: object, make: Callable[[], T]) -> T:
        """What was made for ``key`` not long ago, else what ``make`` makes now."""
        began = clock.monotonic()
        if self._kept is not None and self._kept[0] == key and began < self._until:
            return self._kept[1]
        made = make()
        ended = clock.monotonic()
        self._kept, self._until = (key, made), ended + _RESTS * (ended - began)
        return made


class CampaignReader:
    """Reads the view again and again; a campaign that is not played does not change, so its standing is read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Standing] = {}
        self._own: Resting[Standing] = Resting()
        self._marks: Resting[list[Milestone]] = Resting()

    def forget(self) -> None:
        """Read everything again the next time."""
        self._known.clear()
        self._own, self._marks = Resting(), Resting()

    def read(self, save: OpenedSave, chosen: str | None = None) -> CampaignView:
        """The view now.

        Args:
            save: the save.
            chosen: id of the campaign to look at closely; None, or one that is gone: the one that is played.
        """
        every = campaigns.campaigns(save.conn)
        all_of_them = tuple((c.id, c.status, c.name) for c in every)
        standings = {c.id: self._standing(save, c, all_of_them) for c in every}
        one = next((c for c in every if c.id == chosen), None) or next(c for c in every if c.id == save.campaign.id)
        own = standings[one.id]
        marks = self._marks.get(
            (one.id, all_of_them),
            lambda: milestones(
                save.conn, one, level_steps=lore_rules().hero.level_steps, every=save.rules.campaign.milestone_levels
            ),
        )
        return CampaignView(
            standings=tuple(sorted(standings.values(), key=lambda s: (_RANK.get(s.status, 9), -s.created_at))),
            chosen=own,
            seed=one.seed,
            overrides=dict(one.overrides),
            recipe=str(one.recipe["campaign"]) if one.recipe.get("campaign") else None,
            milestones=tuple(marks[::-1][:MOST_MILESTONES]),
            momentum=momentum_of(save, own) if own.status == "active" else None,
            ghost=_ghost(save),
        )

    def _standing(self, save: OpenedSave, campaign: Campaign, all_of_them: object) -> Standing:
        if campaign.status == "active":
            return self._own.get((campaign.id, all_of_them), lambda: standing(save, campaign))
        key = (campaign.id, campaign.status, campaign.name)
        if key not in self._known:
            self._known[key] = standing(save, campaign)
        return self._known[key]


def _ghost(save: OpenedSave) -> str | None:
    from realm_tui.runtime.recipe import GHOST

    kept = campaigns.get_setting(save.conn, GHOST)
    return str(kept["campaign"]) if isinstance(kept, dict) and kept.get("campaign") else None

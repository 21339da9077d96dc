"""All campaigns of a save, and one of them closely: its standing, milestones, next action, and what is in its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lore.rules import rules as lore_rules
from realm_tui.runtime.campaigns import Standing, standing
from realm_tui.runtime.momentum import Momentum, momentum_of
from realm_tui.runtime.opened import OpenedSave
from saves import campaigns
from saves.milestones import milestones
from saves.rows import Campaign, Milestone

MOST_MILESTONES = 400
"""Newest moments that are shown; `realm campaign show` tells all."""
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


class CampaignReader:
    """Reads the view again and again; a campaign that is not played does not change, so its standing is read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Standing] = {}

    def forget(self) -> None:
        """Read everything again the next time."""
        self._known.clear()

    def read(self, save: OpenedSave, chosen: str | None = None) -> CampaignView:
        """The view now.

        Args:
            save: the save.
            chosen: id of the campaign to look at closely; None, or one that is gone: the one that is played.
        """
        every = campaigns.campaigns(save.conn)
        standings = {c.id: self._standing(save, c) for c in every}
        one = next((c for c in every if c.id == chosen), None) or next(c for c in every if c.id == save.campaign.id)
        marks = milestones(
            save.conn, one, level_steps=lore_rules().hero.level_steps, every=save.rules.campaign.milestone_levels
        )
        own = standings[one.id]
        ordered = sorted(standings.values(), key=lambda s: (_RANK.get(s.status, 9), -s.created_at))
        return CampaignView(
            standings=tuple(ordered),
            chosen=own,
            seed=one.seed,
            overrides=dict(one.overrides),
            recipe=str(one.recipe["campaign"]) if one.recipe.get("campaign") else None,
            milestones=tuple(marks[::-1][:MOST_MILESTONES]),
            momentum=momentum_of(save, own) if own.status == "active" else None,
            ghost=_ghost(save),
        )

    def _standing(self, save: OpenedSave, campaign: Campaign) -> Standing:
        if campaign.status == "active":
            return standing(save, campaign)
        key = (campaign.id, campaign.status, campaign.name)
        if key not in self._known:
            self._known[key] = standing(save, campaign)
        return self._known[key]


def _ghost(save: OpenedSave) -> str | None:
    from realm_tui.runtime.recipe import GHOST

    kept = campaigns.get_setting(save.conn, GHOST)
    return str(kept["campaign"]) if isinstance(kept, dict) and kept.get("campaign") else None

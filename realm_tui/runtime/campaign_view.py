"""All campaigns of a save, and one of them closely: its standing, milestones, next action, and what is in its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from lore.rules import rules as lore_rules
from realm_tui.runtime.campaigns import Line, Standing, line, standing
from realm_tui.runtime.momentum import Momentum, momentum_of
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.resting import Resting
from saves import campaigns
from saves.milestones import milestones
from saves.peaks import Peaks, peaks
from saves.rows import Campaign, Milestone

T = TypeVar("T")

MOST_MILESTONES = 400
"""Newest moments that are shown; `realm campaign show` tells all."""
LONG_STEPS = 300_000
"""A campaign beyond so many steps is shown in short at first: its history takes a while to read."""
_LOOKS = 3
"""Looks after which a long campaign is shown whole: in short, its peaks, what it adds up to, its milestones."""
_RANK = {"active": 0, "paused": 1, "completed": 2, "archived": 3}


@dataclass(frozen=True, slots=True)
class CampaignView:
    """What the Campaign screen shows."""

    lines: tuple[Line, ...]
    """The one that is played first, then those that wait, then the archived ones; the newest first among equals."""
    chosen: Line
    standing: Standing | None
    """What the chosen one's history adds up to; None: a long one that is still to be read."""
    seed: int
    overrides: Mapping[str, Any]
    """Its own layer of rules."""
    recipe: str | None
    """The campaign whose recipe it re-runs."""
    milestones: tuple[Milestone, ...] | None
    """Newest first; None: still to be read."""
    momentum: Momentum | None
    """Of the one that is played; None for the others."""
    ghost: str | None
    """The campaign whose ghost is raced against."""


class CampaignReader:
    """Reads the view again and again; a long history is not read at the first look, and not at every one after it."""

    def __init__(self) -> None:
        self._peaks: dict[str, Resting[Peaks]] = {}
        self._standings: dict[str, Resting[Standing]] = {}
        self._marks: dict[str, Resting[tuple[Milestone, ...]]] = {}
        self._looks: dict[str, int] = {}

    def forget(self) -> None:
        """Read everything again the next time."""
        for kept in (self._peaks, self._standings, self._marks, self._looks):
            kept.clear()

    def read(self, save: OpenedSave, chosen: str | None = None) -> CampaignView:
        """The view now.

        Args:
            save: the save.
            chosen: id of the campaign to look at closely; None, or one that is gone: the one that is played.
        """
        every = campaigns.campaigns(save.conn)
        lines = {c.id: line(save, c) for c in every}
        one = next((c for c in every if c.id == chosen), None) or next(c for c in every if c.id == save.campaign.id)
        own = lines[one.id]
        long = own.step - one.starting_step > LONG_STEPS
        # A long history is read in three parts, one a look: nobody else gets the save to see meanwhile.
        looked = self._looks.get(one.id, 0) if long else _LOOKS
        self._looks[one.id] = looked + 1
        peaks_of, whole = self._peaks.setdefault(one.id, Resting()), self._standings.setdefault(one.id, Resting())
        marks = self._marks.setdefault(one.id, Resting())

        def best() -> Peaks:
            return peaks_of.get(own.status, lambda: peaks(save.conn, one.id))

        if looked == 1:
            best()
        return CampaignView(
            lines=tuple(sorted(lines.values(), key=lambda s: (_RANK.get(s.status, 9), -s.created_at))),
            chosen=own,
            standing=whole.get(own.status, lambda: standing(save, one, best())) if looked >= 2 else None,
            seed=one.seed,
            overrides=dict(one.overrides),
            recipe=str(one.recipe["campaign"]) if one.recipe.get("campaign") else None,
            milestones=marks.get(own.status, lambda: _milestones(save, one, best())) if looked >= _LOOKS else None,
            momentum=momentum_of(save, own) if own.status == "active" else None,
            ghost=_ghost(save),
        )


def _milestones(save: OpenedSave, campaign: Campaign, best: Peaks) -> tuple[Milestone, ...]:
    every = save.rules.campaign.milestone_levels
    found = milestones(save.conn, campaign, level_steps=lore_rules().hero.level_steps, every=every, best=best)
    return tuple(found[::-1][:MOST_MILESTONES])


def _ghost(save: OpenedSave) -> str | None:
    from realm_tui.runtime.recipe import GHOST

    kept = campaigns.get_setting(save.conn, GHOST)
    return str(kept["campaign"]) if isinstance(kept, dict) and kept.get("campaign") else None

"""What a campaign can be laid beside: other campaigns of the save, its own runs, and a recipe that is raced against."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from realm_tui.runtime.foreign import clean
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.recipe import Ghost, ghost
from saves.campaigns import campaigns
from saves.charts import Lane
from saves.exams import level_ups
from saves.rows import Campaign
from saves.runs import runs

RECIPE = "recipe"
MOST_RUNS = 20
_TITLE = 60
"""Characters of a name that are looked at."""


@dataclass(frozen=True, slots=True)
class Rival:
    """One that can be laid over the active campaign."""

    key: str
    """``campaign-002``, ``run:7`` or ``recipe``; names it from one look to the next."""
    title: str
    """Clean and short enough for a line."""
    lane: Lane | None
    """None: a recipe's coarse curve, which came with its file."""
    shift: int = 0
    """Added to its steps, so that both begin at the same place."""
    best: bool = False
    """The personal best."""


def rivals(save: OpenedSave) -> list[Rival]:
    """Everything the active campaign can be compared with: personal best first, then campaigns, recipe, runs."""
    conn, active = save.conn, save.campaign
    others = [c for c in campaigns(conn) if c.id != active.id]
    best = personal_best(conn, active, others)
    found = [
        Rival(
            c.id,
            _title(c.name),
            Lane(c.id),
            active.starting_step - c.starting_step,
            c.id == best,
        )
        for c in sorted(others, key=lambda c: (c.id != best, c.id))
    ]
    raced = ghost(save)
    if raced is not None:
        found.append(Rival(RECIPE, _title(raced.campaign), None, active.starting_step))
    own = [r for r in runs(conn, active.id) if r.last_step is None or r.last_step > r.first_step]
    if len(own) > 1:
        found += [Rival(f"run:{r.id}", f"run {r.id}", Lane(active.id, r.id)) for r in reversed(own[-MOST_RUNS:])]
    return found


def _title(name: str) -> str:
    """A name that anybody may have chosen, as one short line."""
    return clean(name[:_TITLE]).strip() or "–"


def personal_best(conn: sqlite3.Connection, active: Campaign, others: list[Campaign]) -> str | None:
    """The campaign of the same hero that won the most levels, and among those the one that needed the fewest steps.

    None while no other campaign of that hero has won a level.
    """
    best: tuple[tuple[int, int], str] | None = None
    for other in others:
        if other.hero_id != active.hero_id:
            continue
        won = level_ups(conn, other.id)
        if not won:
            continue
        rank = (len(won), other.starting_step - won[-1].step)
        if best is None or rank > best[0]:
            best = (rank, other.id)
    return None if best is None else best[1]


def recipe_of_race(save: OpenedSave) -> Ghost | None:
    """The recipe that is raced against, with its curve; None when there is none."""
    return ghost(save)

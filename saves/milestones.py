"""Moments of a campaign worth remembering: the player's own notes, and those that follow from the facts by themselves."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Collection, Iterator

from configs import clock
from saves.connection import transaction
from saves.exams import level_ups
from saves.peaks import Peaks, peaks
from saves.rows import Campaign, Milestone, insert, read
from saves.steps import first_window, newest_windows

_PEAKS = {"train_loss": "lowest loss", "held_out_loss": "lowest held-out loss", "accuracy": "best exam"}

_AT_ONCE = 1000
"""Windows that are read at once."""


def note(conn: sqlite3.Connection, campaign_id: str, step: int, text: str, kind: str = "note") -> int:
    """Write down a moment, durably."""
    with transaction(conn, durable=True):
        return insert(conn, Milestone(campaign_id=campaign_id, step=step, kind=kind, note=text, at=clock.now()))


def milestones(
    conn: sqlite3.Connection,
    campaign: Campaign,
    *,
    level_steps: int = 1000,
    every: int = 10,
    best: Peaks | None = None,
) -> list[Milestone]:
    """Every milestone of a campaign in order of time: first step, hero levels, levels won, peaks, first champion, notes.

    Args:
        conn: the save.
        campaign: whose.
        level_steps: steps of a hero level.
        every: hero levels between two milestones.
        best: its peaks, where they are known already; None: they are looked for.
    """
    return sorted(
        [*noted(conn, campaign.id), *_from_facts(conn, campaign, level_steps * every, level_steps, best)],
        key=lambda m: (m.at, m.step),
    )


def noted(conn: sqlite3.Connection, campaign_id: str) -> list[Milestone]:
    """The moments that were written down, oldest first."""
    found = conn.execute("SELECT * FROM milestones WHERE campaign_id = ? ORDER BY id", (campaign_id,)).fetchall()
    return [read(Milestone, row) for row in found]


def _from_facts(
    conn: sqlite3.Connection, campaign: Campaign, stride: int, level_steps: int, best: Peaks | None
) -> Iterator[Milestone]:
    def moment(step: int, kind: str, text: str, at: float, **metrics: float) -> Milestone:
        return Milestone(campaign_id=campaign.id, step=step, kind=kind, note=text, metrics=metrics, at=at)

    first, newest = first_window(conn, campaign.id), newest_windows(conn, campaign.id, 1)
    if first is None or not newest:
        return
    best = best or peaks(conn, campaign.id)
    levels = range(campaign.starting_step + stride, newest[0].last_step + 1, stride)
    times = _times_of(conn, campaign.id, {first.first_step, *levels, *best.steps.values()})
    yield moment(first.first_step, "first_step", "the first step", times[first.first_step])
    for step in levels:
        yield moment(step, "hero_level", f"hero level {(step - campaign.starting_step) // level_steps}", times[step])
    for name, step in best.steps.items():
        value = float(getattr(best, name))
        yield moment(step, "peak", f"{_PEAKS[name]}: {value:.3f}", times[step], **{name: value})
    for won in level_ups(conn, campaign.id):
        metrics = {"steps": float(won.steps), "effort": won.effort}
        yield moment(won.step, "level_up", f"{won.skill} level {won.to_level} won", won.at, **metrics)
    row = conn.execute(
        """SELECT c.step, h.at, c.name FROM champions h JOIN checkpoints c ON c.id = h.checkpoint_id
           WHERE c.campaign_id = ? ORDER BY h.id LIMIT 1""",
        (campaign.id,),
    ).fetchone()
    if row is not None:
        yield moment(row["step"], "champion", f"the first champion: {row['name']}", row["at"])


def _times_of(conn: sqlite3.Connection, campaign_id: str, steps: Collection[int]) -> dict[int, float]:
    """When live steps were done; within a window, its end. One pass over the windows, however many steps are asked for."""
    wanted = sorted(steps)
    found: dict[int, float] = {}
    rows = conn.cursor()
    rows.row_factory = None
    rows.execute(
        "SELECT last_step, last_at FROM live_step_windows WHERE run_campaign_id = ? ORDER BY last_step", (campaign_id,)
    )
    next_one = 0
    while next_one < len(wanted) and (some := rows.fetchmany(_AT_ONCE)):
        while next_one < len(wanted) and wanted[next_one] <= some[-1][0]:
            found[wanted[next_one]] = float(some[bisect_left(some, (wanted[next_one],))][1])
            next_one += 1
    return found | dict.fromkeys(wanted[next_one:], 0.0)

"""Moments of a campaign worth remembering: the player's own notes, and those that follow from the facts by themselves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from configs import clock
from saves.connection import transaction
from saves.exams import level_ups
from saves.rows import Campaign, Milestone, insert, read
from saves.steps import live_sums

HERO_LEVEL_STEPS = 1000
EVERY_HERO_LEVELS = 10


def note(conn: sqlite3.Connection, campaign_id: str, step: int, text: str, kind: str = "note") -> int:
    """Write down a moment, durably."""
    with transaction(conn, durable=True):
        return insert(conn, Milestone(campaign_id=campaign_id, step=step, kind=kind, note=text, at=clock.now()))


def milestones(conn: sqlite3.Connection, campaign: Campaign) -> list[Milestone]:
    """Every milestone of a campaign in order of time: first step, every ten hero levels, levels won, first champion, notes."""
    written = conn.execute("SELECT * FROM milestones WHERE campaign_id = ? ORDER BY id", (campaign.id,)).fetchall()
    found = [read(Milestone, row) for row in written]
    return sorted([*found, *_from_facts(conn, campaign)], key=lambda m: (m.at, m.step))


def _from_facts(conn: sqlite3.Connection, campaign: Campaign) -> Iterator[Milestone]:
    def moment(step: int, kind: str, text: str, at: float, **metrics: float) -> Milestone:
        return Milestone(campaign_id=campaign.id, step=step, kind=kind, note=text, metrics=metrics, at=at)

    sums = live_sums(conn, campaign.id)
    if sums.first_step is None or sums.last_step is None:
        return
    yield moment(sums.first_step, "first_step", "the first step", _time_of(conn, campaign.id, sums.first_step))
    done = (sums.last_step - campaign.starting_step) // HERO_LEVEL_STEPS
    for level in range(EVERY_HERO_LEVELS, done + 1, EVERY_HERO_LEVELS):
        step = campaign.starting_step + level * HERO_LEVEL_STEPS
        yield moment(step, "hero_level", f"hero level {level}", _time_of(conn, campaign.id, step))
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


def _time_of(conn: sqlite3.Connection, campaign_id: str, step: int) -> float:
    """When a live step was done; within a window, its end."""
    row = conn.execute(
        """SELECT last_at FROM live_step_windows WHERE run_campaign_id = ? AND last_step >= ?
           ORDER BY last_step LIMIT 1""",
        (campaign_id, step),
    ).fetchone()
    return float(row["last_at"]) if row is not None else 0.0

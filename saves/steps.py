"""Windows of steps: the sums that history, effort and XP are made of."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from saves.connection import transaction
from saves.rows import StepWindow, insert, read


@dataclass(frozen=True, slots=True)
class StepSums:
    """What a set of windows adds up to."""

    windows: int
    steps: int
    loss_sum: float
    loss_min: float | None
    strain_sum: float
    """The effort spent."""
    zone_recovery: int
    zone_productive: int
    zone_stretch: int
    zone_overload: int
    zone_unknown: int
    new_bests: int
    misses: int
    nonfinite: int
    longest_streak: int
    tokens: int
    trained_tokens: int
    examples: int
    active_s: float
    first_step: int | None
    last_step: int | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a campaign."""

    live: StepSums
    """What counts: steps not left behind by a resume."""
    lifetime: StepSums
    """Everything that was ever trained, repeated steps included."""


_SUMS = """count(*) AS windows, coalesce(sum(steps), 0) AS steps, coalesce(sum(loss_sum), 0.0) AS loss_sum,
    min(loss_min) AS loss_min, coalesce(sum(strain_sum), 0.0) AS strain_sum,
    coalesce(sum(zone_recovery), 0) AS zone_recovery, coalesce(sum(zone_productive), 0) AS zone_productive,
    coalesce(sum(zone_stretch), 0) AS zone_stretch, coalesce(sum(zone_overload), 0) AS zone_overload,
    coalesce(sum(zone_unknown), 0) AS zone_unknown, coalesce(sum(new_bests), 0) AS new_bests,
    coalesce(sum(misses), 0) AS misses, coalesce(sum(nonfinite), 0) AS nonfinite,
    coalesce(max(longest_streak), 0) AS longest_streak, coalesce(sum(tokens), 0) AS tokens,
    coalesce(sum(trained_tokens), 0) AS trained_tokens, coalesce(sum(examples), 0) AS examples,
    coalesce(sum(active_s), 0.0) AS active_s, min(w.first_step) AS first_step, max(w.last_step) AS last_step"""


def add_window(conn: sqlite3.Connection, window: StepWindow) -> None:
    """Write one window. The trainer ends a window at every checkpoint, so that a resume never cuts one in two."""
    with transaction(conn):
        insert(conn, window)


# Runs first: a later run's live windows all lie beyond those of the runs before it, so this is the order of steps, and
# both keys deliver it without sorting.
_LIVE = """FROM runs r CROSS JOIN step_windows w ON w.run_id = r.id
    WHERE r.campaign_id = ? AND w.last_step <= coalesce(r.superseded_after, w.last_step)"""

# What is new is found by its time: of a long history it is little.
_LIVE_SINCE = """FROM step_windows w INDEXED BY windows_by_time CROSS JOIN runs r ON r.id = w.run_id
    WHERE r.campaign_id = ? AND w.last_step <= coalesce(r.superseded_after, w.last_step) AND w.last_at > ?"""


def windows(
    conn: sqlite3.Connection, campaign_id: str, limit: int | None = None, *, since: float = 0.0
) -> list[StepWindow]:
    """Live windows in order of steps, the newest ``limit`` of those that ended after ``since``; oldest first."""
    live, most = (_LIVE_SINCE, (since,)) if since > 0 else (_LIVE, ())
    found = conn.execute(
        f"SELECT w.* {live} ORDER BY r.id DESC, w.first_step DESC LIMIT ?",
        (campaign_id, *most, -1 if limit is None else limit),
    ).fetchall()
    return [read(StepWindow, row) for row in reversed(found)]


def effort(conn: sqlite3.Connection, campaign_id: str) -> float:
    """Strain of all live steps together."""
    row = conn.execute(f"SELECT coalesce(sum(w.strain_sum), 0.0) {_LIVE}", (campaign_id,)).fetchone()
    return float(row[0])


def first_window(conn: sqlite3.Connection, campaign_id: str) -> StepWindow | None:
    """The first live window of a campaign; None before the first steps were written."""
    row = conn.execute(f"SELECT w.* {_LIVE} ORDER BY r.id, w.first_step LIMIT 1", (campaign_id,)).fetchone()
    return None if row is None else read(StepWindow, row)


def live_sums(conn: sqlite3.Connection, campaign_id: str, *, since: float = 0.0) -> StepSums:
    """What counts of a campaign, in windows that ended after ``since``; 0 steps where nothing was trained."""
    live, after = (_LIVE_SINCE, (since,)) if since > 0 else (_LIVE, ())
    row = conn.execute(f"SELECT {_SUMS} {live}", (campaign_id, *after)).fetchone()
    return StepSums(**dict(row))


def trained_tokens(conn: sqlite3.Connection, campaign_id: str, first_step: int, last_step: int) -> int:
    """Tokens trained on in live windows that lie between two steps, both included."""
    row = conn.execute(
        f"SELECT coalesce(sum(w.trained_tokens), 0) {_LIVE} AND w.first_step >= ? AND w.last_step <= ?",
        (campaign_id, first_step, last_step),
    ).fetchone()
    return int(row[0])


def totals(conn: sqlite3.Connection, campaign_id: str) -> Totals:
    """The sums of a campaign, what counts and all that was ever trained."""
    live = live_sums(conn, campaign_id)
    left = conn.execute(
        "SELECT 1 FROM runs WHERE campaign_id = ? AND superseded_after IS NOT NULL LIMIT 1", (campaign_id,)
    ).fetchone()
    if left is None:
        return Totals(live, live)
    lifetime = conn.execute(
        f"SELECT {_SUMS} FROM runs r CROSS JOIN step_windows w ON w.run_id = r.id WHERE r.campaign_id = ?",
        (campaign_id,),
    ).fetchone()
    return Totals(live, StepSums(**dict(lifetime)))


def newest_windows(conn: sqlite3.Connection, campaign_id: str, count: int) -> list[StepWindow]:
    """The newest ``count`` live windows of a campaign, oldest first."""
    found: list[StepWindow] = []
    for run, left in conn.execute(
        "SELECT id, superseded_after FROM runs WHERE campaign_id = ? ORDER BY id DESC", (campaign_id,)
    ).fetchall():
        rows = conn.execute(
            """SELECT * FROM step_windows WHERE run_id = ? AND (? IS NULL OR first_step <= ?)
               ORDER BY first_step DESC LIMIT ?""",
            (run, left, left, count + 1),
        ).fetchall()
        found += [w for w in (read(StepWindow, row) for row in rows) if left is None or w.last_step <= left]
        if len(found) >= count:
            break
    return found[:count][::-1]

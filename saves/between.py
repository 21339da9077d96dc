"""The rows of a campaign between two moments, newest first and as many as are asked for: what a story is told from."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TypeVar

from saves.rows import (
    Champion,
    Checkpoint,
    Decision,
    Drift,
    Exam,
    Hold,
    Incident,
    JournalEntry,
    LevelUp,
    Milestone,
    Quest,
    QuestAttempt,
    Row,
    Run,
    Sparring,
    StepWindow,
    Trial,
    read,
)

R = TypeVar("R", bound=Row)

FOREVER = 1e18
"""A moment after every other."""

# The rows of a stretch of a long history by a key of their own. Otherwise the newest come by their ids: the plus keeps the
# condition on the time from choosing another way.
_BY_TIME: dict[type[Row], str] = {
    StepWindow: """(t.run_id, t.first_step) IN
        (SELECT run_id, first_step FROM step_windows WHERE last_at > :a AND last_at <= :b)""",
    Exam: "t.id IN (SELECT id FROM exams WHERE at > :a AND at <= :b)",
    Hold: "t.id IN (SELECT id FROM holds WHERE at > :a AND at <= :b)",
}


@dataclass(slots=True)
class Between:
    """Rows later than ``since`` and not later than ``until`` (UTC seconds)."""

    since: float = 0.0
    until: float = FOREVER
    limit: int | None = None
    """Most rows of each of the large tables."""
    reached: float = 0.0
    """From this moment on nothing is missing; later than ``since`` where a limit cut something off."""
    windows: list[StepWindow] = field(default_factory=list)
    exams: list[Exam] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    level_ups: list[LevelUp] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    champions: list[Champion] = field(default_factory=list)
    attempts: list[QuestAttempt] = field(default_factory=list)
    quests: list[Quest] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    journal: list[JournalEntry] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    sparring: list[Sparring] = field(default_factory=list)
    notes: list[Milestone] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)


def rows_between(
    conn: sqlite3.Connection,
    campaign_id: str,
    *,
    since: float = 0.0,
    until: float = FOREVER,
    limit: int | None = None,
    notable: bool = False,
    level_steps: int | None = None,
) -> Between:
    """Live rows of a campaign.

    Args:
        conn: the save.
        campaign_id: whose.
        since: UTC seconds; rows of this very moment are left out.
        until: UTC seconds; rows of this very moment are among them.
        limit: most rows of each of the large tables, the newest; None for all.
        notable: leave out what is only routine: checkpoints, exams that are not of the gate, levels found held, pauses, and what
            the curriculum decided in passing.
        level_steps: leave only windows in which a hero level of so many steps was reached; None for all.
    """
    found = Between(since, until, limit, since)
    span = {"c": campaign_id, "a": since, "b": until}

    def live(cls: type[R], where: str = "1", *, large: bool = False, time: str = "at") -> list[R]:
        cut = limit if large else None
        if since > 0:
            where = f"({where}) AND {_BY_TIME.get(cls, '1')}"
        key = {StepWindow: "last_step", JournalEntry: "seq"}.get(cls, "id")
        rows = conn.execute(
            f"""SELECT t.* FROM {_source(cls)} AND ({where}) AND (+{time} > :a AND +{time} <= :b)
                ORDER BY t.{key} DESC LIMIT :n""",
            {**span, "n": -1 if cut is None else cut},
        ).fetchall()
        if cut is not None and len(rows) == cut:
            found.reached = max(found.reached, min(row[time.removeprefix("t.")] for row in rows))
        return [read(cls, row) for row in rows]

    crossing = "1" if level_steps is None else f"(t.first_step - 1) / {level_steps:d} < t.last_step / {level_steps:d}"
    found.windows = live(StepWindow, crossing, large=True, time="t.last_at")[::-1]
    found.exams = live(Exam, "t.kind = 'gate'" if notable else "1", large=True, time="t.at")
    found.holds = live(Hold, "t.lost" if notable else "1", large=True, time="t.at")
    found.level_ups = live(LevelUp, time="t.at")
    found.checkpoints = [] if notable else live(Checkpoint, large=True, time="t.at")
    found.journal = (
        [] if notable else live(JournalEntry, "t.verb IN ('pause', 'park', 'resume')", large=True, time="t.at")
    )
    found.trials = live(Trial, time="t.at")
    found.drifts = live(Drift, "t.severity <> 'none'", large=True, time="t.at")
    found.sparring = live(Sparring, time="t.at")
    passing = "t.kind NOT IN ('strategy', 'drill', 'remedy')"
    found.decisions = live(Decision, passing if notable else "1", large=True, time="t.at")
    found.attempts = live(QuestAttempt, time="max(t.started_at, coalesce(t.ended_at, t.started_at))")
    found.attempts += live(QuestAttempt, "t.ended_at > :b", time="t.started_at")
    _small(conn, span, found)
    return found


def _source(cls: type[Row]) -> str:
    """Where the live rows of a campaign stand. What was ordered or sparred stays told, whatever was left behind later."""
    if cls in (JournalEntry, Sparring):
        return f"{cls.table} t JOIN runs r ON r.id = t.run_id WHERE r.campaign_id = :c"
    return f"live_{cls.table} t WHERE t.run_campaign_id = :c"


def _small(conn: sqlite3.Connection, span: dict[str, object], found: Between) -> None:
    """The tables that stay small, and what the others refer to."""

    def some(cls: type[R], query: str) -> list[R]:
        return [read(cls, row) for row in conn.execute(query, span).fetchall()]

    found.runs = some(
        Run,
        """SELECT * FROM runs WHERE campaign_id = :c AND ((started_at > :a AND started_at <= :b)
           OR (ended_at > :a AND ended_at <= :b)) ORDER BY id""",
    )
    found.incidents = some(
        Incident,
        """SELECT * FROM incidents WHERE ((at > :a AND at <= :b) OR (last_at > :a AND last_at <= :b)
           OR (resolved_at > :a AND resolved_at <= :b))
           AND (run_id IS NULL OR run_id IN (SELECT id FROM runs WHERE campaign_id = :c)) ORDER BY id""",
    )
    found.champions = some(
        Champion,
        """SELECT h.* FROM champions h JOIN checkpoints c ON c.id = h.checkpoint_id WHERE c.campaign_id = :c
           AND ((h.at > :a AND h.at <= :b) OR (h.retired_at > :a AND h.retired_at <= :b)) ORDER BY h.id""",
    )
    found.notes = some(
        Milestone, "SELECT * FROM milestones WHERE campaign_id = :c AND at > :a AND at <= :b ORDER BY id"
    )
    known = {c.id for c in found.checkpoints}
    for champion in found.champions:
        if champion.checkpoint_id not in known:
            row = conn.execute("SELECT * FROM checkpoints WHERE id = ?", (champion.checkpoint_id,)).fetchone()
            found.checkpoints.append(read(Checkpoint, row))
            known.add(champion.checkpoint_id)
    wanted = {a.quest_id for a in found.attempts}
    found.quests = [
        quest
        for quest in some(Quest, "SELECT * FROM quest_states")
        if quest.id in wanted or float(str(span["a"])) < quest.created_at <= float(str(span["b"]))
    ]
    asked = {e.id for e in found.exams}
    for champion in found.champions:
        if champion.exam_id is not None and champion.exam_id not in asked:
            row = conn.execute("SELECT * FROM exams WHERE id = ?", (champion.exam_id,)).fetchone()
            if row is not None:
                found.exams.append(read(Exam, row))
                asked.add(champion.exam_id)


@dataclass(frozen=True, slots=True)
class Day:
    """A UTC day on which something was trained."""

    day: str
    """``YYYY-MM-DD``."""
    steps: int
    active_s: float


def days(conn: sqlite3.Connection, campaign_id: str) -> list[Day]:
    """The days of a campaign, newest first. A window belongs to the day on which it ended."""
    rows = conn.execute(
        """SELECT date(w.last_at, 'unixepoch') AS day, sum(w.steps) AS steps, sum(w.active_s) AS active_s
           FROM live_step_windows w WHERE w.run_campaign_id = ? GROUP BY day ORDER BY day DESC""",
        (campaign_id,),
    ).fetchall()
    return [Day(**dict(row)) for row in rows]


@dataclass(frozen=True, slots=True)
class Stand:
    """How far a campaign was at a moment."""

    step: int
    mastered: dict[str, int]
    """Level won, by skill."""


def stand_at(conn: sqlite3.Connection, campaign_id: str, at: float) -> Stand:
    """How far a campaign was at ``at`` (UTC seconds), as its live facts tell it now."""
    row = conn.execute(
        """SELECT coalesce(max(w.last_step), (SELECT starting_step FROM campaigns WHERE id = :c)) AS step
           FROM live_step_windows w WHERE w.run_campaign_id = :c AND w.last_at <= :t""",
        {"c": campaign_id, "t": at},
    ).fetchone()
    levels = conn.execute(
        """SELECT skill, max(to_level) AS level FROM live_level_ups WHERE run_campaign_id = ? AND at <= ? GROUP BY skill""",
        (campaign_id, at),
    ).fetchall()
    return Stand(int(row["step"] or 0), {r["skill"]: r["level"] for r in levels})

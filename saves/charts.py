"""History in stretches of equal length, summed by the database: what charts are drawn from.

A chart of ten million steps is a thousand stretches. A stretch holds the windows that end in it, so its sums are exact
however coarse history has become; every query finds its rows by key.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Lane:
    """Whose steps are meant."""

    campaign_id: str
    run_id: int | None = None
    """One run with everything it did, left behind or not; None: the way of the campaign that counts."""


@dataclass(frozen=True, slots=True)
class Only:
    """What trained in the steps that are meant; empty fields leave all in."""

    skill: str = ""
    quests: bool = False
    """Only the player's own files."""


ALL = Only()


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the windows of one run that end in one stretch add up to."""

    run_id: int
    number: int
    """Stretch ``n`` of size ``s`` holds the steps ``n·s + 1`` to ``(n + 1)·s``."""
    first_step: int
    """May lie before the stretch, where history was merged."""
    last_step: int
    steps: int
    finite: int
    loss_sum: float
    loss_min: float | None
    judged: int
    """Steps whose strain is known."""
    strain_sum: float
    recovery: int
    productive: int
    stretch: int
    overload: int
    grad_norm_sum: float
    grad_norm_max: float | None
    rate_sum: float | None
    """Learning rate times steps."""
    tokens: int
    trained_tokens: int
    active_s: float
    first_at: float
    last_at: float
    data_s: float | None
    """Seconds of `active_s` known to have gone into the data; None where no window knows, as with the next ones."""
    compute_s: float | None
    forward_s: float | None
    """A part of `compute_s`."""
    update_s: float | None


@dataclass(frozen=True, slots=True)
class ExamSums:
    """What the exams of one skill in one stretch add up to."""

    number: int
    """Of the stretch, as in `Stretch`."""
    skill: str
    first_step: int
    seconds: float
    gates: int
    """Gate exams with items among them."""
    gate_step: int
    """Of the newest gate exam; 0 where there is none."""
    gate_shares: float
    """Sum of their correct shares."""

    def plus(self, other: ExamSums) -> ExamSums:
        """Both together; they are of the same stretch and skill."""
        return ExamSums(
            self.number,
            self.skill,
            min(self.first_step, other.first_step),
            self.seconds + other.seconds,
            self.gates + other.gates,
            max(self.gate_step, other.gate_step),
            self.gate_shares + other.gate_shares,
        )


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out loss of a player's quest, where it was measured."""

    attempt_id: int
    step: int
    loss: float


_SUMS = """w.run_id, (w.last_step - 1) / :size AS number, min(w.first_step), max(w.last_step), sum(w.steps),
    sum(w.steps - w.nonfinite), sum(w.loss_sum), min(w.loss_min),
    sum(w.zone_recovery + w.zone_productive + w.zone_stretch + w.zone_overload), sum(w.strain_sum), sum(w.zone_recovery),
    sum(w.zone_productive), sum(w.zone_stretch), sum(w.zone_overload), sum(w.grad_norm_sum), max(w.grad_norm_max),
    sum(w.learning_rate * w.steps), sum(w.tokens), sum(w.trained_tokens), sum(w.active_s), min(w.first_at),
    max(w.last_at), sum(w.data_s), sum(w.compute_s), sum(w.forward_s), sum(w.update_s)"""


def stretches(
    conn: sqlite3.Connection, lane: Lane, first: int, last: int, size: int, only: Only = ALL, *, whole: bool = False
) -> list[Stretch]:
    """The stretches of ``size`` steps with windows that overlap the steps ``first`` to ``last``, in order of steps.

    Args:
        conn: the save.
        lane: whose windows.
        first: first step that is meant.
        last: last step that is meant.
        size: steps in a stretch.
        only: what trained.
        whole: take only windows that end within the steps, so that neighbouring ranges count each window once.
    """
    where, values = _lane(lane, "w.last_step")
    if whole:
        where += " AND w.last_step <= :last"
    if only.skill:
        where += " AND w.skill = :skill"
    if only.quests:
        where += " AND w.quest_attempt_id IS NOT NULL"
    rows = conn.execute(
        f"""SELECT {_SUMS} FROM runs r CROSS JOIN step_windows w ON w.run_id = r.id
            WHERE {where} AND w.last_step >= :first AND w.first_step <= :last
                AND w.first_step >= coalesce((SELECT max(b.first_step) FROM step_windows b
                    WHERE b.run_id = r.id AND b.first_step <= :first), :first)
            GROUP BY w.run_id, number ORDER BY w.run_id, number""",
        values | {"size": size, "first": first, "last": last, "skill": only.skill},
    )
    return [Stretch(*row) for row in rows.fetchall()]


def reach(conn: sqlite3.Connection, lane: Lane) -> tuple[int, int] | None:
    """The first and the last step of a lane's history; None before anything was written."""
    where, values = _lane(lane, "w.last_step")
    ends = []
    for order in ("ASC", "DESC"):
        row = conn.execute(
            f"""SELECT w.first_step, w.last_step FROM runs r CROSS JOIN step_windows w ON w.run_id = r.id
                WHERE {where} ORDER BY r.id {order}, w.first_step {order} LIMIT 1""",
            values,
        ).fetchone()
        if row is None:
            return None
        ends.append(row)
    return int(ends[0][0]), int(ends[1][1])


def trained(conn: sqlite3.Connection, lane: Lane) -> tuple[list[str], bool]:
    """The skills that exams and forged quests of a lane name, and whether a player's own file was trained."""
    where, values = _lane(lane, "t.first_step")
    found = conn.execute(
        f"SELECT DISTINCT t.skill FROM forged_quests t JOIN runs r ON r.id = t.run_id WHERE {where} ORDER BY 1", values
    )
    own = conn.execute(
        f"SELECT 1 FROM quest_attempts t JOIN runs r ON r.id = t.run_id WHERE {where} LIMIT 1", values
    ).fetchone()
    return [row[0] for row in found.fetchall()], own is not None


def newest_exam(conn: sqlite3.Connection) -> int:
    """The highest id of an exam in the save; 0 while there is none."""
    return int(conn.execute("SELECT coalesce(max(id), 0) FROM exams").fetchone()[0])


def exam_sums(conn: sqlite3.Connection, lane: Lane, after: int, upto: int, size: int) -> list[ExamSums]:
    """A lane's exams with ids above ``after`` up to ``upto``, by stretches of ``size`` steps and by skill."""
    where, values = _lane(lane, "t.step")
    gate = "t.kind = 'gate' AND t.items > 0"
    rows = conn.execute(
        f"""SELECT (max(1, t.step) - 1) / :size AS number, t.skill, min(t.step), sum(t.duration_s), sum({gate}),
                max(CASE WHEN {gate} THEN t.step ELSE 0 END),
                sum(CASE WHEN {gate} THEN 1.0 * t.correct / t.items ELSE 0.0 END)
            FROM exams t JOIN runs r ON r.id = t.run_id
            WHERE t.id > :after AND t.id <= :upto AND {where} GROUP BY number, t.skill""",
        values | {"after": after, "upto": upto, "size": size},
    )
    return [ExamSums(*row) for row in rows.fetchall()]


def held_out(conn: sqlite3.Connection, lane: Lane) -> list[HeldOut]:
    """Held-out losses before and after the player's quests of a lane, in order of steps."""
    where, values = _lane(lane, "t.first_step")
    rows = conn.execute(
        f"""SELECT t.id, t.first_step, t.loss_before, t.last_step, t.loss_after
            FROM quest_attempts t JOIN runs r ON r.id = t.run_id WHERE {where} ORDER BY t.id""",
        values,
    )
    found = []
    for ident, first, before, last, after in rows.fetchall():
        if before is not None:
            found.append(HeldOut(ident, first, before))
        if after is not None and last is not None:
            found.append(HeldOut(ident, last, after))
    return sorted(found, key=lambda h: (h.step, h.attempt_id))


def checkpoint_steps(conn: sqlite3.Connection, lane: Lane) -> list[int]:
    """Steps at which a form of a lane was saved, also where it was deleted since."""
    where, values = _lane(lane, "t.step")
    rows = conn.execute(
        f"SELECT DISTINCT t.step FROM checkpoints t JOIN runs r ON r.id = t.run_id WHERE {where} ORDER BY 1", values
    )
    return [row[0] for row in rows.fetchall()]


def way(conn: sqlite3.Connection, campaign_id: str) -> tuple[tuple[int, int, int | None], ...]:
    """Each run of a campaign with its first step and how far it counts; differs after every resume and return."""
    rows = conn.execute(
        "SELECT id, first_step, superseded_after FROM runs WHERE campaign_id = ? ORDER BY id", (campaign_id,)
    )
    return tuple((row[0], row[1], row[2]) for row in rows.fetchall())


def _lane(lane: Lane, step: str) -> tuple[str, dict[str, Any]]:
    """The condition on runs ``r`` and on a fact's ``step``, with its values."""
    if lane.run_id is not None:
        return "r.id = :run AND r.campaign_id = :campaign", {"run": lane.run_id, "campaign": lane.campaign_id}
    return f"r.campaign_id = :campaign AND {step} <= coalesce(r.superseded_after, {step})", {
        "campaign": lane.campaign_id
    }

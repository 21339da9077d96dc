"""The facts of a campaign in one order, read lean: what the game is folded from."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Any, TypeVar

from saves.exams import OWN

F = TypeVar("F")

# What counts of a run: steps that no resume left behind.
_LIVE = "r.campaign_id = :campaign AND t.{step} <= coalesce(r.superseded_after, t.{step})"

QUERIES: dict[str, tuple[str, str]] = {
    "step_windows": (
        """SELECT t.run_id, t.first_step, t.last_step, t.last_at, t.active_s, t.skill, t.steps, t.strain_sum,
            t.zone_recovery, t.zone_productive, t.zone_stretch, t.zone_overload, t.zone_unknown, t.new_bests, t.misses,
            t.nonfinite, t.longest_streak, t.trained_tokens
           FROM runs r CROSS JOIN step_windows t ON t.run_id = r.id AND t.first_step > :after""",
        "last_step",
    ),
    "exams": (
        """SELECT t.id, t.run_id, t.step, t.skill, t.level, t.kind, t.items, t.correct, t.sequence,
            t.primitives_json, t.format_failures, t.at
           FROM exams t CROSS JOIN runs r ON r.id = t.run_id""",
        "step",
    ),
    "holds": (
        """SELECT t.id, t.run_id, t.step, t.skill, t.level, t.lost, t.at
           FROM holds t CROSS JOIN runs r ON r.id = t.run_id""",
        "step",
    ),
    "drifts": (
        """SELECT t.id, t.run_id, t.step, t.skill, t.level, t.baseline, t.share, t.severity, t.at
           FROM drifts t CROSS JOIN runs r ON r.id = t.run_id""",
        "step",
    ),
    "trials": (
        """SELECT t.id, t.run_id, t.step, t.discipline, t.level, t.items, t.correct, t.threshold, t.passed, t.at
           FROM trials t CROSS JOIN runs r ON r.id = t.run_id""",
        "step",
    ),
    "level_ups": (
        """SELECT t.id, t.run_id, t.step, t.skill, t.from_level, t.to_level, t.steps, t.effort, t.start_loss, t.end_loss,
            t.at FROM level_ups t CROSS JOIN runs r ON r.id = t.run_id""",
        "step",
    ),
    "quest_attempts": (
        """SELECT t.id, t.run_id, t.last_step, t.quest_id, t.state, t.loss_before, t.loss_after, t.examples_done,
            (SELECT coalesce(json_extract(c.facts_json, '$.loss_ema'), json_extract(c.facts_json, '$.train_loss'))
             FROM checkpoints c WHERE c.run_id = t.run_id AND c.step = t.last_step ORDER BY c.id LIMIT 1), t.ended_at
           FROM quest_attempts t CROSS JOIN runs r ON r.id = t.run_id""",
        "last_step",
    ),
    "checkpoints": (
        "SELECT t.id, t.run_id, t.step, t.at FROM checkpoints t CROSS JOIN runs r ON r.id = t.run_id",
        "step",
    ),
}
"""By table the columns in the order of its fact in `lore.fold`, and the column that is its step."""
_ONLY = {
    "exams": f" AND t.checkpoint_id IS NULL AND {OWN.format('t.')}",
    "quest_attempts": " AND t.ended_at IS NOT NULL AND t.last_step IS NOT NULL AND t.state <> 'interrupted'",
}
BY_ID = ("exams", "holds", "drifts")
"""Tables that grow with every exam: what is new among them is found by id."""

_AT_ONCE = 100
"""Rows of a table that are read at once: so few that they stay near the processor and are gone before garbage is looked for."""
_STEP = itemgetter(2)
"""The step of a fact, which every query has in the same column."""


def stream(
    conn: sqlite3.Connection,
    campaign_id: str,
    makers: Mapping[str, Callable[[tuple[Any, ...]], F]],
    *,
    after: int = -1,
    upto: int | None = None,
    ids: Mapping[str, int] | None = None,
    windows_after: int | None = None,
) -> Iterator[F]:
    """Every live fact with a step beyond ``after``, in the order of `lore.fold.order`.

    Args:
        conn: a save.
        campaign_id: whose facts.
        makers: by table what makes a fact of the columns of its query.
        after: steps up to here are left out.
        upto: steps beyond it are left out.
        ids: by table an id up to which rows need not be looked at, because all of them lie up to ``after``.
        windows_after: windows that begin up to this step are left out too; None: as ``after`` says.
    """
    known = ids or {}
    begin = after if windows_after is None else windows_after
    tables = [
        _Table(
            *(conn, campaign_id, table, rank, begin if table == "step_windows" else after, upto),
            *(known.get(table, 0) if table in BY_ID else 0, makers[table]),
        )
        for rank, table in enumerate(QUERIES)
    ]
    while tables := [table for table in tables if table.fill()]:
        # What a table brings later stands behind its last row at hand, so up to there everything is known.
        last = min(((_STEP(table.facts[-1]), table.rank) for table in tables if table.more), default=None)
        ready = [fact for table in tables for fact in table.taken(last)]
        # Each table's are in order and the tables in that of their ranks, so that facts of one step stay as they are.
        ready.sort(key=_STEP)
        yield from ready


class _Table:
    """The rows of one table as facts, some hundred at a time."""

    def __init__(
        self,
        conn: sqlite3.Connection,
        campaign_id: str,
        table: str,
        rank: int,
        after: int,
        upto: int | None,
        past_id: int,
        make: Callable[[tuple[Any, ...]], Any],
    ) -> None:
        sql, step = QUERIES[table]
        where = _LIVE.format(step=step) + f" AND t.{step} > :after" + _ONLY.get(table, "")
        if upto is not None:
            where += f" AND t.{step} <= :upto"
        if table == "step_windows":
            order = "r.id, t.first_step"
        else:
            where += " AND t.id > :past"
            order = f"t.{step}, t.id"
        self.rank, self._make = rank, make
        self._rows = conn.cursor()
        self._rows.row_factory = None
        values = {"campaign": campaign_id, "after": after, "upto": upto, "past": past_id}
        self._rows.execute(f"{sql} WHERE {where} ORDER BY {order}", values)
        self.facts: list[Any] = []
        """Those at hand, in their order."""
        self.more = True
        """Whether there may be rows that were not read yet."""

    def fill(self) -> bool:
        """Read on where nothing is at hand; whether anything is then."""
        if self.more and not self.facts:
            rows = self._rows.fetchmany(_AT_ONCE)
            self.more = len(rows) == _AT_ONCE
            self.facts = list(map(self._make, rows))
        return bool(self.facts)

    def taken(self, last: tuple[int, int] | None) -> list[Any]:
        """The facts at hand up to the last one of a step and a rank, which are given away; None: all of them."""
        if last is None:
            end = len(self.facts)
        else:
            step, rank = last
            end = (bisect_right if self.rank <= rank else bisect_left)(self.facts, step, key=_STEP)
        found, self.facts = self.facts[:end], self.facts[end:]
        return found


def newest_ids(conn: sqlite3.Connection, campaign_id: str, upto: int) -> dict[str, int]:
    """By table an id up to which every live row of the campaign has a step of at most ``upto``."""
    found = {}
    for table in BY_ID:
        row = conn.execute(
            f"SELECT min(t.id) FROM {table} t JOIN runs r ON r.id = t.run_id WHERE r.campaign_id = ? AND t.step > ?",
            (campaign_id, upto),
        ).fetchone()
        last = conn.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
        found[table] = last if row[0] is None else row[0] - 1
    return found


def settled_step(conn: sqlite3.Connection, campaign_id: str) -> int:
    """A step up to which every fact is written: that of the newest live checkpoint but one; -1 before there are two."""
    rows = conn.execute(
        """SELECT DISTINCT t.step FROM checkpoints t CROSS JOIN runs r ON r.id = t.run_id
           WHERE t.campaign_id = ? AND t.step <= coalesce(r.superseded_after, t.step) ORDER BY t.step DESC LIMIT 2""",
        (campaign_id,),
    ).fetchall()
    return int(rows[1][0]) if len(rows) == 2 else -1


def lineage(conn: sqlite3.Connection, campaign_id: str) -> list[tuple[int, int, int | None]]:
    """Every run of a campaign: id, first step, and the step after which it was left behind."""
    rows = conn.execute(
        "SELECT id, first_step, superseded_after FROM runs WHERE campaign_id = ? ORDER BY id", (campaign_id,)
    ).fetchall()
    return [(row[0], row[1], row[2]) for row in rows]


def window_straddles(conn: sqlite3.Connection, campaign_id: str, step: int) -> bool:
    """Whether a live window begins up to ``step`` and ends beyond it."""
    # Windows of a run do not overlap: of those that begin up to the step only the last can end beyond it.
    row = conn.execute(
        """SELECT 1 FROM (
               SELECT r.superseded_after AS left, (
                   SELECT w.last_step FROM step_windows w WHERE w.run_id = r.id AND w.first_step <= :step
                   ORDER BY w.first_step DESC LIMIT 1) AS last
               FROM runs r WHERE r.campaign_id = :campaign)
           WHERE last > :step AND last <= coalesce(left, last) LIMIT 1""",
        {"campaign": campaign_id, "step": step},
    ).fetchone()
    return row is not None

"""Keeps the save small for as long as it is played: old facts become sums, and folding them gives the same game.

- Step windows are merged: every counter adds up, extremes stay extremes.
- Items of exams become counts; an exam's row keeps operations, results and the sequence of its answers.
- Forged quests become a balance row per stretch of a run.
- Of the curriculum's passing decisions the newest stay; attempts and what was found of a cap stay for good.

Nothing is summed across a *boundary*: a step at which a checkpoint lies or a run began or was left. So whatever checkpoint the
campaign resumes from, each sum counts as a whole or not at all.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from configs import clock
from saves import answers
from saves.connection import transaction
from saves.decisions import PASSING
from saves.forged import BALANCE
from saves.rows import Balance, ForgedQuest, StepWindow, insert, read

if TYPE_CHECKING:
    from configs.schema import RetentionRules

T = TypeVar("T")

CHUNK = 500
"""Rows touched by one transaction, so that a face that writes never waits long."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows were folded away."""

    windows: int = 0
    exam_items: int = 0
    forged_quests: int = 0
    decisions: int = 0
    outside: int = 0
    """Exams asked outside whose questions and answers nobody needs any more."""


def prune(
    conn: sqlite3.Connection,
    campaign_id: str,
    rules: RetentionRules,
    *,
    pass_share: float = 0.80,
    held_share: float = 0.70,
) -> Pruned:
    """Fold what the rules let go of one campaign; cheap when there is nothing to do.

    Args:
        conn: a writable save, in the trainer's hands or with its lock taken.
        campaign_id: whose facts.
        rules: how much stays in full.
        pass_share: a gate exam below it failed, and its items stay.
        held_share: the same for a screening.
    """
    return Pruned(
        windows=merge_windows(conn, campaign_id, kept=rules.windows_kept, factor=rules.merge_factor),
        exam_items=drop_items(conn, campaign_id, rules.exam_items_kept, pass_share=pass_share, held_share=held_share),
        forged_quests=fold_forged(conn, campaign_id, kept=rules.forged_kept),
        decisions=drop_decisions(conn, campaign_id, kept=rules.decisions_kept),
        outside=drop_answers(conn, campaign_id),
    )


def boundaries(conn: sqlite3.Connection, campaign_id: str) -> list[int]:
    """Steps at which a resume can cut, or has cut, the campaign; sorted."""
    found = conn.execute(
        """SELECT step FROM checkpoints WHERE campaign_id = :c AND deleted_at IS NULL
           UNION SELECT first_step FROM runs WHERE campaign_id = :c
           UNION SELECT superseded_after FROM runs WHERE campaign_id = :c AND superseded_after IS NOT NULL ORDER BY 1""",
        {"c": campaign_id},
    )
    return [row[0] for row in found.fetchall()]


def _stretch(cuts: Sequence[int], first: int, last: int) -> int | None:
    """Number of the stretch between two boundaries that holds steps ``first`` to ``last``; None when they lie in two."""
    place = bisect_left(cuts, first)
    return place if place == bisect_left(cuts, last) else None


# ---------------------------------------------------------------- step windows


def merge_windows(conn: sqlite3.Connection, campaign_id: str, *, kept: int, factor: int) -> int:
    """Once there are more than ``kept`` windows, merge the older half of that, ``factor`` into one; returns how many went."""
    before = count = _count_windows(conn, campaign_id)
    while count > kept:
        cuts = boundaries(conn, campaign_id)
        rows = conn.execute(
            """SELECT w.* FROM step_windows w JOIN runs r ON r.id = w.run_id
               WHERE r.campaign_id = ? ORDER BY w.run_id, w.first_step LIMIT ?""",
            (campaign_id, count - kept // 2),
        ).fetchall()
        groups = list(_groups((read(StepWindow, row) for row in rows), cuts, factor))
        if not groups:
            break
        for chunk in _chunks(groups, max(1, CHUNK // factor)):
            with transaction(conn):
                for group in chunk:
                    conn.execute(
                        "DELETE FROM step_windows WHERE run_id = ? AND first_step BETWEEN ? AND ?",
                        (group[0].run_id, group[0].first_step, group[-1].first_step),
                    )
                    insert(conn, merged(group))
        count = _count_windows(conn, campaign_id)
    return before - count


def _count_windows(conn: sqlite3.Connection, campaign_id: str) -> int:
    row = conn.execute(
        "SELECT count(*) FROM step_windows WHERE run_id IN (SELECT id FROM runs WHERE campaign_id = ?)", (campaign_id,)
    ).fetchone()
    return int(row[0])


def _groups(windows: Iterable[StepWindow], cuts: Sequence[int], factor: int) -> Iterator[list[StepWindow]]:
    """Runs of 2 to ``factor`` neighbours that may become one."""

    def kind(w: StepWindow) -> tuple[object, ...]:
        stretch = _stretch(cuts, w.first_step, w.last_step)
        alone = w.first_step if stretch is None else None
        return w.run_id, w.skill, w.quest_attempt_id, w.floor, stretch, alone

    for _, alike in groupby(windows, kind):
        for group in _chunks(list(alike), factor):
            if len(group) > 1:
                yield group


def merged(windows: Sequence[StepWindow]) -> StepWindow:
    """Consecutive windows as one: counters add up, the last value stays the last."""
    first, last = windows[0], windows[-1]

    def least(values: Iterable[float | None]) -> float | None:
        return min((v for v in values if v is not None), default=None)

    def known(values: Iterable[float | None]) -> float | None:
        found = [v for v in values if v is not None]
        return sum(found) if found else None

    def newest(values: Iterable[float | None]) -> float | None:
        return next((v for v in reversed(list(values)) if v is not None), None)

    return replace(
        first,
        last_step=last.last_step,
        last_at=last.last_at,
        active_s=sum(w.active_s for w in windows),
        steps=sum(w.steps for w in windows),
        loss_sum=sum(w.loss_sum for w in windows),
        loss_min=least(w.loss_min for w in windows),
        loss_last=newest(w.loss_last for w in windows),
        strain_sum=sum(w.strain_sum for w in windows),
        strain_last=newest(w.strain_last for w in windows),
        zone_recovery=sum(w.zone_recovery for w in windows),
        zone_productive=sum(w.zone_productive for w in windows),
        zone_stretch=sum(w.zone_stretch for w in windows),
        zone_overload=sum(w.zone_overload for w in windows),
        zone_unknown=sum(w.zone_unknown for w in windows),
        new_bests=sum(w.new_bests for w in windows),
        misses=sum(w.misses for w in windows),
        nonfinite=sum(w.nonfinite for w in windows),
        longest_streak=max(w.longest_streak for w in windows),
        tokens=sum(w.tokens for w in windows),
        trained_tokens=sum(w.trained_tokens for w in windows),
        examples=sum(w.examples for w in windows),
        grad_norm_sum=sum(w.grad_norm_sum for w in windows),
        grad_norm_max=max((w.grad_norm_max for w in windows if w.grad_norm_max is not None), default=None),
        learning_rate=newest(w.learning_rate for w in windows),
        data_s=known(w.data_s for w in windows),
        compute_s=known(w.compute_s for w in windows),
        forward_s=known(w.forward_s for w in windows),
        update_s=known(w.update_s for w in windows),
    )


# ---------------------------------------------------------------- exam items


def drop_items(
    conn: sqlite3.Connection, campaign_id: str, kept: int, *, pass_share: float = 0.80, held_share: float = 0.70
) -> int:
    """Drop the items of exams that are neither among the newest ``kept`` of their level, nor failed, nor won a level."""
    found = conn.execute(
        """SELECT id FROM (
               SELECT e.*, row_number() OVER (PARTITION BY skill, level ORDER BY e.id DESC) AS age
               FROM exams e JOIN runs r ON r.id = e.run_id WHERE r.campaign_id = ?)
           WHERE age > ? AND NOT won_level
             AND NOT (kind = 'gate' AND correct < ? * items - 1e-9) AND NOT (kind = 'screen' AND correct < ? * items - 1e-9)
             AND EXISTS (SELECT 1 FROM exam_items i WHERE i.exam_id = id)""",
        (campaign_id, kept, pass_share, held_share),
    ).fetchall()
    dropped = 0
    for chunk in _chunks([row[0] for row in found], max(1, CHUNK // 64)):
        with transaction(conn):
            for exam_id in chunk:
                dropped += conn.execute("DELETE FROM exam_items WHERE exam_id = ?", (exam_id,)).rowcount
    return dropped


# ---------------------------------------------------------------- decisions


def drop_decisions(conn: sqlite3.Connection, campaign_id: str, *, kept: int) -> int:
    """Drop passing decisions but for the newest ``kept``; returns how many went."""
    with transaction(conn):
        return conn.execute(
            f"""DELETE FROM decisions WHERE id IN (
                   SELECT d.id FROM decisions d JOIN runs r ON r.id = d.run_id
                   WHERE r.campaign_id = ? AND d.kind IN {PASSING}
                   ORDER BY d.id DESC LIMIT -1 OFFSET ?)""",
            (campaign_id, kept),
        ).rowcount


# ---------------------------------------------------------------- exams asked outside


def drop_answers(conn: sqlite3.Connection, campaign_id: str) -> int:
    """Drop questions and answers that lie before every form from which training may go on; returns how many exams' went."""
    row = conn.execute(
        "SELECT min(step) FROM checkpoints WHERE campaign_id = ? AND deleted_at IS NULL", (campaign_id,)
    ).fetchone()
    return 0 if row[0] is None else answers.drop_old(conn, campaign_id, row[0])


# ---------------------------------------------------------------- forged quests


def fold_forged(conn: sqlite3.Connection, campaign_id: str, *, kept: int) -> int:
    """Turn forged quests that ended, but for the newest ``kept``, into balances; returns how many rows went."""
    total = conn.execute(
        "SELECT count(*) FROM forged_quests WHERE run_id IN (SELECT id FROM runs WHERE campaign_id = ?)", (campaign_id,)
    ).fetchone()[0]
    # Some are let pile up, so that balances are not rewritten for every single quest.
    if total <= kept + kept // 10:
        return 0
    cuts = boundaries(conn, campaign_id)
    rows = conn.execute(
        """SELECT f.* FROM forged_quests f JOIN runs r ON r.id = f.run_id
           WHERE r.campaign_id = ? ORDER BY f.id LIMIT ?""",
        (campaign_id, total - kept),
    ).fetchall()
    folded: dict[tuple[int, int], list[ForgedQuest]] = {}
    for quest in (read(ForgedQuest, row) for row in rows):
        if quest.state == "processing" or quest.last_step is None:
            continue
        stretch = _stretch(cuts, quest.first_step, max(quest.first_step, quest.last_step))
        if stretch is not None:
            folded.setdefault((quest.run_id, stretch), []).append(quest)
    for (run_id, stretch), quests in folded.items():
        with transaction(conn):
            _fold_stretch(conn, run_id, cuts, stretch, quests)
    return sum(map(len, folded.values()))


def _fold_stretch(
    conn: sqlite3.Connection, run_id: int, cuts: Sequence[int], stretch: int, quests: Sequence[ForgedQuest]
) -> None:
    """One balance for a stretch of a run: what was folded before, and these quests."""
    state: dict[str, Counter[str]] = {}
    for quest in quests:
        state.setdefault(quest.skill, Counter())[quest.state] += 1
    first = min(q.first_step for q in quests)
    last = max(max(q.first_step, q.last_step or 0) for q in quests)
    for row in conn.execute("SELECT * FROM balances WHERE run_id = ? AND kind = ?", (run_id, BALANCE)).fetchall():
        balance = read(Balance, row)
        if _stretch(cuts, balance.first_step, balance.last_step) == stretch:
            first, last = min(first, balance.first_step), max(last, balance.last_step)
            for skill, states in balance.state.items():
                state.setdefault(skill, Counter()).update(states)
            conn.execute("DELETE FROM balances WHERE id = ?", (balance.id,))
    counts = {skill: dict(c) for skill, c in state.items()}
    insert(conn, Balance(run_id=run_id, kind=BALANCE, first_step=first, last_step=last, state=counts, at=clock.now()))
    conn.executemany("DELETE FROM forged_quests WHERE id = ?", [(q.id,) for q in quests])


def _chunks(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]

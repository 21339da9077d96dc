"""Exams with their items, holds and level-ups: the evidence for every level."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace

from saves.connection import transaction
from saves.rows import RESULT_LETTERS, Exam, ExamItem, Hold, LevelUp, insert, read

OWN = "({0}weights IN ('live', 'ema') OR {0}id IN (SELECT exam_id FROM exam_requests WHERE exam_id IS NOT NULL))"
"""Whether the hero in training answered an exam (of no checkpoint's own): here, or by a form it had just become elsewhere."""


def add_exam(conn: sqlite3.Connection, exam: Exam, items: Sequence[ExamItem]) -> int:
    """Write an exam with one row per item, durably; ``exam.sequence`` is spelled from the items."""
    with transaction(conn, durable=True):
        exam_id = insert(conn, replace(exam, sequence=sequence(items)))
        for item in items:
            insert(conn, replace(item, exam_id=exam_id))
    return exam_id


def sequence(items: Sequence[ExamItem]) -> str:
    """The results of an exam's items in order, one letter each (`RESULT_LETTERS`)."""
    return "".join(RESULT_LETTERS[i.result] for i in sorted(items, key=lambda i: i.position))


def mark_won(conn: sqlite3.Connection, exam_ids: Sequence[int]) -> None:
    """Note that these exams won a level; their items are kept for good."""
    with transaction(conn, durable=True):
        conn.executemany("UPDATE exams SET won_level = 1 WHERE id = ?", [(i,) for i in exam_ids])


def latest_exam(
    conn: sqlite3.Connection,
    campaign_id: str,
    *,
    skill: str | None = None,
    level: int | None = None,
    kind: str | None = None,
) -> Exam | None:
    """The newest live exam, of a skill, a level or a kind where given; None when there is none."""
    found = recent_exams(conn, campaign_id, limit=1, skill=skill, level=level, kind=kind)
    return found[0] if found else None


def recent_exams(
    conn: sqlite3.Connection,
    campaign_id: str,
    *,
    limit: int | None = None,
    skill: str | None = None,
    level: int | None = None,
    kind: str | None = None,
    plan: str | None = None,
    since: float = 0.0,
) -> list[Exam]:
    """Live exams later than ``since``, newest first."""
    where: list[str] = ["run_campaign_id = ?"]
    values: list[object] = [campaign_id]
    if since > 0:
        where.append("id IN (SELECT id FROM exams WHERE at > ?)")
        values.append(since)
    for column, value in (("skill", skill), ("level", level), ("kind", kind), ("plan", plan)):
        if value is not None:
            where.append(f"{column} = ?")
            values.append(value)
    found = conn.execute(
        f"SELECT * FROM live_exams WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?",
        (*values, -1 if limit is None else limit),
    )
    return [read(Exam, row) for row in found.fetchall()]


def every_exam(conn: sqlite3.Connection, campaign_id: str) -> Iterator[sqlite3.Row]:
    """What an exam plan must know of each live exam, oldest first: who asked, where, how many, and who answered."""
    yield from conn.execute(
        """SELECT plan, kind, step, skill, mix, level, correct, items, errors, skill_version, at, weights, checkpoint_id
           FROM live_exams WHERE run_campaign_id = ? ORDER BY id""",
        (campaign_id,),
    )


def asked_primitives(conn: sqlite3.Connection, campaign_id: str, newest: int | None = None) -> Iterator[sqlite3.Row]:
    """What exams said of primitives, newest first: ``step, skill, level, skill_version, weights, own, primitives_json``.

    ``own`` is 1 where the hero in training answered, here or elsewhere.

    With ``newest`` only so many live exams are looked at; reading them whole would take several times as long.
    """
    yield from conn.execute(
        f"""SELECT step, skill, level, skill_version, weights, checkpoint_id IS NULL AND {OWN.format("")} AS own,
               primitives_json FROM live_exams
           WHERE run_campaign_id = ? ORDER BY id DESC LIMIT ?""",
        (campaign_id, -1 if newest is None else newest),
    )


def exam(conn: sqlite3.Connection, exam_id: int) -> Exam | None:
    """One exam by its id, live or not."""
    row = conn.execute("SELECT * FROM exams WHERE id = ?", (exam_id,)).fetchone()
    return None if row is None else read(Exam, row)


def exam_items(conn: sqlite3.Connection, exam_id: int) -> list[ExamItem]:
    """The questions of an exam in order; empty once they became counts."""
    found = conn.execute("SELECT * FROM exam_items WHERE exam_id = ? ORDER BY position", (exam_id,))
    return [read(ExamItem, row) for row in found.fetchall()]


def exam_answers(conn: sqlite3.Connection, exam_id: int) -> Iterator[sqlite3.Row]:
    """What was asked and answered in an exam, in order: ``prompt, answer, expected, result, correct``; nothing once it became counts."""
    yield from conn.execute(
        "SELECT prompt, answer, expected, result, correct FROM exam_items WHERE exam_id = ? ORDER BY position",
        (exam_id,),
    )


def add_hold(conn: sqlite3.Connection, hold: Hold) -> int:
    """Write the result of screening a mastered level, durably."""
    with transaction(conn, durable=True):
        return insert(conn, hold)


def holds(conn: sqlite3.Connection, campaign_id: str, skill: str) -> dict[int, Hold]:
    """The newest live screening of each mastered level that was screened."""
    # One level after the other: the newest screening of each is found by its key, however many there are.
    found = conn.execute(
        """WITH RECURSIVE levels (level) AS (
               SELECT min(level) FROM holds WHERE skill = :skill
               UNION ALL
               SELECT (SELECT min(h.level) FROM holds h WHERE h.skill = :skill AND h.level > levels.level)
               FROM levels WHERE levels.level IS NOT NULL)
           SELECT h.* FROM levels JOIN holds h ON h.id = (
               SELECT t.id FROM holds t CROSS JOIN runs r ON r.id = t.run_id
               WHERE t.skill = :skill AND t.level = levels.level AND r.campaign_id = :campaign
                   AND t.step <= coalesce(r.superseded_after, t.step)
               ORDER BY t.id DESC LIMIT 1)
           ORDER BY h.level""",
        {"campaign": campaign_id, "skill": skill},
    )
    return {row["level"]: read(Hold, row) for row in found.fetchall()}


def recent_holds(conn: sqlite3.Connection, campaign_id: str, *, since: float = 0.0) -> list[Hold]:
    """Live screenings later than ``since``, oldest first."""
    found = conn.execute(
        """SELECT * FROM live_holds WHERE run_campaign_id = ? AND id IN (SELECT id FROM holds WHERE at > ?) ORDER BY id""",
        (campaign_id, since),
    )
    return [read(Hold, row) for row in found.fetchall()]


def add_level_up(conn: sqlite3.Connection, level_up: LevelUp) -> int:
    """Write a level won together with the exams that won it, durably; its checkpoint must be in the ledger."""
    with transaction(conn, durable=True):
        mark_won(conn, level_up.exam_ids)
        return insert(conn, level_up)


def level_ups(
    conn: sqlite3.Connection, campaign_id: str, *, skill: str | None = None, since: float = 0.0
) -> list[LevelUp]:
    """Live level-ups later than ``since``, oldest first."""
    found = conn.execute(
        """SELECT * FROM live_level_ups WHERE run_campaign_id = ? AND (? IS NULL OR skill = ?) AND at > ? ORDER BY id""",
        (campaign_id, skill, skill, since),
    )
    return [read(LevelUp, row) for row in found.fetchall()]


def mastered_level(conn: sqlite3.Connection, campaign_id: str, skill: str) -> int:
    """The highest level won; 0 is none."""
    row = conn.execute(
        "SELECT max(to_level) FROM live_level_ups WHERE run_campaign_id = ? AND skill = ?", (campaign_id, skill)
    ).fetchone()
    return row[0] or 0


def lost_levels(conn: sqlite3.Connection, campaign_id: str, skill: str) -> list[int]:
    """Mastered levels whose newest screening found them lost."""
    mastered = mastered_level(conn, campaign_id, skill)
    return [level for level, hold in holds(conn, campaign_id, skill).items() if hold.lost and level <= mastered]

"""Every exam of a campaign, newest first, in as little as a list needs; one of them whole, with its items."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from realm_tui.runtime.opened import OpenedSave
from saves import exams
from saves.rows import Exam, ExamItem

MOST = 2000
"""Exams in the list; older ones are shown by `realm exam list`."""
GROUPS: dict[str, tuple[str, ...]] = {
    "all": (),
    "gate": ("gate",),
    "screenings": ("screen",),
    "plan": ("quick", "full", "backfill", "suite", "passive", "transfer"),
    "asked": ("asked", "pair", "trial"),
}
"""What the list can be narrowed to, by kinds of exam; ``all`` is every one."""


@dataclass(frozen=True, slots=True)
class PaperLine:
    """One exam in the list."""

    id: int
    step: int
    skill: str
    level: int
    kind: str
    plan: str
    items: int
    correct: int
    errors: int
    format_failures: int
    repeats: int
    apprentice: bool
    won_level: bool
    weights: str
    of_checkpoint: bool
    at: float

    @property
    def key(self) -> str:
        """Stays the same while exams are added."""
        return str(self.id)


@dataclass(frozen=True, slots=True)
class Paper:
    """One exam whole."""

    exam: Exam
    items: tuple[ExamItem, ...]
    """Empty once they became counts."""


@dataclass(frozen=True, slots=True)
class PapersView:
    """The list, and the exam that is looked at."""

    lines: tuple[PaperLine, ...]
    total: int
    """Exams of the campaign, whatever the list is narrowed to."""
    alpha: float
    """Error level of the intervals."""
    measured_share: float | None
    """Time of all exams as a share of the time of training; None before there is any."""
    budget_share: float
    """What the exam plan may take."""
    paper: Paper | None = None


def papers_view(save: OpenedSave, group: str = "all", chosen: int | None = None) -> PapersView:
    """Read the list.

    Args:
        save: whose.
        group: one of `GROUPS`.
        chosen: id of the exam that is wanted whole; None: the newest of the list.
    """
    from configs.exam_plan import load_exam_plan

    kinds = GROUPS[group]
    narrowed = f"AND kind IN ({', '.join('?' * len(kinds))})" if kinds else ""
    rows = save.conn.execute(
        f"""SELECT id, step, skill, level, kind, plan, items, correct, errors, format_failures, repeats, apprentice,
                won_level, weights, checkpoint_id IS NOT NULL AS of_checkpoint, at
            FROM live_exams WHERE run_campaign_id = ? {narrowed} ORDER BY id DESC LIMIT ?""",
        (save.campaign.id, *kinds, MOST),
    ).fetchall()
    lines = tuple(_line(row) for row in rows)
    total, exam_s = save.conn.execute(
        "SELECT count(*), sum(duration_s) FROM live_exams WHERE run_campaign_id = ?", (save.campaign.id,)
    ).fetchone()
    training_s = save.conn.execute(
        "SELECT sum(active_s) FROM live_step_windows WHERE run_campaign_id = ?", (save.campaign.id,)
    ).fetchone()[0]
    which = chosen if chosen is not None and any(one.id == chosen for one in lines) else None
    if which is None and lines:
        which = lines[0].id
    return PapersView(
        lines=lines,
        total=int(total),
        alpha=save.rules.exams.alpha,
        measured_share=float(exam_s or 0.0) / training_s if training_s else None,
        budget_share=load_exam_plan().budget.share,
        paper=_paper(save, which) if which is not None else None,
    )


def _line(row: sqlite3.Row) -> PaperLine:
    values = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a row of SQLite iterates over its values
    for name in ("apprentice", "won_level", "of_checkpoint"):
        values[name] = bool(values[name])
    return PaperLine(**values)


def _paper(save: OpenedSave, exam_id: int) -> Paper | None:
    found = exams.exam(save.conn, exam_id)
    return None if found is None else Paper(found, tuple(exams.exam_items(save.conn, exam_id)))

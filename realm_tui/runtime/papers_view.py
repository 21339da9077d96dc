"""Every exam of a campaign, newest first, in as little as a list needs; one of them whole, with its items."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from realm_tui.runtime.exam_view import PlanView, newest_step, plan_view
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
    duration_s: float

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
    complete: bool
    """Whether the list begins with the campaign's first exam; else older ones are left out."""
    alpha: float
    """Error level of the intervals."""
    measured_share: float | None
    """Time of the listed exams as a share of the training since the first of them; None where not all kinds are listed."""
    budget_share: float
    """What the exam plan may take."""
    paper: Paper | None = None
    plan: PlanView | None = None
    """The exam plan, where it was asked for."""


def papers_view(save: OpenedSave, group: str = "all", chosen: int | None = None, *, plan: bool = False) -> PapersView:
    """Read the list.

    Args:
        save: whose.
        group: one of `GROUPS`.
        chosen: id of the exam that is wanted whole; None: the newest of the list.
        plan: also how the exam plan stands.
    """
    from configs.exam_plan import load_exam_plan

    kinds = GROUPS[group]
    narrowed = f"AND kind IN ({', '.join('?' * len(kinds))})" if kinds else ""
    rows = save.conn.execute(
        f"""SELECT id, step, skill, level, kind, plan, items, correct, errors, format_failures, repeats, apprentice,
                won_level, weights, checkpoint_id IS NOT NULL AS of_checkpoint, at, duration_s
            FROM live_exams WHERE run_campaign_id = ? {narrowed} ORDER BY id DESC LIMIT ?""",
        (save.campaign.id, *kinds, MOST),
    ).fetchall()
    lines = tuple(_line(row) for row in rows)
    which = chosen if chosen is not None and any(one.id == chosen for one in lines) else None
    if which is None and lines:
        which = lines[0].id
    return PapersView(
        lines=lines,
        complete=len(lines) < MOST,
        alpha=save.rules.exams.alpha,
        measured_share=_measured(save, lines) if group == "all" and lines else None,
        budget_share=load_exam_plan().budget.share,
        paper=_paper(save, which) if which is not None else None,
        plan=plan_view(save, newest_step(save)) if plan else None,
    )


def _measured(save: OpenedSave, lines: tuple[PaperLine, ...]) -> float | None:
    """Time of the exams over that of the training since the first of them; reads no older window."""
    since = lines[-1].step if len(lines) == MOST else save.campaign.starting_step
    training_s = save.conn.execute(
        """SELECT sum(w.active_s) FROM runs r CROSS JOIN step_windows w ON w.run_id = r.id
           WHERE r.campaign_id = ? AND w.first_step > ? AND w.last_step <= coalesce(r.superseded_after, w.last_step)""",
        (save.campaign.id, since),
    ).fetchone()[0]
    return sum(one.duration_s for one in lines) / training_s if training_s else None


def _line(row: sqlite3.Row) -> PaperLine:
    values = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a row of SQLite iterates over its values
    for name in ("apprentice", "won_level", "of_checkpoint"):
        values[name] = bool(values[name])
    return PaperLine(**values)


def _paper(save: OpenedSave, exam_id: int) -> Paper | None:
    found = exams.exam(save.conn, exam_id)
    return None if found is None else Paper(found, tuple(exams.exam_items(save.conn, exam_id)))

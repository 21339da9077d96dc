"""The champion gate: a challenger held against the champion on the very same questions, what that proves, and what it costs.

Two forms meet only where both answered the same items: the same skill, level and mix from the same first index, by the same version
of the skill. Items that both got right or both got wrong say nothing about a difference; the others decide
(`engine.curriculum.pairs`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from engine.curriculum.pairs import NO_ITEMS, Paired, paired
from engine.statistics import sign_evidence
from realm_tui.runtime.ledger_view import FormView, LedgerView, ledger_view
from realm_tui.runtime.opened import OpenedSave
from saves import ledger
from saves.rows import Exam, read

if TYPE_CHECKING:
    pass

Verdict = Literal["better", "worse", "unshown", "unasked", "alone", "nobody"]
_LIVE = frozenset({"live", "ema"})
_MOST_TIMES = 64


@dataclass(frozen=True, slots=True)
class Bout:
    """One set of questions that both forms answered."""

    skill: str
    mix: str
    level: int
    champion_exam: int
    challenger_exam: int
    pair: Paired
    """The challenger against the champion."""
    seconds: float
    """What both exams took."""
    at: float


@dataclass(frozen=True, slots=True)
class Discordant:
    """An item that only one of the two got right."""

    skill: str
    level: int
    prompt: str
    expected: str
    champion: str
    challenger: str
    won: bool
    """Right by the challenger."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What asking costs."""

    asked: int
    """Questions put to both together so far."""
    seconds: float
    """What they took."""
    question_s: float | None
    """Seconds a question takes, by the newest exams; None before there is any."""
    steps_per_s: float | None
    """Steps of training in a second, over the newest windows."""

    def of(self, items: int) -> float | None:
        """Seconds that so many fresh problems would take, put to both."""
        return None if self.question_s is None else 2 * items * self.question_s

    def steps(self, seconds: float | None) -> int | None:
        """Steps the hero could take in that time."""
        return None if seconds is None or self.steps_per_s is None else round(seconds * self.steps_per_s)


@dataclass(frozen=True, slots=True)
class GateView:
    """Champion and challenger, and what is known of them."""

    champion: FormView | None
    challenger: FormView | None
    candidates: tuple[FormView, ...]
    """Whoever may challenge, the best examined first."""
    bouts: tuple[Bout, ...]
    whole: Paired
    alpha: float
    cost: Cost
    discordant: tuple[Discordant, ...]
    """Items that decide, as far as the save still keeps them; newest bouts first."""
    before: str | None
    """Who reigned before the champion, and would again after an undo."""
    refused: str
    """Why the challenger cannot be crowned; empty: it can."""

    @property
    def verdict(self) -> Verdict:
        """What is shown so far."""
        if self.challenger is None:
            return "nobody"
        if self.champion is None:
            return "alone"
        if not self.whole.items:
            return "unasked"
        found = self.whole.finding(self.alpha)
        return found if found != "no difference shown" else "unshown"

    @property
    def wanted(self) -> int | None:
        """About how many more questions would decide, if it goes on as so far; None: nothing points anywhere, or it is decided."""
        return questions_wanted(self.whole, self.alpha)

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        seconds = self.cost.of(64)
        return {
            "champion": self.champion.name if self.champion else None,
            "challenger": self.challenger.name if self.challenger else None,
            "candidates": [c.name for c in self.candidates],
            "verdict": self.verdict,
            "refused": self.refused or None,
            "whole": self.whole.as_dict(self.alpha) if self.whole.items else None,
            "bouts": [
                {
                    "skill": b.skill,
                    "mix": b.mix,
                    "level": b.level,
                    "exams": [b.champion_exam, b.challenger_exam],
                    "seconds": b.seconds,
                    **b.pair.as_dict(self.alpha),
                }
                for b in self.bouts
            ],
            "questions_wanted": self.wanted,
            "cost": {
                "asked": self.cost.asked,
                "seconds": self.cost.seconds,
                "next_64_s": seconds,
                "next_64_steps": self.cost.steps(seconds),
            },
            "undo": self.before,
        }


def questions_wanted(whole: Paired, alpha: float) -> int | None:
    """Questions beyond those asked until a difference as large as the one seen would be shown; None where there is none to see."""
    ahead, behind = max(whole.better, whole.worse), min(whole.better, whole.worse)
    if not whole.items or ahead == behind or sign_evidence(ahead, behind) >= 2.0 / alpha:
        return None
    for times in range(2, _MOST_TIMES):
        if sign_evidence(ahead * times, behind * times) >= 2.0 / alpha:
            return whole.items * (times - 1)
    return None


# ---------------------------------------------------------------- reading


def gate_view(save: OpenedSave, challenger: str | int | None = None, *, view: LedgerView | None = None) -> GateView:
    """The gate of the active campaign.

    Args:
        save: the save.
        challenger: who challenges, as `engine.trainer.promotion.find_form` knows it, or by its id; None: the best examined form
            that is not champion, else the newest.
        view: the ledger, when it was read already.

    Raises:
        UsageError: there is no such form.
    """
    conn = save.conn
    book = view if view is not None else ledger_view(save)
    mine = [f for f in book.forms if f.campaign == save.campaign.id]
    champion = next((f for f in mine if f.champion), None)
    ranked = sorted((f for f in mine if not f.champion), key=_rank, reverse=True)
    others = [f for f in ranked if champion is None or f.digest != champion.digest]
    chosen = _chosen(save, book, others or ranked, challenger)
    bouts: tuple[Bout, ...] = ()
    if champion is not None and chosen is not None and chosen.id != champion.id:
        bouts = tuple(_bouts(save, champion, chosen))
    whole = NO_ITEMS
    for bout in bouts:
        whole = whole.plus(bout.pair)
    return GateView(
        champion=champion,
        challenger=chosen,
        candidates=tuple(ranked),
        bouts=bouts,
        whole=whole,
        alpha=save.rules.exams.alpha,
        cost=_cost(save, bouts),
        discordant=tuple(_discordant(save, bouts)),
        before=_before(conn, save.campaign.id),
        refused=_refused(champion, chosen),
    )


def _rank(form: FormView) -> tuple[Any, ...]:
    """The best examined first, as `engine.trainer.promotion.best_examined` has it; then the newest."""
    exam = form.exam
    return (
        exam is not None,
        sum(form.held.values()),
        sum(form.won.values()),
        exam.accuracy if exam else 0.0,
        form.step,
    )


def _chosen(
    save: OpenedSave, book: LedgerView, ranked: Sequence[FormView], challenger: str | int | None
) -> FormView | None:
    if challenger is None:
        return ranked[0] if ranked else None
    if isinstance(challenger, int):
        return book.form(challenger) or (ranked[0] if ranked else None)
    from engine.trainer.promotion import find_form

    return book.form(find_form(save.conn, challenger).id)


def _refused(champion: FormView | None, challenger: FormView | None) -> str:
    if challenger is None:
        return "there is no form to crown yet"
    if champion is not None and champion.id == challenger.id:
        return "it reigns already"
    if champion is not None and champion.digest == challenger.digest:
        return "it has the champion's own weights"
    return ""


def _before(conn: sqlite3.Connection, campaign_id: str) -> str | None:
    reigning = ledger.champion(conn, campaign_id)
    if reigning is None:
        return None
    row = conn.execute(
        """SELECT c.name FROM champions h JOIN checkpoints c ON c.id = h.checkpoint_id
           WHERE c.campaign_id = ? AND h.id < ? AND h.checkpoint_id <> ? AND c.deleted_at IS NULL ORDER BY h.id DESC LIMIT 1""",
        (campaign_id, reigning.id, reigning.checkpoint_id),
    ).fetchone()
    return None if row is None else str(row["name"])


_Key = tuple[Any, ...]


def _bouts(save: OpenedSave, champion: FormView, challenger: FormView) -> list[Bout]:
    """Every set of questions that both answered, the newest first; of several exams of one set the newest."""
    ours, theirs = (_exams_of(save, form) for form in (challenger, champion))
    found = []
    for key, mine in ours.items():
        other = theirs.get(key)
        if other is not None:
            found.append(
                Bout(
                    skill=mine.skill,
                    mix=mine.mix,
                    level=mine.level,
                    champion_exam=other.id,
                    challenger_exam=mine.id,
                    pair=paired(other.sequence, mine.sequence),
                    seconds=mine.duration_s + other.duration_s,
                    at=max(mine.at, other.at),
                )
            )
    return sorted(found, key=lambda b: (b.at, b.challenger_exam), reverse=True)


def _exams_of(save: OpenedSave, form: FormView) -> dict[_Key, Exam]:
    """The exams that a form answered, by their questions: those asked of it, here or elsewhere, and those of the live hero at its step."""
    conn = save.conn
    asked = conn.execute(
        """SELECT * FROM exams WHERE checkpoint_id = :form OR id IN (
               SELECT exam_id FROM exam_requests WHERE checkpoint_id = :form AND state = 'entered') ORDER BY id""",
        {"form": form.id},
    ).fetchall()
    first = _first_exam_since(conn, form.at - _AROUND_S)
    live = conn.execute(
        """SELECT * FROM exams WHERE id BETWEEN ? AND ? AND run_id = ? AND step = ? AND checkpoint_id IS NULL
           ORDER BY id""",
        (first, first + _AROUND_ROWS, form.run, form.step),
    ).fetchall()
    found: dict[_Key, Exam] = {}
    for exam in (read(Exam, row) for row in (*live, *asked)):
        if exam.sequence and (exam.checkpoint_id == form.id or exam.weights in (*_LIVE, form.digest)):
            key = (exam.skill, exam.level, exam.mix, exam.first_index, len(exam.sequence), exam.skill_version)
            found[key] = exam
    return found


_AROUND_S = 3600.0
_AROUND_ROWS = 2000
"""How long before a form was saved, and among how many exams, the live hero's answers of the same step are looked for."""


def _first_exam_since(conn: sqlite3.Connection, at: float) -> int:
    """Id of the first exam later than ``at``, by halving: exams are written in order of time, and time has no index."""
    low, high = 0, conn.execute("SELECT coalesce(max(id), 0) + 1 FROM exams").fetchone()[0]
    while low < high:
        middle = (low + high) // 2
        row = conn.execute("SELECT id, at FROM exams WHERE id >= ? ORDER BY id LIMIT 1", (middle,)).fetchone()
        if row is None or row["at"] >= at:
            high = middle
        else:
            low = row["id"] + 1
    return int(low)


_SHOWN = 24


def _discordant(save: OpenedSave, bouts: Iterable[Bout]) -> Iterable[Discordant]:
    left = _SHOWN
    for bout in bouts:
        rows = save.conn.execute(
            """SELECT a.prompt, a.expected, a.answer AS champion, b.answer AS challenger, b.correct AS won
               FROM exam_items a JOIN exam_items b ON b.exam_id = ? AND b.position = a.position
                   AND b.problem_digest = a.problem_digest
               WHERE a.exam_id = ? AND a.correct <> b.correct AND a.result IS NOT NULL AND b.result IS NOT NULL
               ORDER BY a.position LIMIT ?""",
            (bout.challenger_exam, bout.champion_exam, left),
        ).fetchall()
        for row in rows:
            left -= 1
            yield Discordant(
                bout.skill,
                bout.level,
                row["prompt"],
                row["expected"],
                row["champion"] or "",
                row["challenger"] or "",
                bool(row["won"]),
            )
        if left <= 0:
            return


def _cost(save: OpenedSave, bouts: Sequence[Bout]) -> Cost:
    conn, campaign = save.conn, save.campaign.id
    asked = sum(2 * b.pair.items for b in bouts)
    spent = sum(b.seconds for b in bouts)
    if asked:
        question_s: float | None = spent / asked
    else:
        row = conn.execute(
            """SELECT sum(duration_s) AS s, sum(items) AS n FROM (
                   SELECT duration_s, items FROM live_exams WHERE run_campaign_id = ? ORDER BY id DESC LIMIT 20)""",
            (campaign,),
        ).fetchone()
        question_s = row["s"] / row["n"] if row["n"] else None
    row = conn.execute(
        """SELECT sum(steps) AS n, sum(active_s) AS s FROM (
               SELECT steps, active_s FROM live_step_windows WHERE run_campaign_id = ? ORDER BY run_id DESC, first_step DESC LIMIT 20)""",
        (campaign,),
    ).fetchone()
    return Cost(asked, spent, question_s, row["n"] / row["s"] if row["s"] else None)

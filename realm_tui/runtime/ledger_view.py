"""The ledger as a player browses it: every kept form with its figures, chosen and ordered, two of them set beside each other,
and what deleting one would mean. Nothing here changes anything."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from configs.paths import SaveFolder
from lore.figures import count, duration, number, share
from realm_tui.runtime.figures import size
from realm_tui.runtime.opened import OpenedSave, opened
from saves import campaigns, ledger
from saves.rows import Checkpoint

Order = Literal["step", "time", "size", "exam"]
ORDERS: tuple[Order, ...] = ("step", "time", "size", "exam")


@dataclass(frozen=True, slots=True)
class ExamFacts:
    """The exam that a form itself sat."""

    id: int
    skill: str
    level: int
    correct: int
    items: int

    @property
    def accuracy(self) -> float:
        """Share of the right answers."""
        return self.correct / self.items if self.items else 0.0


@dataclass(frozen=True, slots=True)
class FormView:
    """One kept form; its figures are those of the moment it was saved."""

    id: int
    name: str
    step: int
    at: float
    bytes: int
    digest: str
    path: Path
    campaign: str
    campaign_name: str
    hero: str
    run: int
    reasons: tuple[str, ...]
    champion: bool
    """It is its campaign's champion."""
    crowned: int
    """How often it was crowned."""
    protected: bool
    newest: bool
    """Training goes on from it."""
    best: bool
    """The best examined form of its campaign."""
    on_the_way: bool
    """False: a later run went back behind it, and its steps count no more."""
    stays: str
    """Why it must not be deleted; empty: it may go."""
    exam: ExamFacts | None
    won: Mapping[str, int]
    held: Mapping[str, int]
    loss: float | None
    held_out_loss: float | None
    learning_rate: float | None
    effort: float | None
    examples: int | None
    quest: str | None
    kind: str
    """full, or adapter."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "path": str(self.path), "reasons": list(self.reasons)}


@dataclass(frozen=True, slots=True)
class LedgerView:
    """All kept forms, by step."""

    forms: tuple[FormView, ...]
    playing: str
    """Id of the active campaign."""
    bytes: int
    free_bytes: int | None
    """Free where the save lies; None where the disk does not say."""
    reasons: tuple[str, ...]
    """Every reason that occurs, for filtering."""

    def form(self, form_id: int | None) -> FormView | None:
        """The form with that id; None when it is gone."""
        return next((f for f in self.forms if f.id == form_id), None)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which forms are shown, and in which order."""

    text: str = ""
    """Words that must all occur in name, step, campaign, reasons, exam or digest."""
    reason: str = ""
    campaign: str = ""
    """Only this campaign's; empty: all."""
    order: Order = "step"

    def of(self, forms: Sequence[FormView]) -> tuple[FormView, ...]:
        """The chosen ones, the newest, largest or best first."""
        words = self.text.casefold().split()
        found = [
            f
            for f in forms
            if (not self.reason or self.reason in f.reasons)
            and (not self.campaign or self.campaign in (f.campaign, f.campaign_name))
            and all(word in _said(f) for word in words)
        ]
        return tuple(sorted(found, key=_ORDER[self.order], reverse=True))


def _said(form: FormView) -> str:
    exam = f"{form.exam.skill} l{form.exam.level}" if form.exam is not None else ""
    marks = " ".join(
        word for word, true in (("champion", form.champion), ("protected", form.protected), ("best", form.best)) if true
    )
    parts = (form.name, str(form.step), form.campaign, form.campaign_name, *form.reasons, exam, marks, form.digest)
    return " ".join(parts).casefold()


_ORDER: Mapping[Order, Any] = {
    "step": lambda f: (f.step, f.id),
    "time": lambda f: (f.at, f.id),
    "size": lambda f: (f.bytes, f.step, f.id),
    "exam": lambda f: (sum(f.held.values()), sum(f.won.values()), f.exam.accuracy if f.exam else -1.0, f.step),
}


def ledger_view(save: OpenedSave) -> LedgerView:
    """The ledger now."""
    conn = save.conn
    kept = ledger.kept_checkpoints(conn)
    names = {c.id: c for c in campaigns.campaigns(conn)}
    owners = {f.campaign_id for f in kept}
    live = {c.id for owner in owners for c in ledger.live_checkpoints(conn, owner)}
    newest = {c.id for owner in owners if (c := ledger.newest_checkpoint(conn, owner)) is not None}
    best = {b.id for owner in owners if (b := _best([f for f in kept if f.campaign_id == owner])) is not None}
    crowns: dict[int, int] = dict(
        conn.execute("SELECT checkpoint_id, count(*) FROM champions GROUP BY checkpoint_id").fetchall()
    )
    reigning = {c.checkpoint_id for c in ledger.reigning(conn)}
    forms = tuple(
        _form(
            save,
            form,
            campaign_name=names[form.campaign_id].name,
            hero=names[form.campaign_id].hero_id,
            champion=form.id in reigning,
            crowned=crowns.get(form.id, 0),
            newest=form.id in newest,
            best=form.id in best,
            on_the_way=form.id in live,
        )
        for form in kept
    )
    return LedgerView(
        forms,
        save.campaign.id,
        sum(f.bytes for f in forms),
        _free(save.folder.root),
        tuple(sorted({reason for f in forms for reason in f.reasons})),
    )


def _best(forms: list[Checkpoint]) -> Checkpoint | None:
    from engine.trainer.promotion import best_examined

    return best_examined(forms)


def _form(save: OpenedSave, form: Checkpoint, **marks: Any) -> FormView:
    facts = form.facts
    exam = facts.get("exam")
    return FormView(
        id=form.id,
        name=form.name,
        step=form.step,
        at=form.at,
        bytes=form.bytes,
        digest=form.digest,
        path=ledger.folder_of(save.folder, form),
        campaign=form.campaign_id,
        run=form.run_id,
        reasons=tuple(form.reasons),
        protected=form.protected,
        stays=ledger.reason_to_stay(save.conn, form),
        exam=ExamFacts(exam["id"], exam["skill"], exam["level"], exam["correct"], exam["items"]) if exam else None,
        won=dict(facts.get("skill_levels") or {}),
        held=dict(facts.get("levels_held") or {}),
        loss=facts.get("train_loss"),
        held_out_loss=facts.get("val_loss"),
        learning_rate=facts.get("learning_rate"),
        effort=facts.get("effort"),
        examples=facts.get("total_examples_trained"),
        quest=facts.get("training_file"),
        kind=str(facts.get("kind") or "full"),
        **marks,
    )


def _free(path: Path) -> int | None:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


# ---------------------------------------------------------------- two forms beside each other


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of a comparison."""

    what: str
    first: str
    second: str
    change: str
    """The second less the first; empty where that means nothing."""
    better: bool | None = None
    """Whether the second is better by it; None: neither, or it does not say."""


def compare(first: FormView, second: FormView) -> tuple[Difference, ...]:
    """What tells two forms apart, from what stood in the ledger when they were saved."""
    rows = [
        Difference("step", number(first.step), number(second.step), f"{second.step - first.step:+,}"),
        Difference("saved", _when(first), _when(second), _apart(first, second)),
        Difference("campaign", first.campaign, second.campaign, ""),
        Difference("size", size(first.bytes), size(second.bytes), ""),
        Difference("saved for", ", ".join(first.reasons) or "–", ", ".join(second.reasons) or "–", ""),
    ]
    skills = sorted({*first.won, *second.won})
    for skill in skills:
        name = skill.upper()
        rows += [
            _whole(f"{name} won", first.won.get(skill), second.won.get(skill)),
            _whole(f"{name} held", first.held.get(skill), second.held.get(skill)),
        ]
    rows += [
        _exam_row(first.exam, second.exam),
        _measured("loss", first.loss, second.loss),
        _measured("held-out", first.held_out_loss, second.held_out_loss),
        _plain("effort", first.effort, second.effort, 1),
        _plain("examples", first.examples, second.examples, 0),
        Difference("weights", first.digest[:12], second.digest[:12], "same" if first.digest == second.digest else ""),
    ]
    return tuple(rows)


def _when(form: FormView) -> str:
    from realm_tui.runtime.figures import moment

    return moment(form.at)


def _apart(first: FormView, second: FormView) -> str:
    return f"{'+' if second.at >= first.at else '-'}{duration(abs(second.at - first.at))}"


def _whole(what: str, first: int | None, second: int | None) -> Difference:
    known = first is not None and second is not None
    change = (second or 0) - (first or 0)
    told = f"{change:+d}" if known and change else ""
    return Difference(what, number(first), number(second), told, change > 0 if told else None)


def _measured(what: str, first: float | None, second: float | None) -> Difference:
    """Losses: smaller is better."""
    if first is None or second is None:
        return Difference(what, number(first, 3), number(second, 3), "")
    change = second - first
    return Difference(what, number(first, 3), number(second, 3), f"{change:+.3f}", change < 0 if change else None)


def _plain(what: str, first: float | None, second: float | None, digits: int) -> Difference:
    change = f"{second - first:+,.{digits}f}" if first is not None and second is not None else ""
    return Difference(what, number(first, digits), number(second, digits), change)


def _exam_row(first: ExamFacts | None, second: ExamFacts | None) -> Difference:
    """Two exams of different questions; which form is better only a paired exam shows."""

    def told(exam: ExamFacts | None) -> str:
        return "–" if exam is None else f"{exam.skill} L{exam.level} {share(exam.correct, exam.items)}"

    return Difference("its exam", told(first), told(second), "")


# ---------------------------------------------------------------- delete and export


@dataclass(frozen=True, slots=True)
class Deletion:
    """What deleting a form would mean."""

    name: str
    step: int
    bytes: int
    path: Path
    stays: str
    """Why it will be refused; empty: it may go."""
    copies: tuple[Path, ...]
    """Where its weights lie besides (exports of a crowning)."""
    loses: tuple[str, ...]
    """What is lost with it, in words."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            **asdict(self),
            "path": str(self.path),
            "copies": [str(c) for c in self.copies],
            "loses": list(self.loses),
        }


def deletion(save: OpenedSave, form: FormView) -> Deletion:
    """The dry run of a deletion."""
    exported = save.folder.root / "champions" / form.name
    copies = (exported,) if exported.is_dir() else ()
    loses = []
    if not copies:
        loses.append("the only copy of these weights")
    if form.best:
        loses.append("the best examined form")
    if form.on_the_way:
        loses.append(f"the way back to step {number(form.step)}")
    return Deletion(form.name, form.step, form.bytes, form.path, form.stays, copies, tuple(loses))


def plan_deletion(folder: SaveFolder, form: FormView) -> Deletion:
    """`deletion` for a save that is not open."""
    with opened(folder) as save:
        return deletion(save, form)


def free_place(folder: SaveFolder, form: FormView) -> Path:
    """`export_folder` for a save that is not open."""
    with opened(folder) as save:
        return export_folder(save, form)


def export_folder(save: OpenedSave, form: FormView) -> Path:
    """Where an export goes that nobody named a place for: ``exports/`` of the save, never an existing folder."""
    wanted = save.folder.root / "exports" / form.name
    found, again = wanted, 1
    while found.exists():
        again += 1
        found = wanted.with_name(f"{wanted.name}-{again}")
    return found


def summary(view: LedgerView, shown: int) -> str:
    """The ledger in one line."""
    told = (
        count(len(view.forms), "form") if shown == len(view.forms) else f"{shown} of {count(len(view.forms), 'form')}"
    )
    return f"{told}, {size(view.bytes)}; {size(view.free_bytes)} free"

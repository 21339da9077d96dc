"""Who may be put to work: a form that sat an exam and is not shown to be worse than the champion; and the trial question it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from configs.errors import BlockedError
from configs.inn import CrownRules
from configs.paths import SaveFolder
from realm_tui.runtime.gate_view import GateView, gate_view
from realm_tui.runtime.opened import OpenedSave, opened
from saves.rows import Checkpoint

DOUBTS: Mapping[str, str] = {
    "unshown": "it is not shown to be better than the champion",
    "unasked": "the two never answered the same questions",
}
"""Verdicts of the gate that let a form pass, and are told."""


def gate(save: OpenedSave, form: Checkpoint, *, anyway: bool = False) -> str:
    """Whether a form may be put to work; what could not be shown, in words, or nothing.

    Raises:
        BlockedError: it sat no exam (``NOT_EXAMINED``), or it is shown to be worse than the champion and ``anyway`` is not given
            (``GATE_WORSE``).
    """
    seen = gate_view(save, form.id)
    if not examined(save, form, seen):
        raise BlockedError(
            f"{form.name} sat no exam",
            why="a form is put to work only after at least one",
            fix=f"examine it: `realm exam run --form {form.name}`",
            code="NOT_EXAMINED",
        )
    if seen.champion is None or seen.champion.digest == form.digest:
        return ""
    if seen.verdict == "worse" and not anyway:
        raise BlockedError(
            f"{form.name} is shown to be worse than the champion {seen.champion.name}",
            fix="choose another form, or insist (`--anyway`)",
            code="GATE_WORSE",
        )
    return "it is shown to be worse than the champion" if seen.verdict == "worse" else DOUBTS.get(seen.verdict, "")


def doubt_about(folder: SaveFolder, which: str) -> str:
    """What `gate` says of a form that the player may insist on; its refusals but that one are raised."""
    from engine.trainer.promotion import find_form

    with opened(folder) as save:
        return gate(save, find_form(save.conn, which), anyway=True)


def examined(save: OpenedSave, form: Checkpoint, seen: GateView) -> bool:
    """Whether a form sat an exam, of its own or at its very step."""
    if form.facts.get("exam") is not None or seen.bouts:
        return True
    return save.conn.execute("SELECT 1 FROM exams WHERE checkpoint_id = ? LIMIT 1", (form.id,)).fetchone() is not None


@dataclass(frozen=True, slots=True)
class Trial:
    """The canary's question."""

    prompt: str
    expected: str | None
    """What the form answered in its exam; None: it was never asked this."""


def trial(save: OpenedSave, form: Checkpoint, rules: CrownRules) -> Trial:
    """A question of the form's own exam that it answered rightly; where it has none, the rules' own."""
    exam = form.facts.get("exam") or {}
    row = save.conn.execute(
        "SELECT prompt, answer FROM exam_items WHERE exam_id = ? AND correct = 1 ORDER BY position LIMIT 1",
        (exam.get("id"),),
    ).fetchone()
    return Trial(rules.canary, None) if row is None else Trial(row["prompt"], row["answer"])

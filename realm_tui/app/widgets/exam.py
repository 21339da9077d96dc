"""The exam panel: the last answers, right and wrong, and how sure the share is."""

from __future__ import annotations

from collections.abc import Sequence

from lore.figures import share
from lore.lexicon import entry, label
from realm_tui.app.drawing import Look, Row, shorten, spread
from realm_tui.app.facts import ExamAnswer, ExamView, Facts
from realm_tui.app.widgets.panel import Panel
from realm_tui.app.words import UNKNOWN, fraction, whole
from realm_tui.runtime.foreign import clean

_TONES = {
    "crit": "good-strong",
    "hit": "good",
    "glancing": "warn",
    "miss": "bad",
    "crit_miss": "bad-strong",
}


def shown_answers(answers: Sequence[ExamAnswer], count: int) -> list[ExamAnswer]:
    """The newest answers, but with wrong ones among them while there are any: a third of the room at most."""
    if count <= 0:
        return []
    newest = list(answers[-count:])
    wrong = [a for a in answers if not a.correct]
    missing = min(len(wrong), max(1, count // 3)) - sum(not a.correct for a in newest)
    if missing <= 0:
        return newest
    older = [a for a in answers[: len(answers) - count] if not a.correct][-missing:]
    keep: list[ExamAnswer] = []
    drop = len(older)
    for one in newest:
        if drop and one.correct:
            drop -= 1
        else:
            keep.append(one)
    return older + keep


def answer_row(answer: ExamAnswer, look: Look, width: int) -> Row:
    """``✓ add(01,10) = 11   CRIT``; a wrong answer is followed by what it should have been."""
    question = clean(answer.prompt).strip().removeprefix("Compute:").strip()
    given = clean(answer.answer).strip() or "(nothing)"
    tone = _TONES.get(answer.result, "muted")
    result = label(f"exam.result.{answer.result}", look.names) if answer.result in _TONES else "not asked"
    end: Row = ((f" {result} ", tone),)
    room = width - len(result) - 5
    mark = "✓" if answer.correct else "✗"
    if answer.correct:
        body: Row = ((shorten(f"{question} = {given}", room), "text"),)
    else:
        right = f"  was {clean(answer.expected).strip()}"
        kept = max(room - len(right), room // 2)
        body = ((shorten(f"{question} = {given}", kept), "text"), (shorten(right, room - kept + 2), "muted"))
    return spread(((f" {mark} ", "good" if answer.correct else "bad"), *body), end, width)


def verdict(facts: Facts, exam: ExamView, look: Look) -> Row:
    """``53/64 = .83  [.67 … .92]   exams ≥ .80: 2 of 3``."""
    low, high = exam.interval or (None, None)
    skill = facts.status.skills.get(exam.skill)
    row: list[tuple[str, str]] = [
        (f" {exam.correct}/{exam.items} = ", "text"),
        (share(exam.correct, exam.items), "strong"),
        (f"  [{fraction(low)} … {fraction(high)}]", "muted"),
    ]
    if skill is not None and exam.kind == "gate":
        row += [
            (f"   {label('exam.streak', look.names)} ", "muted"),
            (f"{skill.streak} of {skill.streak_needed}", "accent-strong"),
        ]
        if skill.held_back:
            row.append((f", held back by {', '.join(map(clean, skill.held_back))}", "warn"))
    return tuple(row)


def name_of(exam: ExamView, look: Look) -> str:
    """``BIN L3 · 64 unseen problems``; says so where all there are were asked."""
    unseen = f"{exam.items} unseen problems"
    if exam.apprentice:
        unseen += ", all of them"
    elif exam.repeats:
        unseen = f"{exam.items} unseen, {exam.repeats} {label('exam.repeat', look.names)}"
    return f"{exam.skill.upper()} L{exam.level} · {unseen}"


def exam_rows(facts: Facts, look: Look, width: int, height: int) -> list[Row]:
    """Answers, then the verdict; in two lines or fewer the newest answer and the verdict."""
    exam, status = facts.exam, facts.status
    if exam is None:
        waiting: list[tuple[str, str]] = [(" no exam yet", "faint")]
        if status.next_exam_step is not None:
            waiting.append((f"; the first one at step {whole(status.next_exam_step)}", "faint"))
        return [tuple(waiting)]
    rows: list[Row] = []
    if height <= 2:
        head: Row = ((f" {label('exam', look.names)} {name_of(exam, look)}", "muted"),)
        return [head, verdict(facts, exam, look)] if height == 2 else [verdict(facts, exam, look)]
    below: list[Row] = [verdict(facts, exam, look)]
    if height >= 6:
        next_exam = whole(status.next_exam_step) if status.next_exam_step is not None else UNKNOWN
        below.append(
            (
                (f" {label('exam.next', look.names)} ", "muted"),
                (f"step {next_exam}", "text"),
                (f"   this one at step {whole(exam.step)}", "faint"),
            )
        )
    room = height - len(below)
    rows = [answer_row(a, look, width) for a in shown_answers(exam.answers, room)]
    rows += [()] * (room - len(rows))
    return rows + below


class ExamPanel(Panel):
    """The last problems it had never seen."""

    word = "panel.exam"

    def title(self, facts: Facts, look: Look) -> str:
        name = super().title(facts, look)
        return name if facts.exam is None else f"{name}  {name_of(facts.exam, look)}"

    def subtitle(self, facts: Facts, look: Look) -> str:
        if facts.exam is not None and facts.exam.kind == "screen":
            return entry("exam.screen").named(look.names)
        return ""

    def paint(self, facts: Facts, look: Look, width: int, height: int) -> Sequence[Row]:
        return exam_rows(facts, look, width, height)

"""The Vault's rows: every kept form, one of them closely, two beside each other."""

from __future__ import annotations

from lore.figures import share
from lore.lexicon import entry, label
from realm_tui.app.drawing import Look, Row
from realm_tui.app.widgets.lines import GAP, columns, date, drawn, levels_text, named, told, when, wrapped
from realm_tui.app.widgets.listing import Item
from realm_tui.app.words import UNKNOWN, number, rate, whole
from realm_tui.runtime.figures import size
from realm_tui.runtime.ledger_view import Choice, Deletion, FormView, LedgerView, compare, summary

_FIXED = 49
"""Cells of the columns that do not grow."""


def list_head(look: Look, width: int) -> list[Row]:
    """Column titles of the list."""
    return [
        columns(
            ("", 2, "muted"),
            (label("training.step", look.names), -10, "muted"),
            ("saved", 11, "muted"),
            ("size", -9, "muted"),
            (label("exam", look.names), 12, "muted"),
            ("for", max(4, width - _FIXED), "muted"),
        )
    ]


def mark_of(form: FormView) -> tuple[str, str]:
    """The sign of a form and its role: champion, best, kept, or on a way that was left."""
    if form.champion:
        return entry("champion").icon, "accent-strong"
    if form.best:
        return entry("vault.peak").icon, "good"
    if form.protected:
        return entry("vault.protected").icon, "text"
    return (entry("superseded").icon, "faint") if not form.on_the_way else ("", "text")


def exam_text(form: FormView) -> str:
    """The exam a form sat: ``BIN L2 .93``."""
    exam = form.exam
    return UNKNOWN if exam is None else f"{exam.skill.upper()} L{exam.level} {share(exam.correct, exam.items)}"


def list_items(forms: tuple[FormView, ...], held: int | None) -> list[Item]:
    """One line a form; the one that others are held against is marked, and whose it is said where campaigns share the list."""
    several = len({f.campaign for f in forms}) > 1
    return [Item(str(f.id), lambda width, f=f: _list_row(f, held == f.id, several, width)) for f in forms]  # type: ignore[misc]


def _list_row(form: FormView, held: bool, several: bool, width: int) -> Row:
    mark, tone = mark_of(form)
    faded = "faint" if not form.on_the_way else "text"
    owner = f"{form.campaign.removeprefix('campaign-')}: " if several else ""
    return columns(
        (("=" if held else " ") + mark, 2, "tip" if held else tone),
        (whole(form.step), -10, faded),
        (when(form.at), 11, "muted"),
        (size(form.bytes), -9, faded),
        (drawn(exam_text(form)), 12, "good" if form.exam else "faint"),
        (owner + drawn(", ".join(form.reasons)), max(4, width - _FIXED), "muted"),
    )


def empty_rows(view: LedgerView, choice: Choice, look: Look) -> list[Row]:
    """What stands where no form does."""
    if view.forms:
        return [((" no form fits; esc shows all", "faint"),)]
    return [
        ((" no form is kept yet", "faint"),),
        ((" the hero is saved every few minutes,", "faint"),),
        ((" with every level won, and by ", "faint"), ("c", "key")),
    ]


def subtitle(view: LedgerView, choice: Choice, shown: int) -> str:
    """What is shown, how much it takes, and what it was chosen by."""
    chosen = [part for part in (choice.text and f"“{drawn(choice.text)}”", choice.reason, choice.campaign) if part]
    told_ = summary(view, shown)
    return f"{told_}; {', '.join(chosen)}; by {choice.order}" if chosen else f"{told_}; by {choice.order}"


def form_rows(form: FormView | None, look: Look, width: int) -> list[Row]:
    """One form closely; figures are those of the moment it was saved."""
    if form is None:
        return [
            ((" the form under the cursor stands here closely:", "faint"),),
            ((" its levels, its exam, its figures", "faint"),),
        ]
    rows: list[Row] = [((f" {drawn(form.name)}", "strong"),)]
    crowns = f"{form.crowned} times" if form.crowned > 1 else "once" if form.crowned else ""
    standing = [
        (label("champion", look.names), "accent-strong") if form.champion else None,
        (label("vault.peak", look.names), "good") if form.best else None,
        (label("vault.protected", look.names), "text") if form.protected else None,
        ("newest", "text") if form.newest else None,
        (label("superseded", look.names), "warn") if not form.on_the_way else None,
        (f"crowned {crowns}", "muted") if crowns and not form.champion else None,
    ]
    known = [one for one in standing if one is not None]
    if known:
        line: list[tuple[str, str]] = [(" ", "")]
        for i, (text, role) in enumerate(known):
            line += [(" · ", "faint"), (text, role)] if i else [(text, role)]
        rows.append(tuple(line))
    rows += [
        named(label("training.step", look.names), f"{form.step:,}, saved {date(form.at)}"),
        *told("for", ", ".join(form.reasons), width),
        GAP,
        named(label("skill.won", look.names), levels_text(form.won), "good" if form.won else "faint"),
        named(label("skill.held", look.names), levels_text(form.held)),
        named(label("exam", look.names), _exam_long(form)),
        named(label("training.loss", look.names), number(form.loss, 3)),
        named(label("training.held_out_loss", look.names), number(form.held_out_loss, 3)),
        named("lr", rate(form.learning_rate)),
        named(label("strain.effort", look.names), number(form.effort, 1)),
        named("examples", whole(form.examples)),
    ]
    if form.quest:
        rows += told(label("panel.quests", look.names), form.quest, width)
    rows += [
        GAP,
        *told(label("campaign", look.names), f"{form.campaign_name} ({form.campaign}), {form.hero}", width),
        named(label("run", look.names), str(form.run)),
    ]
    rows += [named("size", f"{size(form.bytes)}, {drawn(form.kind)}"), named("digest", form.digest[:16], "muted")]
    rows += told("lies in", "/".join(("…", *form.path.parts[-3:])), width, "muted")
    keeps = form.stays or "may go when the ledger is thinned, or by D"
    rows += told("deleting", keeps if not form.stays else f"refused: {keeps}", width, "muted")
    return rows


def _exam_long(form: FormView) -> str:
    exam = form.exam
    if exam is None:
        return UNKNOWN
    return (
        f"{drawn(exam.skill).upper()} L{exam.level}: {exam.correct} of {exam.items}, {share(exam.correct, exam.items)}"
    )


def beside_rows(first: FormView, second: FormView, look: Look, width: int) -> list[Row]:
    """Two forms beside each other; a sign and a colour say by what the second is better or worse."""
    name = 9
    room = max(8, (width - name - 4) // 3)
    change = max(6, width - name - 2 * room - 4)

    def line(cells: tuple[str, str, str, str], tones: tuple[str, str, str]) -> Row:
        one, two, third = tones
        return (
            (" ", ""),
            *columns(
                (cells[0], name, "muted"), (cells[1], room, one), (cells[2], room, two), (cells[3], change, third)
            ),
        )

    cursor = entry("campaign.cursor").icon
    rows = [line(("", f"= {first.step:,}", f"{cursor} {second.step:,}", "change"), ("accent", "accent", "muted"))]
    for one in compare(first, second):
        tone, sign = {True: ("good", " ✓"), False: ("bad", " ✗"), None: ("muted", "")}[one.better]
        ours, theirs = (one.first, one.second) if one.what != "saved" else (when(first.at), when(second.at))
        short = [drawn(value).removeprefix("campaign-") for value in (ours, theirs)]
        rows.append(line((one.what, short[0], short[1], f"{one.change}{sign}"), ("text", "text", tone)))
    rows.append(GAP)
    rows += [((f" {told_}", "faint"),) for told_ in wrapped(_BESIDE, width - 2)]
    return rows


_BESIDE = (
    "✓ better, ✗ worse, by figures of the moment each was saved; only the Champion gate asks both the same questions."
)


def deletion_text(plan: Deletion) -> str:
    """The question before a form is deleted, with what is lost."""
    lost = "".join(f"\n- {one}" for one in plan.loses)
    lost = f"\nLost with it:{lost}" if lost else ""
    copies = "".join(f"\nIts weights also lie in {drawn(str(c))}." for c in plan.copies)
    return f"Delete {drawn(plan.name)} ({size(plan.bytes)}) from the disk? This cannot be undone.{lost}{copies}"


def details_heading(look: Look, comparing: bool) -> str:
    """Title of the panel beside the list."""
    return label("ledger.beside" if comparing else "ledger.form", look.names)

"""The exams' rows: the list, one exam by operation and primitive, and its items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.statistics import interval
from lore.figures import share
from lore.lexicon import entry, label
from realm_tui.app.drawing import Look, Row, Span, column, spread
from realm_tui.app.widgets.sheet import folded
from realm_tui.app.words import UNKNOWN, age, fraction, whole
from realm_tui.runtime.exam_view import answered_by
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.papers_view import Paper, PaperLine, PapersView
from saves.rows import ExamItem

_TONES = {"crit": "good-strong", "hit": "good", "glancing": "warn", "miss": "bad", "crit_miss": "bad-strong"}


def papers_head(alpha: float) -> Row:
    """The columns' names."""
    sure = "95 %" if alpha == 0.05 else "interval"
    text = (
        column("step", 8, right=True) + "  " + column("exam", 11) + column("level", 9)
        + column("right", 7, right=True) + column("share", 6, right=True) + "  " + column(sure, 11)
    )  # fmt: skip
    return ((text, "faint"),)


def papers_row(one: PaperLine, look: Look, alpha: float, width: int) -> Row:
    """``1,200  gate  BIN L3  51/64  .79  .65 … .89  2 unreadable``."""
    low, high = interval(one.correct, one.items, alpha) if one.items else (None, None)
    row: list[Span] = [
        (column(whole(one.step), 8, right=True), "text"),
        ("  " + column(_kind(one.kind, one.plan, look), 10) + " ", "muted"),
        (column(f"{one.skill.upper()} L{one.level}", 8) + " ", "text"),
        (column(f"{one.correct}/{one.items}", 7, right=True), "text"),
        (column(share(one.correct, one.items) if one.items else UNKNOWN, 6, right=True), "strong"),
        ("  " + column(f"{fraction(low)} … {fraction(high)}", 11), "muted"),
    ]
    roomy = width >= 76
    if one.won_level:
        won = entry("skill.level_up")
        row.append((f" {won.named(look.names) if roomy else won.mark(ascii_only=look.ascii)}", "accent-strong"))
    for count, key, tone in (
        (one.errors, "evals.errors", "bad"),
        (one.format_failures, "evals.format_failures", "warn"),
        (one.repeats, "exam.repeat", "faint"),
    ):
        if count and not (key == "exam.repeat" and one.apprentice):
            word = entry(key)
            told = f" {word.named(look.names)}" if roomy else word.mark(ascii_only=look.ascii)
            row.append((f" {count}{told}", tone))
    if not roomy:
        return tuple(row)
    if one.apprentice:
        row.append((" all there are", "faint"))
    if one.of_checkpoint:
        row.append((f" {one.weights[:8]}", "faint"))
    elif one.weights == "base":
        row.append((" base", "faint"))
    return tuple(row)


def _kind(kind: str, plan: str, look: Look) -> str:
    if plan:
        return plan
    if kind == "gate":
        return label("exam.gate", look.names).lower()
    return label("exam.screen", look.names).lower() if kind == "screen" else kind


def papers_summary(view: PapersView) -> str:
    """``128 exams, 3.1 % of training time (the plan's 10 %)``."""
    count = f"{len(view.lines):,} exams" if view.complete else f"the newest {len(view.lines):,}"
    if view.measured_share is None:
        return count
    return f"{count}, {100 * view.measured_share:.1f} % of training time (the plan's {100 * view.budget_share:.0f} %)"


def papers_empty(group: str) -> str:
    """What is said where there is none."""
    what = "No exam was taken yet." if group == "all" else "No exam of this kind was taken yet; `f` shows others."
    return f"{what} The hero is examined at steps of its own; `r` asks for one now."


# ---------------------------------------------------------------- one exam


def paper_rows(paper: Paper | None, look: Look, width: int, alpha: float, now: float) -> list[Row]:
    """Verdict, who answered, what went wrong beside it, operations and primitives."""
    if paper is None:
        return [(), (("  Choose an exam to see it whole.", "faint"),)]
    one = paper.exam
    low, high = interval(one.correct, one.items, alpha) if one.items else (None, None)
    rows: list[Row] = [
        ((f" {one.skill.upper()} L{one.level}", "strong"), (f"  {one.mix}, {_kind(one.kind, one.plan, look)}", "muted")),
        (
            (f" {one.correct} of {one.items} right  ", "text"),
            (share(one.correct, one.items) if one.items else UNKNOWN, "strong"),
            (f"  [{fraction(low)} … {fraction(high)}]", "muted"),
        ),
        ((f" {answered_by(one)}, step {whole(one.step)}, {age(now - one.at)} ago, took {age(one.duration_s)}", "muted"),),
        (
            (f" {one.format_failures} {label('evals.format_failures', look.names)}", "warn" if one.format_failures else "faint"),
            (f"   {one.errors} {label('evals.errors', look.names)}", "bad" if one.errors else "faint"),
            (f"   {one.repeats} {label('exam.repeat', look.names)}", "faint"),
        ),
    ]  # fmt: skip
    results = [(name, one.results[name]) for name in _TONES if one.results.get(name)]
    if results:
        spans: list[Span] = [
            (f" {label(f'exam.result.{name}', look.names)} {count} ", _TONES[name]) for name, count in results
        ]
        rows.append(tuple(spans))
    if one.apprentice:
        rows.append(((" all unseen problems there are; no claim is made", "faint"),))
    rows += _counts(label("skill.operation", look.names).lower(), one.operations, look, width, alpha)
    rows += _counts("primitive", one.primitives, look, width, alpha)
    return rows


def _counts(title: str, counts: Mapping[str, Any], look: Look, width: int, alpha: float) -> list[Row]:
    if not counts:
        return []
    chance = any(c.get("chance") is not None for c in counts.values())
    luck = ("luck" if look.tavern else "chance") if chance else ""
    rows: list[Row] = [
        (),
        ((f" {column(title, 18)}{column('right', 8, right=True)}{column(luck, 22, right=True)}", "faint"),),
    ]
    ordered = sorted(counts.items(), key=lambda c: (c[1]["correct"] / max(1, c[1]["items"]), c[0]))
    for name, c in ordered:
        low, high = interval(c["correct"], c["items"], alpha) if c["items"] else (None, None)
        level = c.get("chance")
        blind = level is not None and c["items"] and low is not None and low <= level
        rows.append(
            (
                (f" {column(clean(name), 17)} ", "text"),
                (column(f"{c['correct']}/{c['items']}", 8, right=True), "text"),
                (f"  {share(c['correct'], c['items']) if c['items'] else UNKNOWN}", "bad" if blind else "strong"),
                (f" [{fraction(low)} … {fraction(high)}]", "muted"),
                (f"  {fraction(level)}" if level is not None else "", "bad" if blind else "faint"),
            )
        )
    return rows


# ---------------------------------------------------------------- items


def item_row(item: ExamItem, look: Look, width: int) -> Row:
    """``✗  12  sub(1011, 0111) = 0101   was 0100   MISS``."""
    said = _line(item.answer) or ("(nothing)" if item.answer is not None else "(errored)")
    result = label(f"exam.result.{item.result}", look.names) if item.result in _TONES else "not judged"
    tone = _TONES.get(item.result or "", "muted")
    wrong = "" if item.correct else f"   was {_line(item.expected)}"
    left: Row = (
        ("✓" if item.correct else "✗", "good" if item.correct else "bad"),
        (f" {item.position + 1:>4}  ", "faint"),
        (f"{_line(item.prompt).removeprefix('Compute:').strip()} = {said}", "text"),
        (wrong, "muted"),
    )
    right: Row = (
        (f"  {column(item.operation or UNKNOWN, 12)}" if width >= 100 else " ", "faint"),
        (column(result, 10), tone),
    )
    return spread(left, right, width)


def item_rows(item: ExamItem | None, look: Look, width: int) -> list[Row]:
    """One question whole: its words, the answer, what was right, what it exercises."""
    if item is None:
        return [(("  These items became counts when the save was tidied; the exam's figures stay.", "faint"),)]
    rows: list[Row] = []
    for name, text, tone in (
        ("question", item.prompt, "text"),
        ("answer", item.answer, "good" if item.correct else "bad"),
        ("right", item.expected, "text"),
    ):
        said = clean(text[:4000], newline=" ↵ ").strip() if text is not None else "no answer: the item errored"
        for i, line in enumerate(folded(said or "(nothing)", max(10, width - 13))):
            rows.append(((column("" if i else f" {name}", 12), "muted"), (line, tone)))
    asked = ", ".join(item.primitives) or UNKNOWN
    about = f"{item.operation or UNKNOWN}, {item.tier or UNKNOWN}" + (", asked before" if item.repeat else "")
    rows.append(((column(" form", 12), "muted"), (clean(about), "text")))
    for i, line in enumerate(folded(clean(asked), max(10, width - 13))):
        rows.append(((column("" if i else " primitives", 12), "muted"), (line, "text")))
    return rows


def _line(text: str | None) -> str:
    return "" if text is None else clean(text[:400], newline=" ↵ ").strip()

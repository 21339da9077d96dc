"""The Champion gate's rows: who stands against whom, what the same questions showed, where they part, and what it cost."""

from __future__ import annotations

from lore.figures import count, share
from lore.lexicon import entry, label
from realm_tui.app.drawing import Look, Row, fit, shorten
from realm_tui.app.widgets.ledger import exam_text, mark_of
from realm_tui.app.widgets.lines import GAP, columns, drawn, joined, levels_text, named, when, wrapped
from realm_tui.app.widgets.listing import Item
from realm_tui.app.words import UNKNOWN, number, whole
from realm_tui.runtime.figures import size
from realm_tui.runtime.gate_text import signed, verdict_text
from realm_tui.runtime.gate_view import Discordant, GateView, Verdict
from realm_tui.runtime.ledger_view import FormView

_TONES: dict[Verdict, str] = {
    "better": "good-strong",
    "worse": "bad-strong",
    "unshown": "warn",
    "unasked": "warn",
    "alone": "text",
    "nobody": "faint",
}


def candidate_items(seen: GateView, look: Look) -> list[Item]:
    """One line a form that may challenge, the best examined first."""
    return [Item(str(f.id), lambda width, f=f: _candidate(f, width)) for f in seen.candidates]  # type: ignore[misc]


def _candidate(form: FormView, width: int) -> Row:
    mark, tone = mark_of(form)
    return columns(
        (mark, 1, tone),
        (whole(form.step), -10, "text"),
        (drawn(exam_text(form)), 12, "good" if form.exam else "faint"),
        (drawn(", ".join(form.reasons)), max(4, width - 27), "muted"),
    )


def candidates_empty(look: Look) -> list[Row]:
    """What stands where nobody challenges."""
    return [
        ((" nobody challenges yet", "faint"),),
        ((" ", ""), ("c", "key"), (" saves the hero as it is now", "faint")),
    ]


def fighters(seen: GateView, look: Look, width: int) -> list[Row]:
    """Champion and challenger beside each other."""
    half = (width - 3) // 2
    one, other = (_card(form, look, half) for form in (seen.champion, seen.challenger))
    titles: Row = (
        *fit(
            ((f" {entry('champion').icon} ", "accent-strong"), (label("champion", look.names), "accent-strong")), half
        ),
        (" · ", "line"),
        *fit(((label("gate.challenger", look.names), "accent"),), half),
    )
    rows = [titles]
    for i in range(max(len(one), len(other))):
        left = one[i] if i < len(one) else ()
        right = other[i] if i < len(other) else ()
        rows.append((*fit(left, half), (" · ", "line"), *fit(right, half)))
    return rows


def _card(form: FormView | None, look: Look, width: int) -> list[Row]:
    if form is None:
        return [((" nobody", "faint"),)]
    held = f"{levels_text(form.won)}, {label('skill.held', look.names).lower()} {levels_text(form.held)}"
    return [
        ((f" {shorten(drawn(form.name), width - 1)}", "strong"),),
        named(label("training.step", look.names), f"{form.step:,}, {when(form.at)}"),
        named(label("skill.won", look.names), held),
        named(label("exam", look.names), drawn(exam_text(form))),
        named(label("training.loss", look.names), number(form.loss, 3)),
        named("size", size(form.bytes)),
    ]


def verdict_rows(seen: GateView, look: Look, width: int, items: int) -> list[Row]:
    """What is shown so far, who the two are, what each set of questions said, and what more would cost."""
    tone = _TONES[seen.verdict]
    mark = {"better": "▲", "worse": "▼"}.get(seen.verdict, "·")
    rows: list[Row] = [
        ((f" {mark if i == 0 else ' '} ", tone), (line, tone))
        for i, line in enumerate(wrapped(verdict_text(seen), width - 4))
    ]
    if seen.whole.items:
        rows += [*_counts(seen, look, width), *gauge(seen, width)]
    rows += [GAP, *fighters(seen, look, width)]
    if seen.whole.items:
        rows += [GAP, *_table(seen, look, width)]
    rows += [GAP, *_cost(seen, look, items)]
    if seen.before is not None:
        rows.append(named("undo", f"crowns {drawn(seen.before)} again", "muted"))
    elif seen.champion is not None:
        rows.append(named("undo", "leaves nobody on the throne", "muted"))
    return rows


def _counts(seen: GateView, look: Look, width: int) -> list[Row]:
    """The four kinds of items as numbers and as one bar; only the middle two decide."""
    pair = seen.whole
    kinds = (
        (label("gate.both", look.names), pair.both, "█", "curve"),
        (label("gate.won", look.names), pair.better, "▓", "good"),
        (label("gate.lost", look.names), pair.worse, "▒", "bad"),
        (label("gate.neither", look.names), pair.neither, "·", "line"),
    )
    counts = [((f"{sign} ", role), (f"{name} ", "muted"), (f"{n}", "strong")) for name, n, sign, role in kinds]
    room = max(10, width - 2)
    cells = _shares([n for _, n, _, _ in kinds], room)
    strip = tuple((sign * n, role) for (_, _, sign, role), n in zip(kinds, cells, strict=True) if n)
    return [((" ", ""), *joined(counts)), ((" ", ""), *strip)]


def _shares(counts: list[int], room: int) -> list[int]:
    """``room`` cells shared out by counts; what is not nothing gets at least one."""
    total = sum(counts)
    cells = [max(1, round(n * room / total)) if n else 0 for n in counts]
    widest = max(range(len(cells)), key=lambda i: cells[i])
    cells[widest] = max(1, cells[widest] + room - sum(cells))
    return cells


def gauge(seen: GateView, width: int) -> list[Row]:
    """The gain with its interval on a line around zero."""
    low, high = seen.whole.interval(seen.alpha)
    gain = seen.whole.gain or 0.0
    reach = max(0.05, abs(low), abs(high))
    room = max(21, min(61, width - 16)) | 1

    def place(value: float) -> int:
        return round((value + reach) / (2 * reach) * (room - 1))

    line = ["─"] * room
    for at in range(place(low), place(high) + 1):
        line[at] = "━"
    line[place(0.0)] = "│"
    line[place(low)], line[place(high)] = "├", "┤"
    line[place(gain)] = "●"
    return [
        ((f" {signed(-reach):>5} ", "muted"), ("".join(line), "curve"), (f" {signed(reach)}", "muted")),
        ((f"       gain {signed(gain)}, between {signed(low)} and {signed(high)}", "text"),),
    ]


def _table(seen: GateView, look: Look, width: int) -> list[Row]:
    """One row for each set of questions."""
    rows: list[Row] = [
        (
            (" ", ""),
            *columns(
                ("", 8, "muted"),
                ("items", -6, "muted"),
                (label("champion", look.names), -15, "muted"),
                (label("gate.challenger", look.names), -10, "muted"),
                (label("gate.won", look.names), -6, "muted"),
                (label("gate.lost", look.names), -6, "muted"),
                ("seconds", -8, "muted"),
            ),
        )
    ]
    for bout in seen.bouts:
        pair = bout.pair
        rows.append(
            (
                (" ", ""),
                *columns(
                    (f"{drawn(bout.skill).upper()} L{bout.level}", 8, "skill"),
                    (str(pair.items), -6, "text"),
                    (share(pair.both + pair.worse, pair.items), -15, "text"),
                    (share(pair.both + pair.better, pair.items), -10, "text"),
                    (str(pair.better), -6, "good" if pair.better else "faint"),
                    (str(pair.worse), -6, "bad" if pair.worse else "faint"),
                    (f"{bout.seconds:.1f}", -8, "muted"),
                ),
            )
        )
    return rows


def _cost(seen: GateView, look: Look, items: int) -> list[Row]:
    cost = seen.cost
    spent = f"{whole(cost.asked)} questions, {cost.seconds:.1f} s" if cost.asked else "nothing was asked yet"
    seconds = cost.of(items)
    steps = cost.steps(seconds)
    more = UNKNOWN if seconds is None else f"about {seconds:.1f} s"
    more += f", the time of {count(steps, 'step')}" if steps is not None else ""
    crowning = "" if seen.challenger is None else f"crowning copies {size(seen.challenger.bytes)} at most"
    name = label("gate.cost", look.names)
    return [named(name, spent), named("", f"{items} more for each: {more}"), named("", crowning, "muted")]


def discordant_rows(seen: GateView, look: Look, width: int) -> list[Row]:
    """Items that only one of the two got right."""
    if not seen.discordant:
        why = "they never answered the same questions" if not seen.whole.items else "both answered alike"
        if seen.champion is None or seen.challenger is None:
            why = "questions that only one of the two got right will stand here"
        return [((f" {why}", "faint"),)]
    rows: list[Row] = []
    for one in seen.discordant:
        rows += _item(one, look, width)
    return rows


def _item(one: Discordant, look: Look, width: int) -> list[Row]:
    tone, sign = ("good", "+") if one.won else ("bad", "-")
    question = drawn(one.prompt, newline="↵")
    room = max(6, (width - 36) // 3)
    answers: list[tuple[str, str]] = [("     ", "")]
    for who, answer in (
        (label("champion", look.names).lower(), one.champion),
        (label("gate.challenger", look.names).lower(), one.challenger),
        ("right", one.expected),
    ):
        told = shorten(drawn(answer, newline="↵"), room) or UNKNOWN
        answers += [(f"{who} ", "faint"), (f"{told}   ", "text" if who == "right" else "muted")]
    return [
        ((f" {sign} ", tone), (f"{one.skill.upper()} L{one.level} ", "skill"), (shorten(question, width - 12), "text")),
        tuple(answers),
    ]

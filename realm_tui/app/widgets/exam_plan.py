"""The exam plan's rows: when each entry comes, how its newest sitting went, and one of them whole."""

from __future__ import annotations

from configs.exam_plan import TRAINED, Questions
from engine.statistics import interval
from lore.figures import share
from realm_tui.app.drawing import Look, Row, Span, column
from realm_tui.app.widgets.sheet import folded
from realm_tui.app.words import UNKNOWN, age, fraction, whole
from realm_tui.runtime.exam_view import EntryView, PlanView
from realm_tui.runtime.foreign import clean

_PRIORITIES = {"critical": "accent", "high": "text", "normal": "muted", "low": "faint"}
_SPANS = {
    "training": "the training level",
    "known": "level 1 to the one after the training level",
    "next": "the training level and the two above",
    "stale": "won levels not asked since the newest checkpoint",
}
_TRIGGERS = {
    "checkpoint": "with a checkpoint",
    "steps": "while the hero trains",
    "idle": "while the hero rests",
    "command": "only on command",
}

_WIDE = 90
"""Cells from which the list also says how many were right."""

PLAN_EMPTY = "The exam plan has no entry. `configs/exam_plan.yaml` is laid under your own `config/exam_plan.yaml`."


def plan_head(width: int) -> Row:
    """The columns' names."""
    text = column("", _room(width)) + " " + column("comes", 32) + column("last", 8, right=True)
    right = column("right", 8, right=True) if width >= _WIDE else ""
    return ((text + right + column("share", 6, right=True), "faint"),)


def entry_row(one: EntryView, look: Look, width: int) -> Row:
    """``Core gate: the first level …  next checkpoint from step 500   400   41/50  .82``."""
    asked = one.last_step is not None and one.last_items > 0
    never = one.due == "on command"
    row: list[Span] = [
        (column(clean(one.entry.title), _room(width)) + " ", "faint" if never else "text"),
        (column(one.due, 32), "faint" if never else _PRIORITIES[one.entry.priority]),
        (column(whole(one.last_step), 8, right=True), "muted"),
    ]
    if width >= _WIDE:
        row.append((column(f"{one.last_correct}/{one.last_items}" if asked else UNKNOWN, 8, right=True), "text"))
    row.append((column(share(one.last_correct, one.last_items) if asked else UNKNOWN, 6, right=True), "strong"))
    return tuple(row)


def _room(width: int) -> int:
    return max(16, width - (56 if width >= _WIDE else 48))


def plan_summary(view: PlanView) -> str:
    """``1.8 % of training time (the plan's 10 %), 120 questions``."""
    measured = UNKNOWN if view.measured_share is None else f"{100 * view.measured_share:.1f} %"
    return f"{measured} of training time (the plan's {100 * view.budget_share:.0f} %), {view.questions:,} questions"


def entry_rows(one: EntryView | None, look: Look, width: int, alpha: float) -> list[Row]:
    """What an entry asks, when it comes, where it stops, what follows, and why it or parts of it are left out."""
    if one is None:
        return [((" Choose an entry to see what it asks.", "faint"),)]
    entry = one.entry
    rows: list[Row] = [
        ((f" {clean(entry.title)}", "strong"),),
        ((f" {clean(one.name)}, {entry.priority} priority, filed as {entry.kind}", "muted"),),
    ]

    def fact(name: str, text: str, tone: str = "text") -> None:
        for i, line in enumerate(folded(text, max(10, width - 13))):
            rows.append(((column("" if i else f" {name}", 12), "muted"), (line, tone)))

    for asks in entry.asks:
        fact("asks", _asks(asks))
    rhythm = f", at least {entry.when.every_steps:,} steps apart" if entry.when.every_steps else ""
    rest = f", at most every {age(entry.when.cooldown_s)}" if entry.when.cooldown_s else ""
    fact("comes", f"{_TRIGGERS[entry.when.trigger]}{rhythm}{rest}")
    if one.due != "on command":
        fact("next", one.due, "accent")
    if one.last_step is not None and one.last_items:
        low, high = interval(one.last_correct, one.last_items, alpha)
        right = f"{one.last_correct} of {one.last_items} right, {share(one.last_correct, one.last_items)}"
        fact("last", f"step {one.last_step:,}: {right} [{fraction(low)} … {fraction(high)}]")
    else:
        fact("last", "never in this campaign", "faint")
    fact("stops", f"after {entry.limit.items:,} questions or {age(entry.limit.seconds)}")
    for text in _follows(one):
        fact("then", text)
    for reason in one.left_out:
        fact("left out", clean(reason), "warn")
    return rows


def _asks(asks: Questions) -> str:
    who = "each skill it trains" if asks.skill == TRAINED else asks.skill.upper()
    levels = _SPANS[asks.levels] if isinstance(asks.levels, str) else ", ".join(f"L{n}" for n in asks.levels)
    mix = f" of the mix {clean(asks.mix)}" if asks.mix else ""
    first = f" ({asks.first_items} the first time)" if asks.first_items is not None else ""
    more = f", {asks.fallen_items} more where one has fallen" if asks.fallen_items else ""
    return f"{who}{mix}, {levels}: {asks.items} questions each{first}{more}"


def _follows(one: EntryView) -> list[str]:
    follows = one.entry.follows
    found = []
    if follows.drift:
        found.append("compared with the best so far; a fall raises an alarm")
    if follows.rollback_drop is not None:
        found.append(f"a fall of {follows.rollback_drop:.0%} suggests going back")
    if follows.suggest_share is not None:
        found.append(f"a level with {follows.suggest_share:.0%} right is called within reach")
    if follows.compare == "base":
        found.append("the untrained model answers the same questions beside it")
    return found

"""The quest board's rows: the queue, and the story of one quest."""

from __future__ import annotations

from collections.abc import Sequence

from lore.lexicon import entry, label
from realm_tui.app.drawing import Look, Row, column, shorten
from realm_tui.app.widgets.hero import bar
from realm_tui.app.widgets.sheet import folded
from realm_tui.app.words import UNKNOWN, age, brief, number, percent, span, whole
from realm_tui.runtime.board_view import BoardView, Peek, QuestStory, QuestView
from realm_tui.runtime.foreign import clean

WIDE = 96
"""Cells from which the list has all its columns."""
_TONES = {
    "processing": "accent-strong",
    "completed": "good",
    "failed": "bad",
    "skipped": "muted",
    "removed": "faint",
    "queued": "text",
}
_PRIORITY_TONES = {"high": "accent", "normal": "muted", "low": "faint"}
_SHOWN_ATTEMPTS = 6


def board_head(width: int) -> Row:
    """The columns' names."""
    return _columns(" quest", ["state", "priority", "examples", "steps", "left"], ["faint"] * 5, width, "faint")


def quest_row(quest: QuestView, look: Look, width: int) -> Row:
    """``chats  on the board  urgent  412  ~100  0:14``; an estimate carries a ``~``."""
    one = quest.quest
    steps = UNKNOWN if quest.steps is None else f"{'' if quest.planned else '~'}{quest.steps:,}"
    if one.state == "processing" and quest.done is not None:
        steps = f"{whole(quest.done)}/{steps}"
    state = entry(f"quest.state.{one.state}")
    texts = [
        f"{state.mark(ascii_only=look.ascii)} {state.named(look.names)}",
        label(f"quest.priority.{one.priority}", look.names),
        whole(one.counts.get("examples")),
        steps,
        span(quest.seconds),
    ]
    tones = [_TONES.get(one.state, "text"), _PRIORITY_TONES[one.priority], "text", "text", "text"]
    gone = one.removed_at is not None
    return _columns(
        clean(one.name[:200]), texts, ["faint"] * 5 if gone else tones, width, "faint" if gone else "strong"
    )


def _columns(name: str, texts: Sequence[str], tones: Sequence[str], width: int, name_tone: str) -> Row:
    widths = (17, 10, 10, 14, 10) if width >= WIDE else (15, 9, 9, 10, 8)
    room = max(10, width - sum(widths) - 1)
    cells = [(column(name, room) + " ", name_tone)]
    for i, (text, tone, size) in enumerate(zip(texts, tones, widths, strict=True)):
        cells.append((column(text, size - 1, right=i > 1) + " ", tone))
    return tuple(cells)


def board_empty_words(look: Look, inbox: str) -> str:
    """What is said on an empty board."""
    room = label("quest.inbox", look.names)
    idle = (
        "Nothing hangs here; the hero forges its own exercises."
        if look.tavern
        else "Nothing waits; drills are made meanwhile."
    )
    return f"{idle} `d` adds a JSONL file of yours, and files laid into the {room} come by themselves: {clean(inbox)}"


def board_summary(view: BoardView) -> str:
    """The queue in a line: ``2 wait, about 0:42``."""
    waiting = [q for q in view.quests if q.place is not None]
    if not waiting:
        return "nothing waits"
    seconds = [q.seconds for q in waiting]
    known = None if any(s is None for s in seconds) else sum(s for s in seconds if s is not None)
    refused = f", {view.refused} refused in the inbox" if view.refused else ""
    return f"{len(waiting)} wait, about {span(known)}{refused}"


# ---------------------------------------------------------------- one quest


def story_empty(width: int) -> list[Row]:
    """What is said where no quest is chosen."""
    text = "What a quest holds, what it changed, where it came from and every try at it stand here once one is chosen."
    return [((f" {line}", "faint"),) for line in folded(text, max(10, width - 2))]


def story_rows(view: QuestView, story: QuestStory | None, look: Look, width: int, now: float) -> list[Row]:
    """What it holds, how far it is, what it changed, where it came from, every try at it."""
    one = view.quest
    rows: list[Row] = [((f" {shorten(clean(one.name[:200]), width - 2)}", "strong"),)]

    def fact(name: str, text: str, tone: str = "text") -> None:
        lines = folded(text, max(10, width - 14))
        for i, line in enumerate(lines or [UNKNOWN]):
            rows.append(((column("" if i else f" {name}", 13), "muted"), (line, tone)))

    counts = one.counts
    epochs = "" if one.epochs == 1 else f", read {one.epochs} times"
    tokens = brief(counts["tokens"]) if counts.get("tokens") is not None else UNKNOWN
    fact("holds", f"{whole(counts.get('examples'))} examples, {tokens} tokens{epochs}")
    if one.state == "processing" and view.steps and view.done is not None:
        filled, empty = bar(view.done / view.steps, 20 if width >= 60 else 10, look.ascii)
        done = f"  {percent(view.done, view.steps)}, {span(view.seconds)} left"
        rows.append(((column(" done", 13), "muted"), (filled, "hero"), (empty, "line"), (done, "text")))
    elif view.place is not None:
        fact("place", f"{view.place} in the queue, {_takes(view)}")
    if view.tries_left:
        fact("tries", f"{view.tries_left} left; it is tried again by itself", "warn")
    if one.reason:
        fact("reason", clean(one.reason[:600]), "bad" if one.state == "failed" else "text")
    if one.loss_before is not None or one.loss_after is not None:
        better = one.loss_before is not None and one.loss_after is not None and one.loss_after < one.loss_before
        text = f"loss {number(one.loss_before, 3)} before, {number(one.loss_after, 3)} after"
        fact("held out", text, "good" if better else "text")
    flow = one.tokens or {}
    if flow.get("in") is not None:
        lost = flow.get("truncated", 0) + flow.get("dropped", 0)
        fact("learnt", f"{brief(flow.get('trained'))} of {brief(flow['in'])} tokens, {brief(lost)} cut or left out")
    for warning in counts.get("warnings", ()) if isinstance(counts.get("warnings"), (list, tuple)) else ():
        fact("look at", clean(str(warning)), "warn")
    fact("from", _origin(view, story))
    fact("added", f"{age(now - one.created_at)} ago, as {one.format}, digest {one.digest[:12]}")
    if story is not None:
        if story.stale:
            fact("stale", clean(story.stale), "warn")
        rows += _attempts(story)
    rows += _samples(view, width)
    return rows


def _takes(view: QuestView) -> str:
    if view.steps is None:
        return "steps unknown"
    about = "" if view.planned else "about "
    pace = "" if view.seconds is None else f", {span(view.seconds)} at the pace of now"
    return f"{about}{view.steps:,} step{'s' * (view.steps != 1)}{pace}"


def _origin(view: QuestView, story: QuestStory | None) -> str:
    one = view.quest
    if one.origin == "sparring":
        form = f" of {clean(story.form)}" if story is not None and story.form else ""
        return f"sparring: failures{form} at step {whole(one.asked_step)}"
    return clean(one.source[:300])


def _attempts(story: QuestStory) -> list[Row]:
    if not story.attempts:
        return []
    rows: list[Row] = [(), ((" tries", "accent"),)]
    for one in story.attempts[-_SHOWN_ATTEMPTS:]:
        where = (
            f"from step {one.first_step:,}" if one.last_step is None else f"steps {one.first_step:,}–{one.last_step:,}"
        )
        went_on = ", goes on with an earlier one" if one.continues_id is not None else ""
        rows.append(
            (
                (f" run {one.run_id}  {where}  ", "text"),
                (one.state, _TONES.get(one.state, "muted")),
                (went_on, "faint"),
            )
        )
    return rows


def _samples(view: QuestView, width: int) -> list[Row]:
    rows: list[Row] = []
    for sample in (view.quest.samples or ())[:3]:
        rows.append(())
        for name in ("prompt", "before", "answer", "after", "expected"):
            if sample.get(name) is not None:
                text = clean(str(sample[name])[:2000], newline=" ↵ ").strip() or "(nothing)"
                lines = folded(text, max(10, width - 14), 3)
                for i, line in enumerate(lines):
                    tone = {"after": "good", "before": "muted"}.get(name, "text")
                    rows.append(((column("" if i else f" {name}", 13), "muted"), (line, tone)))
    return rows


def peek_rows(found: Sequence[Peek], width: int) -> list[Row]:
    """Examples of a quest, turn by turn."""
    rows: list[Row] = []
    for one in found:
        if rows:
            rows.append(())
        rows.append(((f"line {one.line:,}", "accent"), ("  long turns are cut" if one.cut else "", "faint")))
        for role, text in one.turns:
            said = clean(text, newline=" ↵ ").strip() or "(nothing)"
            tone = "good" if role == "assistant" else "text"
            for i, line in enumerate(folded(said, max(10, width - 11), 8)):
                rows.append(((column("" if i else clean(role), 11), "muted"), (line, tone)))
    return rows

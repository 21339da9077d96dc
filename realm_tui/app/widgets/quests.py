"""The quest board in small: what trains now, how far it is, and what waits."""

from __future__ import annotations

from collections.abc import Sequence

from lore.lexicon import label
from realm_tui.app.drawing import Look, Row, shorten, spread
from realm_tui.app.facts import Facts, QuestLine, TokenFlow
from realm_tui.app.widgets.hero import bar
from realm_tui.app.widgets.panel import Panel
from realm_tui.app.words import brief, number, percent, span, whole
from realm_tui.runtime.foreign import clean


def _waiting(quest: QuestLine, look: Look, width: int) -> Row:
    examples = f"{whole(quest.examples)} " if quest.examples is not None else ""
    priority = label(f"quest.priority.{quest.priority}", look.names)
    right: Row = ((f"{priority}  ", "accent" if quest.priority == "high" else "muted"), (examples, "muted"))
    return spread((("   ", ""), (clean(quest.name), "text")), right, width)


def _tokens(flow: TokenFlow, look: Look) -> Row:
    """How much of the file is learnt; what is cut or left out stands out."""
    told: Row = (
        (f"   {label('quest.tokens', look.names).lower()} ", "muted"),
        (f"{brief(flow.trained)} of {brief(flow.taken_in)}", "text"),
    )
    return (*told, (f"   {brief(flow.lost)} cut", "warn")) if flow.lost else told


def quest_rows(facts: Facts, look: Look, width: int, height: int) -> list[Row]:
    """The quest in training with progress, time left and held-out loss; then the queue, as much as fits."""
    status, quest = facts.status, facts.status.quest
    rows: list[Row] = []
    if quest is None:
        rows.append(((" nothing trains", "faint"),))
    else:
        forged = "" if quest.id is not None else f" ({label('quest.forged', look.names).lower()})"
        right: Row = ((f"{percent(quest.step, quest.steps)}  ", "strong"), (f"{span(quest.eta_s)} ", "muted"))
        left: Row = ((" ▶ ", "accent"), (shorten(clean(quest.name), width - 18) + forged, "strong"))
        rows.append(spread(left, right, width))
        if height >= 4:
            part = quest.step / quest.steps if quest.step is not None and quest.steps else 0.0
            filled, empty = bar(part, max(4, width - 4), look.ascii)
            rows.append((("   ", ""), (filled, "hero"), (empty, "line")))
        if quest.held_out_loss is not None:
            rows.append(
                (
                    (f"   {label('training.held_out_loss', look.names).lower()} ", "muted"),
                    (number(quest.held_out_loss, 3), "text"),
                )
            )
    flow = next((q.tokens for q in facts.quests if q.state == "processing" and quest is not None), None)
    if flow is not None and height >= 5:
        rows.append(_tokens(flow, look))
    waiting = [q for q in facts.quests if q.state == "queued"]
    room = height - len(rows)
    shown = waiting[: room - 1] if len(waiting) > room else waiting
    rows += [_waiting(q, look, width) for q in shown]
    more = max(len(waiting), status.queue.total) - len(shown)
    if more > 0:
        rows.append(((f"   + {more} more", "muted"),))
    elif not waiting and height - len(rows) >= 2:
        rows += [(), (("   d", "key"), (" adds a file of your own", "faint"))]
    return rows


class QuestsPanel(Panel):
    """What is trained now and next."""

    word = "panel.quests"

    def paint(self, facts: Facts, look: Look, width: int, height: int) -> Sequence[Row]:
        return quest_rows(facts, look, width, height)

"""The top line: who trains, what the engine does, and how old the numbers are."""

from __future__ import annotations

from collections.abc import Sequence

from engine.link.state import LIVING, EngineState
from lore.lexicon import entry
from realm_tui.app.drawing import Look, Row, shorten, spread, width_of
from realm_tui.app.facts import Facts
from realm_tui.app.widgets.panel import Panel
from realm_tui.app.words import age, brief, whole
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.status import Status

_TONES = {
    EngineState.TRAINING: "good-strong",
    EngineState.EXAMINING: "accent-strong",
    EngineState.SAVING: "good-strong",
    EngineState.PAUSED: "warn-strong",
    EngineState.PARKED: "warn-strong",
    EngineState.BLOCKED: "bad-strong",
    EngineState.CRASHED: "bad-strong",
}


def data_age(status: Status) -> float | None:
    """Age of what the screen shows: of the engine's last sign of life while it is busy otherwise, else of the newest step."""
    busy = status.state in LIVING and status.state is not EngineState.TRAINING
    first, then = ("heartbeat", "step") if busy else ("step", "heartbeat")
    found = status.ages_s.get(first)
    return found if found is not None else status.ages_s.get(then)


def header_rows(facts: Facts, look: Look, width: int, pending: str = "") -> list[Row]:
    """One row; what does not fit is left out from the middle.

    Args:
        pending: a command that is on its way, in words.
    """
    status = facts.status
    state = entry(f"engine.state.{status.state}")
    tone = _TONES.get(status.state, "muted")
    left: Row = ((" REALM ", "accent-strong"), (" ", ""), (clean(status.hero.name), "hero"))
    further = ((f", {clean(status.hero.epithet)}", "text"), (f" · {clean(status.campaign)}", "muted"))
    doing = pending or clean(status.progress or "")
    right: list[tuple[str, str]] = [(f"{state.icon} {state.named(look.names)}", tone)]
    if doing:
        right.append((f" · {shorten(doing, max(12, width * 3 // 8))}", "text"))
    right.append((f"  {entry('training.step').named(look.names).lower()} ", "muted"))
    right.append((whole(status.step), "strong"))
    if width >= 100:
        right += [("  ", ""), (brief(status.tokens_per_s), "text"), (" tok/s", "muted")]
    seen = data_age(status)
    stale = status.stale
    right += [("  age ", "muted"), (f"{age(seen):>6}", "bad-strong" if stale else "text"), (" ", "")]
    for part in further:
        if width_of(left) + width_of((part,)) + width_of(tuple(right)) >= width:
            break
        left = (*left, part)
    return [spread(left, tuple(right), width)]


class Header(Panel):
    """The top line."""

    def __init__(self, key: str, classes: str = "") -> None:
        super().__init__(key, classes)
        self.pending = ""

    def paint(self, facts: Facts, look: Look, width: int, height: int) -> Sequence[Row]:
        return header_rows(facts, look, width, self.pending)

"""One line under the header, only while something is in the way: the first blocker, or data that grew old."""

from __future__ import annotations

from collections.abc import Sequence

from engine.link.state import LIVING
from realm_tui.app.drawing import Look, Row
from realm_tui.app.facts import Facts
from realm_tui.app.widgets.panel import Panel
from realm_tui.app.words import age
from realm_tui.runtime.foreign import clean


def banner_rows(facts: Facts, stale_s: float) -> list[Row]:
    """What stands in the way, most pressing first; empty when nothing does."""
    status = facts.status
    rows: list[Row] = []
    for blocker in status.blockers:
        rows.append(
            ((" ! ", "alarm"), (f" {clean(blocker.reason)}", "bad-strong"), (f" → {clean(blocker.fix)}", "text"))
        )
    if status.state not in LIVING:
        return rows
    silent, idle = status.ages_s.get("heartbeat"), status.ages_s.get("step")
    if status.stale or (silent is not None and silent >= stale_s):
        rows.append(_old(f" The engine has said nothing for {age(silent)}."))
    elif status.state == "training" and status.steps_per_s is not None and idle is not None and idle >= stale_s:
        # Before the first step of a run its age is that of the run before, which nobody need be warned of.
        rows.append(_old(f" No step was done for {age(idle)}."))
    return rows


def _old(what: str) -> Row:
    return ((" ! ", "alarm"), (what, "bad-strong"), (" The numbers below are as old as that.", "text"))


class Banner(Panel):
    """The warning line; it takes no room while there is nothing to warn of."""

    def __init__(self, key: str, stale_s: float) -> None:
        super().__init__(key)
        self.stale_s = stale_s
        self.trouble = ""
        """Why the screen's own data cannot be read, in words; empty when it can."""

    def _told(self, facts: Facts) -> list[Row]:
        told: list[Row] = [((" ! ", "alarm"), (f" {self.trouble}", "bad-strong"))] if self.trouble else []
        return told + banner_rows(facts, self.stale_s)

    def show(self, facts: Facts, look: Look) -> None:
        wanted = bool(self._told(facts))
        if self.display != wanted:
            self.display = wanted
        super().show(facts, look)

    def paint(self, facts: Facts, look: Look, width: int, height: int) -> Sequence[Row]:
        return self._told(facts)

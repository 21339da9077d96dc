"""The bottom line: keys and what they do, made from the registry of actions; a click does the same."""

from __future__ import annotations

from collections.abc import Sequence

from textual.events import Click

from realm_tui.app.actions import ACTIONS, Action
from realm_tui.app.drawing import Drawing, Look, Row
from realm_tui.app.facts import Facts

_GAP = 2


def footer_actions(look: Look, width: int) -> list[tuple[Action, int, int]]:
    """The actions that fit, each with its first and last cell + 1, in the registry's order."""
    wanted = sorted((a for a in ACTIONS if a.in_footer), key=lambda a: a.footer_order)
    chosen: set[str] = set()
    used = 1
    for one in wanted:
        size = len(one.key_label) + 1 + len(one.label(look.tavern)) + _GAP
        if used + size - _GAP > width:
            break
        chosen.add(one.id)
        used += size
    out: list[tuple[Action, int, int]] = []
    x = 1
    for one in ACTIONS:
        if one.id in chosen:
            end = x + len(one.key_label) + 1 + len(one.label(look.tavern))
            out.append((one, x, end))
            x = end + _GAP
    return out


class Footer(Drawing):
    """The bottom line."""

    def __init__(self, key: str, classes: str = "") -> None:
        super().__init__(key, classes)
        self.look = Look()

    def show(self, facts: Facts, look: Look) -> None:
        """Only the look matters here; keys do not change with the facts."""
        self.look = look
        self.redraw()

    def rows(self, width: int, height: int) -> Sequence[Row]:
        row: list[tuple[str, str]] = [(" ", "")]
        for one, _, _ in footer_actions(self.look, width):
            row += [(one.key_label, "key"), (f" {one.label(self.look.tavern)}", "muted"), (" " * _GAP, "")]
        return [tuple(row)]

    async def on_click(self, event: Click) -> None:
        """Do what the word under the mouse says."""
        for one, start, end in footer_actions(self.look, self.content_size.width):
            if start <= event.x < end:
                await self.app.run_action(one.id)

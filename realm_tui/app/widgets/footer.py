"""The bottom line: keys and what they do, made from the registry of actions; a click does the same."""

from __future__ import annotations

from collections.abc import Sequence

from textual.events import Click

from realm_tui.app.actions import ACTIONS, Action
from realm_tui.app.drawing import Drawing, Look, Row
from realm_tui.app.facts import Facts

_GAP = 2
_MUST = frozenset({"home", "help", "leave"})
"""What the bottom line of a page names before the page's own actions."""
_ON_PAGES = frozenset({"home", "more", "pause_or_resume", "names", "palette", "help", "leave"})
"""What the bottom line of a page names of the actions shared by all screens; the others work there, too."""


def footer_actions(
    look: Look, width: int, own: Sequence[Action] = (), *, on_battle: bool = True
) -> list[tuple[Action, int, int]]:
    """The actions that fit, each with its first and last cell + 1: a screen's own first, then those of every screen.

    Args:
        look: the look in force.
        width: cells there are.
        own: the screen's own actions.
        on_battle: whether it is the Battle screen.
    """
    shared = [a for a in ACTIONS if a.in_footer and a.offered(on_battle=on_battle)]
    mine = [a for a in own if a.in_footer]
    if not on_battle:
        shared = [a for a in shared if a.id in _ON_PAGES]
    must = [a for a in shared if a.id in _MUST] if not on_battle else []
    wanted = sorted(must, key=_order) + sorted(mine, key=_order)
    wanted += sorted((a for a in shared if a not in must), key=_order)
    chosen: set[str] = set()
    used = 1
    for one in wanted:
        size = len(one.key_label) + 1 + len(one.label(look.tavern)) + _GAP
        if used + size - _GAP > width:
            continue
        chosen.add(one.id)
        used += size
    out: list[tuple[Action, int, int]] = []
    x = 1
    for one in (*mine, *shared):
        if one.id in chosen:
            end = x + len(one.key_label) + 1 + len(one.label(look.tavern))
            out.append((one, x, end))
            x = end + _GAP
    return out


def _order(one: Action) -> int:
    return one.footer_order


class Footer(Drawing):
    """The bottom line."""

    def __init__(self, key: str, classes: str = "", *, own: Sequence[Action] = (), on_battle: bool = True) -> None:
        """
        Args:
            key: id of the widget.
            classes: style classes.
            own: the screen's own actions; the screen answers them.
            on_battle: whether it stands on the Battle screen.
        """
        super().__init__(key, classes)
        self.look = Look()
        self._own, self._on_battle = tuple(own), on_battle

    def _laid(self, width: int) -> list[tuple[Action, int, int]]:
        return footer_actions(self.look, width, self._own, on_battle=self._on_battle)

    def show(self, facts: Facts, look: Look) -> None:
        """Only the look matters here; keys do not change with the facts."""
        if look != self.look:
            self.look = look
            self.redraw()

    def rows(self, width: int, height: int) -> Sequence[Row]:
        row: list[tuple[str, str]] = [(" ", "")]
        for one, _, _ in self._laid(width):
            row += [(one.key_label, "key"), (f" {one.label(self.look.tavern)}", "muted"), (" " * _GAP, "")]
        return [tuple(row[:-1])]

    async def on_click(self, event: Click) -> None:
        """Do what the word under the mouse says."""
        for one, start, end in self._laid(self.content_size.width):
            if start <= event.x < end:
                await self.app.run_action(one.id, self.screen if one in self._own else None)

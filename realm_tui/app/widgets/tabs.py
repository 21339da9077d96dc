"""The line of screens under the header: every screen that has a key, the open one in full."""

from __future__ import annotations

from collections.abc import Sequence

from textual.events import Click

from lore.lexicon import entry
from realm_tui.app.drawing import Drawing, Look, Row, spread
from realm_tui.app.screens.registry import MORE, SCREENS, ScreenEntry, screen


def tab_cells(look: Look, width: int, place: str) -> list[tuple[ScreenEntry, str, int, int]]:
    """Each tab with its words, its first and last cell + 1; where room is short More, and then all but the open one, lose their names.

    Args:
        place: id of the open screen.
    """
    shown = [s for s in SCREENS if s.key or s.id == place]

    def laid(gap: int, *, named: bool, more: bool = True) -> list[tuple[ScreenEntry, str, int, int]]:
        out: list[tuple[ScreenEntry, str, int, int]] = []
        x = 1
        for one in shown:
            name = entry(one.word).named(look.names) if (named and (more or one.id != MORE)) or one.id == place else ""
            text = f"{one.key} {name}".strip()
            out.append((one, text, x, x + len(text)))
            x += len(text) + gap
        return out

    for gap, more in ((2, True), (1, True), (1, False)):
        full = laid(gap, named=True, more=more or place == MORE)
        if full[-1][3] < width:
            return full
    return laid(3, named=False)


class Tabs(Drawing):
    """The line of screens."""

    def __init__(self, key: str, place: str) -> None:
        super().__init__(key)
        self._place, self._look = place, Look()

    def show(self, look: Look) -> None:
        """Draw the tabs; only the voice changes them."""
        if look != self._look:
            self._look = look
            self.redraw()

    def rows(self, width: int, height: int) -> Sequence[Row]:
        row: list[tuple[str, str]] = []
        at = 0
        for one, text, start, end in tab_cells(self._look, width, self._place):
            row.append((" " * (start - at), ""))
            if one.id == self._place:
                row.append((text, "accent-strong"))
            else:
                key, _, name = text.partition(" ")
                row += [(key, "key"), (f" {name}" if name else "", "muted")]
            at = end
        told = entry(screen(self._place).word).short if self._place else ""
        room = width - at - 3
        right: Row = ((f"{told} ", "faint"),) if len(told) < room else ()
        return [spread(tuple(row), right, width)]

    async def on_click(self, event: Click) -> None:
        """Open the screen under the mouse."""
        for one, _, start, end in tab_cells(self._look, self.content_size.width, self._place):
            if start <= event.x < end:
                await self.app.run_action(one.action)

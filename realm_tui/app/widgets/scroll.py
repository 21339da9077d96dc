"""A sheet of any number of rows: what does not fit is reached by scrolling, and the lower border says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import MouseScrollDown, MouseScrollUp

from realm_tui.app.drawing import Look, Row
from realm_tui.app.widgets.sheet import Sheet

_WHEEL_ROWS = 3


class Scroll(Sheet, can_focus=True):
    """Rows that arrows, page and home keys move through; it stays where it was while its subject is the same."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "turn(-1)", show=False),
        Binding("pagedown", "turn(1)", show=False),
        Binding("home", "edge(0)", show=False),
        Binding("end", "edge(1)", show=False),
    ]

    def __init__(self, key: str, word: str = "", classes: str = "panel") -> None:
        super().__init__(key, word, classes)
        self._all: Callable[[int], Sequence[Row]] = lambda width: ()
        self._top = self._lines = 0
        self._subject: object = None
        self._said = ("", "")
        self._spot: tuple[object, Callable[[Sequence[Row]], int | None]] | None = None
        self._seen: object = None

    def fill(
        self,
        rows: Callable[[int], Sequence[Row]],
        look: Look,
        *,
        subject: object = None,
        title: str = "",
        subtitle: str = "",
        spot: tuple[object, Callable[[Sequence[Row]], int | None]] | None = None,
    ) -> None:
        """Show all of the rows that ``rows`` makes for a width.

        Args:
            rows: makes them.
            look: the look in force.
            subject: whose rows they are; those of another one are shown from the first.
            title: words in the upper border instead of the lexicon's.
            subtitle: words in the lower border while everything fits.
            spot: what is looked at within them, and what finds its row; another one is brought into sight once.
        """
        self._all, self._said, self._spot = rows, (title, subtitle), spot
        if subject != self._subject:
            self._subject, self._top = subject, 0
        self.draw(self._cut, look, title=title, subtitle=subtitle)

    def _cut(self, width: int, height: int) -> Sequence[Row]:
        found = self._all(width)
        self._lines = len(found)
        if self._spot is not None and self._spot[0] != self._seen:
            self._seen = self._spot[0]
            at = self._spot[1](found)
            if at is not None and not self._top <= at < self._top + height - 1:
                self._top = at - height // 2
        self._top = max(0, min(self._top, len(found) - height))
        shown = list(found[self._top : self._top + height])
        below = len(found) - self._top - height
        if below > 0 and height > 2 and self.styles.border_bottom[0] in ("", "none"):
            shown[-1] = ((f" … {below + 1} more (tab, arrows)", "faint"),)
        return shown

    def redraw(self, *, fully: bool = False) -> None:
        super().redraw(fully=fully)
        height = self.content_size.height
        if height:
            title, subtitle = self._said
            where = f"{self._top + 1}–{self._top + height} of {self._lines}" if self._lines > height else ""
            self.head(self.look, title, where or subtitle)

    def action_move(self, by: int) -> None:
        """Scroll by so many rows."""
        self._top += by
        self.redraw()

    def action_turn(self, by: int) -> None:
        """Scroll by so many screens."""
        self.action_move(by * max(1, self.content_size.height - 1))

    def action_edge(self, end: int) -> None:
        """Scroll to the first row, or to the last."""
        self.action_move(self._lines if end else -self._lines)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.action_move(_WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.action_move(-_WHEEL_ROWS)

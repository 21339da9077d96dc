"""What pages are built of: a list with a cursor, and a sheet of rows that scrolls.

Both keep their place when the facts are read again: a list by the key of the line under the cursor, a sheet by its first line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from textual.binding import Binding, BindingType
from textual.events import Blur, Click, Focus, MouseScrollDown, MouseScrollUp
from textual.markup import escape
from textual.message import Message

from lore.lexicon import entry
from realm_tui.app.drawing import Drawing, Look, Row, fit

T = TypeVar("T")
_PLAIN = frozenset({"", "text", "muted", "faint", "strong"})
"""Roles that a line under the cursor draws bright; the others mean something and stay."""
_MARK = 2
"""Cells of the cursor's column."""
_BINDINGS: list[BindingType] = [
    Binding("up", "move(-1)", show=False),
    Binding("down", "move(1)", show=False),
    Binding("pageup", "turn(-1)", show=False),
    Binding("pagedown", "turn(1)", show=False),
    Binding("home", "edge(0)", show=False),
    Binding("end", "edge(1)", show=False),
]


class Framed(Drawing):
    """A drawing with a title and a tooltip from the lexicon."""

    def __init__(self, key: str, word: str, classes: str = "panel") -> None:
        """
        Args:
            key: the widget's id.
            word: key of the lexicon entry that names and explains it.
            classes: of the style sheets.
        """
        super().__init__(key, classes)
        self._word = word
        self._frame = ("", "", "")
        self.look = Look()

    def frame(self, look: Look, *, after: str = "", below: str = "") -> None:
        """Set the border's words.

        Args:
            look: in which voice.
            after: what follows the title; clean text.
            below: what the lower border says; clean text.
        """
        self.look = look
        named = entry(self._word)
        title = named.named(look.names) + (f"  {after}" if after else "")
        frame = (escape(title), escape(below), named.explained(look.names))
        if frame != self._frame:
            self._frame = frame
            self.border_title, self.border_subtitle, self.tooltip = frame

    def on_focus(self, _: Focus) -> None:
        self.redraw()

    def on_blur(self, _: Blur) -> None:
        self.redraw()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.action_move(1)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.action_move(-1)

    def action_move(self, by: int) -> None:
        """Go down so many lines, or up."""
        raise NotImplementedError


class Listing(Framed, Generic[T], can_focus=True):
    """Lines with a cursor, painted from items; only those in sight are painted."""

    BINDINGS: ClassVar[list[BindingType]] = [*_BINDINGS, Binding("enter", "choose", show=False)]

    class Moved(Message):
        """The cursor stands on another item."""

        def __init__(self, listing: Listing[Any], key: str | None) -> None:
            super().__init__()
            self.listing, self.key = listing, key

        @property
        def control(self) -> Listing[Any]:
            return self.listing

    class Chosen(Moved):
        """Enter, or a second click, on an item."""

    def __init__(
        self,
        key: str,
        word: str,
        paint: Callable[[T, Look, int], Row],
        *,
        head: Callable[[Look, int], Row] | None = None,
        classes: str = "panel",
    ) -> None:
        """
        Args:
            key: the widget's id.
            word: names and explains it.
            paint: the row of an item, for a look and a width.
            head: the row above them all.
            classes: of the style sheets.
        """
        super().__init__(key, word, classes)
        self._paint, self._head = paint, head
        self._items: Sequence[tuple[str, T]] = ()
        self._empty: Sequence[Row] = ()
        self._at = 0
        self._top = 0
        self._key: str | None = None

    # ------------------------------------------------------------------ items

    def fill(self, items: Sequence[tuple[str, T]], look: Look, empty: Sequence[Row] = ()) -> None:
        """Show items by their keys; the cursor stays on its item, or near where it stood when that is gone.

        Args:
            items: key and item, from top to bottom.
            look: how to draw.
            empty: rows shown instead when there is none.
        """
        self.look, self._items, self._empty = look, items, empty
        places = {key: i for i, (key, _) in enumerate(items)}
        before = self._key
        self._at = places.get(before, min(self._at, max(0, len(items) - 1))) if before is not None else 0
        self._key = items[self._at][0] if items else None
        if self._key != before:
            self.post_message(self.Moved(self, self._key))
        self.redraw()

    @property
    def key(self) -> str | None:
        """Key of the item under the cursor; None when there is none."""
        return self._key

    @property
    def item(self) -> T | None:
        """The item under the cursor."""
        return self._items[self._at][1] if self._items else None

    def go(self, key: str) -> None:
        """Put the cursor on an item, when there is one of that key."""
        for i, (found, _) in enumerate(self._items):
            if found == key:
                self._stand(i)
                return

    # ------------------------------------------------------------------ drawing

    def _room(self) -> int:
        return max(1, self.content_size.height - (self._head is not None))

    def rows(self, width: int, height: int) -> Sequence[Row]:
        head = [self._head(self.look, width - _MARK)] if self._head is not None else []
        if not self._items:
            return [*self._empty]
        room = max(1, height - len(head))
        self._top = max(0, min(self._top, self._at, len(self._items) - room))
        self._top = max(self._top, self._at - room + 1)
        shown = self._items[self._top : self._top + room]
        rows = [self._line(i, item, width) for i, (_, item) in enumerate(shown, self._top)]
        return [*((("  ", ""), *row) for row in head), *rows]

    def _line(self, place: int, item: T, width: int) -> Row:
        row = fit(self._paint(item, self.look, width - _MARK), width - _MARK)
        if place != self._at:
            return (("  ", ""), *row)
        if not self.has_focus:
            return (("▸ ", "faint"), *row)
        return (("▸ ", "key"), *((text, "tip" if role in _PLAIN else role) for text, role in row))

    # ------------------------------------------------------------------ moving

    def _stand(self, place: int) -> None:
        place = max(0, min(place, len(self._items) - 1))
        if self._items and place != self._at:
            self._at, self._key = place, self._items[place][0]
            self.redraw()
            self.post_message(self.Moved(self, self._key))

    def action_move(self, by: int) -> None:
        """Move the cursor by so many items."""
        self._stand(self._at + by)

    def action_turn(self, by: int) -> None:
        """Move the cursor by so many screens."""
        self._stand(self._at + by * max(1, self._room() - 1))

    def action_edge(self, end: int) -> None:
        """Move the cursor to the first item, or to the last."""
        self._stand(len(self._items) - 1 if end else 0)

    def action_choose(self) -> None:
        """Choose the item under the cursor."""
        if self._items:
            self.post_message(self.Chosen(self, self._key))

    def on_click(self, event: Click) -> None:
        place = event.get_content_offset(self)
        if place is None or not self._items:
            return
        row = place.y - (self._head is not None) + self._top
        if 0 <= row < len(self._items):
            again = row == self._at
            self._stand(row)
            if again and event.chain > 1:
                self.action_choose()


class Sheet(Framed, can_focus=True):
    """Rows of any number; what does not fit is reached by scrolling, and the lower border says so."""

    BINDINGS: ClassVar[list[BindingType]] = _BINDINGS

    def __init__(self, key: str, word: str, classes: str = "panel") -> None:
        super().__init__(key, word, classes)
        self._painter: Callable[[int], Sequence[Row]] = lambda width: ()
        self._top = 0
        self._lines = 0
        self._below = ""
        self._subject: object = None

    def fill(self, painter: Callable[[int], Sequence[Row]], look: Look, *, subject: object = None) -> None:
        """Show what ``painter`` gives for a width.

        Args:
            painter: makes the rows.
            look: how to draw.
            subject: whose rows they are; those of another one are shown from the first.
        """
        self.look, self._painter = look, painter
        if subject != self._subject:
            self._subject, self._top = subject, 0
        self.redraw()

    def rows(self, width: int, height: int) -> Sequence[Row]:
        found = list(self._painter(width))
        self._lines = len(found)
        self._top = max(0, min(self._top, len(found) - height))
        return found[self._top : self._top + height]

    def redraw(self, *, fully: bool = False) -> None:
        super().redraw(fully=fully)
        height = self.content_size.height
        hidden = self._lines - height if height else 0
        below = f"{self._top + 1}–{self._top + height} of {self._lines}, tab and arrows scroll" if hidden > 0 else ""
        if below != self._below:
            self._below = below
            self.border_subtitle = below

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

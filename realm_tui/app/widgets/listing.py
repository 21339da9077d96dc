"""A list with a cursor: rows by key, so that a refresh moves neither the cursor nor what is seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from textual.binding import Binding, BindingType
from textual.events import Click, MouseScrollDown, MouseScrollUp, Resize
from textual.message import Message

from realm_tui.app.drawing import Drawing, Look, Row, fit
from realm_tui.app.widgets.sheet import Sheet, folded

_WHEEL_ROWS = 3
_LEAST_ROWS = 3
"""Rows that a list keeps, however few lines it has: what stands there while it is empty must fit."""

Rows = Callable[[int], Sequence[Row]]
"""Draws any number of rows at a width."""


class Item(NamedTuple):
    """A line of a list."""

    key: str
    """What it stands for; unique in the list, and the same when its text changes."""
    row: Row | Callable[[int], Row]
    """The line, or what paints it for a width; only lines in sight are painted."""

    def painted(self, width: int) -> Row:
        """The line at a width."""
        return self.row(width) if callable(self.row) else self.row


class Listing(Sheet, can_focus=True):
    """Lines to choose from: arrows, page and home keys move, enter or a click chooses."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "edge(0)", show=False),
        Binding("end", "edge(-1)", show=False),
        Binding("enter", "choose", show=False),
    ]

    class Moved(Message):
        """The cursor stands on another line."""

        def __init__(self, listing: Listing, key: str) -> None:
            super().__init__()
            self.listing, self.key = listing, key

        @property
        def control(self) -> Listing:
            return self.listing

    class Chosen(Moved):
        """A line was chosen."""

    def __init__(
        self,
        key: str,
        word: str = "",
        classes: str = "panel",
        *,
        empty: str = "nothing here yet",
        snug: bool = False,
    ) -> None:
        """
        Args:
            key: id of the widget.
            word: lexicon key of its title and tooltip.
            classes: style classes.
            empty: what is said while there is no line: what will stand here and how to get it.
            snug: on a small terminal it takes no more rows than it has lines, and leaves the rest to what stands below it.
        """
        super().__init__(key, word, classes)
        self._empty: str | Rows = empty
        self._items: Sequence[Item] = ()
        self._head: Rows = lambda _: ()
        self._cursor = self._top = 0
        self._snug = snug

    @property
    def chosen(self) -> str | None:
        """Key of the line under the cursor; None while there is none."""
        return self._items[self._cursor].key if self._items else None

    def draw(  # type: ignore[override]
        self,
        items: Sequence[Item],
        look: Look,
        *,
        title: str = "",
        subtitle: str = "",
        head: Rows | None = None,
        empty: str | Rows = "",
        at: str | None = None,
    ) -> None:
        """Show lines; the cursor stays on the line with the same key, else at the same height.

        Args:
            items: the lines.
            look: the look in force.
            title: words in the upper border instead of the lexicon's.
            subtitle: words in the lower border; empty: where the cursor stands.
            head: rows above the lines that do not scroll.
            empty: said instead of the usual words while there is no line, or what paints it.
            at: where the cursor goes, if there is such a line.
        """
        before = self.chosen
        self.look, self._head, self._empty = look, head or self._head, empty or self._empty
        self._items = items
        places = {one.key: place for place, one in enumerate(items)}
        wanted = before if at is None or at not in places else at
        place = places.get(wanted) if wanted is not None else None
        if place is not None:
            # From the first line on, newer ones come into sight; further down, what is seen stays where it is.
            self._top += place - self._cursor if self._top and wanted == before else 0
            self._cursor = place
        self._cursor = max(0, min(self._cursor, len(items) - 1))
        where = f"{self._cursor + 1}/{len(items)}" if items else ""
        self.head(look, title, subtitle or where)
        self._take_room()
        self.redraw()
        if self.chosen != before and self.chosen is not None:
            self.post_message(self.Moved(self, self.chosen))

    def go_to(self, key: str) -> None:
        """Put the cursor on the line with that key, if there is one."""
        at = next((i for i, one in enumerate(self._items) if one.key == key), None)
        if at is not None:
            self._stand(at)

    def rows(self, width: int, height: int) -> Sequence[Row]:
        head: list[Row] = [((" ", ""), *row) for row in self._head(width - 1)]
        if not self._items:
            if callable(self._empty):
                return [*head, *self._empty(width)]
            return [*head, *(((f" {line}", "faint"),) for line in folded(self._empty, max(1, width - 2)))]
        head = head if height > len(head) + 1 else []
        room = max(1, height - len(head))
        self._top = max(0, min(self._top, self._cursor, len(self._items) - room), self._cursor - room + 1)
        cursor = "│" if not self.has_focus else ">" if self.look.ascii else "▌"
        out = head
        for i in range(self._top, min(len(self._items), self._top + room)):
            mark = ((cursor, "accent-strong"),) if i == self._cursor else ((" ", ""),)
            row = self._items[i].painted(width - 1)
            if i == self._cursor:
                row = tuple((text, "strong" if role in ("", "text", "muted", "faint") else role) for text, role in row)
            out.append(fit((*mark, *row), width))
        return out

    def _head_rows(self) -> int:
        """Rows above the first line as they are drawn now."""
        width, height = self.content_size
        found = len(self._head(width - 1)) if width > 1 else 0
        return found if height > found + 1 else 0

    def _take_room(self) -> None:
        """Take as much height as is needed where the list is snug, all that the layout gives elsewhere."""
        if not self._snug or not self.is_attached:
            return
        most = None
        if self.screen.has_class("-compact"):
            head = len(self._head(self.content_size.width - 1)) if self.content_size.width > 1 else 0
            most = max(_LEAST_ROWS, len(self._items) + head) + self.gutter.height
        held = self.styles.max_height
        if (None if held is None else held.value) != most:
            self.styles.max_height = most

    def _stand(self, at: int) -> None:
        at = max(0, min(at, len(self._items) - 1))
        if at == self._cursor or not self._items:
            return
        self._cursor = at
        if self._titles is not None and self._titles[1].partition("/")[0].isdigit():
            self.head(self.look, self._titles[0], f"{at + 1}/{len(self._items)}")
        self.redraw()
        self.post_message(self.Moved(self, self._items[at].key))

    def action_move(self, by: int) -> None:
        self._stand(self._cursor + by)

    def action_page(self, by: int) -> None:
        self._stand(self._cursor + by * max(1, self.content_size.height - 1))

    def action_edge(self, at: int) -> None:
        self._stand(0 if at == 0 else len(self._items) - 1)

    def action_choose(self) -> None:
        if self.chosen is not None:
            self.post_message(self.Chosen(self, self.chosen))

    def on_click(self, event: Click) -> None:
        """Stand on the line under the mouse; a click on the line of the cursor chooses it."""
        inside = event.get_content_offset(self)
        if inside is None or inside.y < (head := self._head_rows()):
            return
        at = self._top + inside.y - head
        if at < len(self._items):
            if at == self._cursor:
                self.action_choose()
            self._stand(at)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self._stand(self._cursor + _WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self._stand(self._cursor - _WHEEL_ROWS)

    def watch_has_focus(self, _has_focus: bool) -> None:
        """The cursor shows whether keys act on this list."""
        super().watch_has_focus(_has_focus)
        Drawing.redraw(self)

    def on_resize(self, _: Resize) -> None:
        self._take_room()

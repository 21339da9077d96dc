"""Two ways to draw more than fits: a list with a cursor, and a sheet that scrolls. Both keep their place when they are drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Blur, Click, Focus, MouseScrollDown, MouseScrollUp
from textual.message import Message

from realm_tui.app.drawing import Drawing, Row

Item = tuple[str, Callable[[int], Row]]
"""A line's key, which stays the same when its text changes, and what draws it at a width."""
Sheet = Callable[[int], Sequence[Row]]
"""Draws any number of rows at a width."""

CURSOR = "▸"


class Picker(Drawing, can_focus=True):
    """A list: the cursor stays on its line's key, whatever is added or goes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "edge(0)", show=False),
        Binding("end", "edge(1)", show=False),
        Binding("enter", "choose", show=False),
    ]

    class Moved(Message):
        """The cursor stands on another line."""

        def __init__(self, picker: Picker, key: str) -> None:
            super().__init__()
            self.picker, self.key = picker, key

        @property
        def control(self) -> Picker:
            return self.picker

    class Chosen(Message):
        """Enter was pressed on a line."""

        def __init__(self, picker: Picker, key: str) -> None:
            super().__init__()
            self.picker, self.key = picker, key

        @property
        def control(self) -> Picker:
            return self.picker

    def __init__(self, key: str, classes: str = "panel") -> None:
        super().__init__(key, classes)
        self._items: tuple[Item, ...] = ()
        self._heads: Sheet = lambda _: ()
        self._empty: Sheet = lambda _: ()
        self._at = 0
        self._top = 0

    @property
    def key(self) -> str | None:
        """Key of the line under the cursor; None while there is none."""
        return self._items[self._at][0] if self._items else None

    def fill(self, items: Sequence[Item], *, heads: Sheet | None = None, empty: Sheet | None = None) -> None:
        """Show other lines; the cursor stays on its key, or else at its place.

        Args:
            items: the lines.
            heads: rows above them that do not scroll.
            empty: what stands there instead while there are no lines.
        """
        key = self.key
        self._items = tuple(items)
        self._heads, self._empty = heads or self._heads, empty or self._empty
        places = {item[0]: place for place, item in enumerate(self._items)}
        self._at = places.get(key or "", min(self._at, max(0, len(self._items) - 1)))
        self.redraw()

    def go(self, key: str) -> None:
        """Set the cursor on a line; one that is not there changes nothing."""
        for place, item in enumerate(self._items):
            if item[0] == key:
                self._set(place)

    def rows(self, width: int, height: int) -> Sequence[Row]:
        if not self._items:
            return [*(((" ", ""), *head) for head in self._heads(width - 1)), *self._empty(width)][:height]
        heads = list(self._heads(width - 1)) if height > 3 else []
        room = max(1, height - len(heads))
        self._top = max(0, min(self._top, self._at, len(self._items) - room), self._at - room + 1)
        mark = "accent-strong" if self.has_focus else "muted"
        body: list[Row] = []
        for place in range(self._top, min(len(self._items), self._top + room)):
            row = self._items[place][1](width - 1)
            if place == self._at:
                body.append(
                    ((CURSOR, mark), *((text, "strong" if role in ("text", "") else role) for text, role in row))
                )
            else:
                body.append(((" ", ""), *row))
        return [*(((" ", ""), *head) for head in heads), *body]

    def redraw(self, *, fully: bool = False) -> None:
        self._tell_place()
        super().redraw(fully=fully)

    def _tell_place(self) -> None:
        told = f"{self._at + 1}/{len(self._items)}" if len(self._items) > 1 else ""
        if (self.border_subtitle or "") != told:
            self.border_subtitle = told

    def _set(self, place: int) -> None:
        place = max(0, min(place, len(self._items) - 1))
        if not self._items or place == self._at:
            return
        self._at = place
        self.redraw()
        self.post_message(self.Moved(self, self._items[place][0]))

    def action_move(self, by: int) -> None:
        self._set(self._at + by)

    def action_page(self, by: int) -> None:
        self._set(self._at + by * max(1, self.content_size.height - 2))

    def action_edge(self, end: int) -> None:
        self._set(len(self._items) - 1 if end else 0)

    def action_choose(self) -> None:
        if self.key is not None:
            self.post_message(self.Chosen(self, self.key))

    def on_click(self, event: Click) -> None:
        heads = len(self._heads(self.content_size.width - 1)) if self.content_size.height > 3 else 0
        place = event.get_content_offset_capture(self).y - heads
        if 0 <= place < len(self._items) - self._top:
            self._set(self._top + place)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self._set(self._at + 1)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self._set(self._at - 1)

    def on_focus(self, _: Focus) -> None:
        self.redraw()

    def on_blur(self, _: Blur) -> None:
        self.redraw()


class SheetView(Drawing, can_focus=True):
    """Rows that may be more than fit; what is above and below is counted in the lower border."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_by(-1)", show=False),
        Binding("down", "scroll_by(1)", show=False),
        Binding("pageup", "turn(-1)", show=False),
        Binding("pagedown", "turn(1)", show=False),
        Binding("home", "turn(-1000000)", show=False),
        Binding("end", "turn(1000000)", show=False),
    ]

    def __init__(self, key: str, classes: str = "panel") -> None:
        super().__init__(key, classes)
        self._sheet: Sheet = lambda _: ()
        self._of = ""
        self._top = 0
        self._count = 0

    def fill(self, sheet: Sheet, *, of: str = "") -> None:
        """Show other rows.

        Args:
            sheet: draws them.
            of: what they are about; another one begins at its top again.
        """
        if of != self._of:
            self._of, self._top = of, 0
        self._sheet = sheet
        self.redraw()

    def rows(self, width: int, height: int) -> Sequence[Row]:
        every = self._sheet(width)
        self._count = len(every)
        self._top = max(0, min(self._top, len(every) - height))
        below = len(every) - self._top - height
        told = (
            f"{self._top + 1}–{min(len(every), self._top + height)} of {len(every)}" if below > 0 or self._top else ""
        )
        if (self.border_subtitle or "") != told:
            self.border_subtitle = told
        shown = list(every[self._top : self._top + height])
        if below > 0 and height > 2 and self.styles.border_bottom[0] in ("", "none"):
            shown[-1] = ((f" … {below + 1} more (tab, arrows)", "faint"),)
        return shown

    def action_scroll_by(self, by: int) -> None:
        self._top = max(0, self._top + by)
        self.redraw()

    def action_turn(self, by: int) -> None:
        self.action_scroll_by(by * max(1, self.content_size.height - 1))

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.action_scroll_by(2)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.action_scroll_by(-2)

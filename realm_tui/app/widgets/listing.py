"""A list with a cursor: rows by key, so that a refresh moves neither the cursor nor what is seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, Focus, MouseScrollDown, MouseScrollUp
from textual.message import Message

from realm_tui.app.drawing import Drawing, Look, Row, fit
from realm_tui.app.widgets.sheet import Sheet, folded

_WHEEL_ROWS = 3


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a list."""

    key: str
    """What it stands for; unique in the list."""
    row: Row | Callable[[int], Row]
    """The line, or what paints it for a width; only lines in sight are painted."""


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

    def __init__(self, key: str, word: str = "", classes: str = "panel", *, empty: str = "nothing here yet") -> None:
        """
        Args:
            key: id of the widget.
            word: lexicon key of its title and tooltip.
            classes: style classes.
            empty: what is said while there is no line: what will stand here and how to get it.
        """
        super().__init__(key, word, classes)
        self._empty = empty
        self._items: Sequence[Item] = ()
        self._head: Row | Callable[[int], Row] = ()
        self._cursor = self._top = 0

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
        head: Row | Callable[[int], Row] = (),
        empty: str = "",
    ) -> None:
        """Show lines; the cursor stays on the line with the same key, else at the same height.

        Args:
            items: the lines.
            look: the look in force.
            title: words in the upper border instead of the lexicon's.
            subtitle: words in the lower border; empty: where the cursor stands.
            head: a first line that does not scroll, or what paints it for a width.
            empty: said instead of the usual words while there is no line.
        """
        before = self.chosen
        self.look, self._head, self._empty = look, head, empty or self._empty
        self._items = items
        at = next((i for i, one in enumerate(items) if one.key == before), None)
        if at is not None:
            self._top += at - self._cursor
            self._cursor = at
        self._cursor = max(0, min(self._cursor, len(items) - 1))
        where = f"{self._cursor + 1}/{len(items)}" if items else ""
        self.head(look, title, subtitle or where)
        self.redraw()
        if self.chosen != before and self.chosen is not None:
            self.post_message(self.Moved(self, self.chosen))

    def go_to(self, key: str) -> None:
        """Put the cursor on the line with that key, if there is one."""
        at = next((i for i, one in enumerate(self._items) if one.key == key), None)
        if at is not None:
            self._stand(at)

    def rows(self, width: int, height: int) -> Sequence[Row]:
        if not self._items:
            told: list[Row] = [((f" {line}", "faint"),) for line in folded(self._empty, max(1, width - 2))]
            return [*self._heading(width), *told]
        room = max(1, height - bool(self._head))
        self._top = max(0, min(self._top, self._cursor, len(self._items) - room), self._cursor - room + 1)
        out = self._heading(width)
        for i in range(self._top, min(len(self._items), self._top + room)):
            mark = (("▌" if self.has_focus else "│", "accent-strong"),) if i == self._cursor else ((" ", ""),)
            made = self._items[i].row
            row = made(width - 1) if callable(made) else made
            if i == self._cursor:
                row = tuple((text, "strong" if role in ("", "text", "muted", "faint") else role) for text, role in row)
            out.append(fit((*mark, *row), width))
        return out

    def _heading(self, width: int) -> list[Row]:
        if not self._head:
            return []
        return [((" ", ""), *self._head(width - 1)) if callable(self._head) else self._head]

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
        at = self._top + inside.y - bool(self._head) if inside is not None else -1
        if 0 <= at < len(self._items) and (inside is not None and inside.y >= bool(self._head)):
            if at == self._cursor:
                self.action_choose()
            self._stand(at)

    def on_mouse_scroll_down(self, _: MouseScrollDown) -> None:
        self._stand(self._cursor + _WHEEL_ROWS)

    def on_mouse_scroll_up(self, _: MouseScrollUp) -> None:
        self._stand(self._cursor - _WHEEL_ROWS)

    def on_focus(self, _: Focus) -> None:
        Drawing.redraw(self)

    def on_blur(self) -> None:
        Drawing.redraw(self)

"""A page made of a list and a sheet about the line under its cursor, with a line to find things by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.markup import escape
from textual.widgets import Input

from lore.lexicon import entry
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.page import Page
from realm_tui.app.widgets.picker import Item, Picker, SheetView
from realm_tui.runtime.foreign import clean

D = TypeVar("D")

FIND = Action("find", "slash", "find", "search", "Show only lines that hold what you type.", footer_order=20)


class ListPage(Page[D]):
    """What the halls have in common: subclasses say which lines there are and what stands on the sheet."""

    AUTO_FOCUS = "#lines"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", show=False)]
    keys: ClassVar[tuple[Action, ...]] = (FIND,)
    about: ClassVar[str] = ""
    """Key of the lexicon entry that names the sheet; empty: the line's own title does."""
    halves: ClassVar[str] = "halves wide-left long-list"

    def __init__(self) -> None:
        super().__init__()
        self.find = ""

    # ------------------------------------------------------------------ what a page says

    def items(self, data: D, look: Look) -> Sequence[Item]:
        """The lines."""
        raise NotImplementedError

    def heads(self, data: D, look: Look, width: int) -> Sequence[Row]:
        """Rows above the lines."""
        return ()

    def empty(self, data: D, look: Look, width: int) -> Sequence[Row]:
        """What stands there while there is no line."""
        return ()

    def heading(self, data: D, look: Look) -> str:
        """What stands behind the page's name over the list."""
        return f"“{self.find}”" if self.find else ""

    def sheet(self, data: D, key: str | None, look: Look, width: int) -> Sequence[Row]:
        """What is known of one line."""
        raise NotImplementedError

    def sheet_title(self, data: D, key: str | None, look: Look) -> str:
        """Name of the sheet."""
        return entry(self.about).named(look.names) if self.about else key or ""

    # ------------------------------------------------------------------ drawing

    def above(self) -> ComposeResult:
        """Widgets over both halves."""
        yield from ()

    def body(self) -> ComposeResult:
        yield from self.above()
        yield Input(placeholder="find; enter keeps it, esc shows everything", id="find", classes="hidden")
        with Horizontal(classes=self.halves):
            yield Picker("lines")
            yield SheetView("sheet")

    def show(self, data: D, look: Look) -> None:
        picker = self.picker
        picker.fill(
            self.items(data, look),
            heads=lambda width: self.heads(data, look, width),
            empty=lambda width: self.empty(data, look, width),
        )
        found = entry(self.word)
        told = self.heading(data, look)
        title = escape(clean(f"{found.named(look.names)}{f': {told}' if told else ''}"))
        if picker.border_title != title:
            picker.border_title = title
        picker.tooltip = found.explained(look.names)
        self._show_sheet()

    def _show_sheet(self) -> None:
        data, look = self.data, self.realm.look
        if data is None:
            return
        key, sheet = self.chosen, self.query_one("#sheet", SheetView)
        sheet.fill(lambda width: self.sheet(data, key, look, width), of=key or "")
        title = escape(clean(self.sheet_title(data, key, look)))
        if sheet.border_title != title:
            sheet.border_title = title

    @property
    def chosen(self) -> str | None:
        """Key of the line under the cursor."""
        return self.picker.key

    @property
    def picker(self) -> Picker:
        """The list."""
        return self.query_one("#lines", Picker)

    @on(Picker.Moved)
    def _moved(self, _: Picker.Moved) -> None:
        self._show_sheet()

    # ------------------------------------------------------------------ finding

    def action_find(self) -> None:
        line = self.query_one("#find", Input)
        line.remove_class("hidden")
        line.focus()

    @on(Input.Changed, "#find")
    def _typed(self, event: Input.Changed) -> None:
        self.find = event.value.strip()
        self.repaint_data()

    @on(Input.Submitted, "#find")
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#find").set_class(not self.find, "hidden")
        self.picker.focus()

    def narrowed(self) -> bool:
        """Whether the player shows less than everything."""
        return bool(self.find)

    def widen(self) -> None:
        """Show everything again."""
        self.find = ""

    def action_back(self) -> None:
        """Escape shows everything again first, and leaves the screen when that is shown already."""
        line = self.query_one("#find", Input)
        if line.has_class("hidden") and not self.narrowed():
            self.realm.action_home()
            return
        line.value = ""
        line.add_class("hidden")
        self.widen()
        self.repaint_data()
        self.picker.focus()

"""A page made of a list and a sheet about the line under its cursor, with a line to find things by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.markup import escape
from textual.widgets import Input

from lore.lexicon import entry
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.page import Page
from realm_tui.app.widgets.picker import Item, Picker, SheetView

D = TypeVar("D")

FIND = Action("find", "slash", "find", "search", "Show only lines that hold what you type.", footer_order=20)


class ListPage(Page[D]):
    """What the halls have in common: subclasses say which lines there are and what stands on the sheet."""

    AUTO_FOCUS = "Picker"
    keys: ClassVar[tuple[Action, ...]] = (FIND,)
    about: ClassVar[str] = ""
    """Key of the lexicon entry that names the sheet; empty: the line's own title does."""
    layout: ClassVar[str] = "halves wide-left"

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
        with Horizontal(classes=self.layout):
            yield Picker("lines")
            yield SheetView("sheet")

    def show(self, data: D, look: Look) -> None:
        picker = self.query_one("#lines", Picker)
        picker.fill(
            self.items(data, look),
            heads=lambda width: self.heads(data, look, width),
            empty=lambda width: self.empty(data, look, width),
        )
        found = entry(self.word)
        told = self.heading(data, look)
        title = escape(f"{found.named(look.names)}{f': {told}' if told else ''}")
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
        title = escape(self.sheet_title(data, key, look))
        if sheet.border_title != title:
            sheet.border_title = title

    @property
    def chosen(self) -> str | None:
        """Key of the line under the cursor."""
        return self.query_one("#lines", Picker).key

    def show_again(self) -> None:
        """Draw once more after a choice of the player's; nothing is read."""
        if self.data is not None:
            self.show(self.data, self.realm.look)

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
        self.show_again()

    @on(Input.Submitted, "#find")
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#find").set_class(not self.find, "hidden")
        self.query_one("#lines").focus()

    def narrowed(self) -> bool:
        """Whether the player shows less than everything."""
        return bool(self.find)

    def widen(self) -> None:
        """Show everything again."""
        self.find = ""

    def leave(self) -> bool:
        """Escape shows everything again first; True when that was all there was to do."""
        line = self.query_one("#find", Input)
        if line.has_class("hidden") and not self.narrowed():
            return False
        line.value = ""
        line.add_class("hidden")
        self.widen()
        self.show_again()
        self.query_one("#lines").focus()
        return True

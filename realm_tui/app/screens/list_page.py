"""A page made of a list and a sheet about the line under its cursor, with a line to find things by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input

from lore.lexicon import entry
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.page import Page
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.app.widgets.scroll import Scroll
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

    def first(self, data: D) -> str | None:
        """Key of the line on which the cursor begins; None: the first."""
        return None

    def subject(self, data: D, key: str | None) -> object:
        """What the sheet is about: another one is shown from its first row."""
        return key

    def spot(self, rows: Sequence[Row]) -> int | None:
        """Which row of the sheet stands for the line under the cursor, where the sheet tells of several."""
        return None

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
            yield Listing("lines", self.word, snug=True)
            yield Scroll("sheet", self.about)

    def show(self, data: D, look: Look) -> None:
        told = self.heading(data, look)
        self.listing.draw(
            self.items(data, look),
            look,
            title=clean(f"{entry(self.word).named(look.names)}{f': {told}' if told else ''}"),
            head=lambda width: self.heads(data, look, width),
            empty=lambda width: self.empty(data, look, width),
            at=self.first(data) if self.chosen is None else None,
        )
        self._show_sheet()

    def _show_sheet(self) -> None:
        data, look = self.data, self.realm.look
        if data is None:
            return
        key = self.chosen
        self.query_one("#sheet", Scroll).fill(
            lambda width: self.sheet(data, key, look, width),
            look,
            subject=self.subject(data, key),
            title=clean(self.sheet_title(data, key, look)),
            spot=(key, self.spot),
        )

    @property
    def chosen(self) -> str | None:
        """Key of the line under the cursor."""
        return self.listing.chosen

    @property
    def listing(self) -> Listing:
        """The list."""
        return self.query_one("#lines", Listing)

    @on(Listing.Moved)
    def _moved(self, _: Listing.Moved) -> None:
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
        self.listing.focus()

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
        self.listing.focus()

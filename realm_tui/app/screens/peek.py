"""A box over a page that shows rows of any number, and is left by escape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from lore.lexicon import entry
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.dialog import Dialog, plain
from realm_tui.app.widgets.scroll import Scroll


class PeekScreen(Dialog[None]):
    """Rows to read."""

    AUTO_FOCUS: ClassVar[str | None] = "#peek"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,i", "give_up", show=False)]

    def __init__(self, word: str, rows: Callable[[int], Sequence[Row]], look: Look) -> None:
        """
        Args:
            word: lexicon key of its title.
            rows: makes the rows for a width.
            look: the look in force.
        """
        super().__init__()
        self._word, self._rows, self._look = word, rows, look

    def compose(self) -> ComposeResult:
        with Container(classes="dialog wide") as box:
            box.border_title = entry(self._word).named(self._look.names)
            yield from self.body()

    def body(self) -> Iterable[Widget]:
        yield Scroll("peek", classes="peek")
        yield plain("arrows scroll   esc closes", classes="hint")

    def on_mount(self) -> None:
        self.query_one(Scroll).fill(self._rows, self._look)

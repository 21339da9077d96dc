"""Choosing one of many lines: a box with a list, its first answer already under the cursor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from realm_tui.app.screens.dialog import Dialog, plain


class Pick(Dialog[str]):
    """Answers the id of the line that was chosen; escape answers None."""

    def __init__(self, heading: str, lines: Sequence[tuple[str, str]], chosen: str = "") -> None:
        """
        Args:
            heading: title of the box.
            lines: (id, words) each; words are clean and without markup.
            chosen: id of the line the cursor stands on first.
        """
        super().__init__()
        self.heading = heading  # type: ignore[misc]  # a heading of its own instead of the class's
        self._lines, self._chosen = tuple(lines), chosen

    def body(self) -> Iterable[Widget]:
        yield OptionList(*(Option(words, id=f"line-{i}") for i, (_, words) in enumerate(self._lines)), markup=False)
        yield plain("enter chooses, esc closes", classes="hint")

    def on_mount(self) -> None:
        found = self.query_one(OptionList)
        found.styles.max_height = max(3, self.size.height - 8)
        found.highlighted = next((i for i, (ident, _) in enumerate(self._lines) if ident == self._chosen), 0)
        found.focus()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._lines[event.option_index][0])

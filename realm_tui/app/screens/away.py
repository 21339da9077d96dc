"""The away report: what the hero did since the last look, from rows of the save."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Button

from lore.narrator import Tale
from realm_tui.app.drawing import Look
from realm_tui.app.screens.dialog import Dialog, plain
from realm_tui.runtime.foreign import clean


class AwayScreen(Dialog[None]):
    """While you were away."""

    heading = "While you were away"

    def __init__(self, tales: Sequence[Tale], look: Look) -> None:
        super().__init__()
        self._lines = [f"{tale.icon} {clean(tale.text(look.names))}" for tale in tales]

    def body(self) -> Iterable[Widget]:
        with VerticalScroll(classes="scroll"):
            yield plain("\n".join(self._lines))
        yield Button("go on (esc)", id="close", classes="close")

    def on_button_pressed(self) -> None:
        self.dismiss(None)

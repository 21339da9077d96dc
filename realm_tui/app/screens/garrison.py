"""The Garrison: the machine, its disk, who holds the save, and what is wrong."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.markup import escape

from lore.lexicon import entry
from realm_tui.app.drawing import Look
from realm_tui.app.screens.page import Page
from realm_tui.app.widgets import garrison
from realm_tui.app.widgets.picker import SheetView
from realm_tui.runtime.garrison_view import GarrisonView, garrison_view
from realm_tui.runtime.opened import OpenedSave

_PANELS = (
    ("host", "garrison.host"),
    ("processes", "garrison.processes"),
    ("disk", "garrison.disk"),
    ("troubles", "place.bounty_board"),
)
_MOST_ROWS = 100


class GarrisonScreen(Page[GarrisonView]):
    """Watched every few seconds; walking the save's folders costs more than reading rows."""

    word = "screen.garrison"
    AUTO_FOCUS = "#disk"
    refresh_s = 5.0
    lives = True

    def read(self, save: OpenedSave) -> GarrisonView:
        return garrison_view(save)

    def body(self) -> ComposeResult:
        with Horizontal(classes="garrison"):
            with Container(classes="post"):
                yield SheetView("host")
                yield SheetView("processes")
            with Container(classes="store"):
                yield SheetView("disk")
                yield SheetView("troubles")

    def show(self, data: GarrisonView, look: Look) -> None:
        self._sheet("host").fill(lambda width: garrison.host_rows(data, look, width))
        self._sheet("processes").fill(lambda width: garrison.sentry_rows(data, look, width))
        self._sheet("disk").fill(lambda width: garrison.disk_rows(data, look, width, _MOST_ROWS))
        self._sheet("troubles").fill(lambda width: garrison.incident_rows(data, look, width, _MOST_ROWS))
        for key, word in _PANELS:
            found, panel = entry(word), self._sheet(key)
            title = escape(found.named(look.names))
            if panel.border_title != title:
                panel.border_title, panel.tooltip = title, found.explained(look.names)

    def _sheet(self, key: str) -> SheetView:
        return self.query_one(f"#{key}", SheetView)

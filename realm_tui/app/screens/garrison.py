"""The Garrison: this machine and every other place, the roads between them, jobs, the disk, and what is wrong."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container, Horizontal

from realm_tui.app.drawing import Look
from realm_tui.app.screens.page import Page
from realm_tui.app.widgets import garrison
from realm_tui.app.widgets.scroll import Scroll
from realm_tui.runtime.garrison_view import GarrisonView, garrison_view
from realm_tui.runtime.opened import OpenedSave

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
                yield Scroll("host", "garrison.host")
                yield Scroll("places", "garrison.places")
            with Container(classes="store"):
                yield Scroll("errands", "garrison.jobs")
                yield Scroll("disk", "garrison.disk")
                yield Scroll("troubles", "place.bounty_board")

    def show(self, data: GarrisonView, look: Look) -> None:
        self._sheet("host").fill(lambda width: garrison.host_rows(data, look, width), look)
        self._sheet("places").fill(lambda width: garrison.place_rows(data, look, width), look)
        self._sheet("errands").fill(lambda width: garrison.errand_rows(data, look, width), look)
        self._sheet("disk").fill(lambda width: garrison.disk_rows(data, look, width, _MOST_ROWS), look)
        self._sheet("troubles").fill(lambda width: garrison.incident_rows(data, look, width, _MOST_ROWS), look)

    def _sheet(self, key: str) -> Scroll:
        return self.query_one(f"#{key}", Scroll)

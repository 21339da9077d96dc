"""The saga: one sentence for each deed worth telling, and the page of its day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.list_page import FIND, ListPage
from realm_tui.app.widgets import saga_page
from realm_tui.app.widgets.picker import Item
from realm_tui.runtime.log_view import REACHES_S, LogReader, LogView
from realm_tui.runtime.opened import OpenedSave


class SagaScreen(ListPage[LogView]):
    """The story, newest first."""

    word = "screen.saga"
    about = "saga.chronicle"
    keys: ClassVar[tuple[Action, ...]] = (
        Action(
            "turn_day", "o", "day before", "day before", "Go to the newest deed of the day before.", footer_order=21
        ),
        FIND,
    )

    def __init__(self) -> None:
        super().__init__()
        self._reader = LogReader(told=True)

    def read(self, save: OpenedSave) -> LogView:
        return self._reader.read(save, len(REACHES_S) - 1)

    def items(self, data: LogView, look: Look) -> Sequence[Item]:
        return saga_page.saga_items(saga_page.found_deeds(data, self.find), look)

    def empty(self, data: LogView, look: Look, width: int) -> Sequence[Row]:
        return saga_page.empty_saga(data)

    def sheet(self, data: LogView, key: str | None, look: Look, width: int) -> Sequence[Row]:
        return saga_page.day_sheet(data, data.line(key), look, width)

    def sheet_title(self, data: LogView, key: str | None, look: Look) -> str:
        line = data.line(key)
        told = super().sheet_title(data, key, look)
        return told if line is None else f"{told}: {saga_page.day_of(line)}"

    def action_turn_day(self) -> None:
        if self.data is None:
            return
        at = self.data.line(self.chosen)
        earlier = saga_page.day_before(saga_page.found_deeds(self.data, self.find), at)
        if earlier is not None:
            self.picker.go(earlier.key)

"""The battle log: every event, one channel at a time or all, from an alert level on, as far back as the player likes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from lore.lexicon import label
from lore.saga import ALERTS, CHANNELS
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.list_page import FIND, ListPage
from realm_tui.app.widgets import log_page
from realm_tui.app.widgets.listing import Item
from realm_tui.runtime.log_view import COUNTS, LogView, Story
from realm_tui.runtime.opened import OpenedSave


class LogScreen(ListPage[LogView]):
    """Everything that happened, newest first."""

    word = "screen.log"
    halves = "halves stacked long-list"
    refresh_s = 2.0
    keys: ClassVar[tuple[Action, ...]] = (
        Action(
            "next_channel", "f", "channel", "channel", "Show one channel, then the next, then all.", footer_order=21
        ),
        Action(
            "louder",
            "l",
            "alert level",
            "how loud",
            "Show only what is at least so loud: one step up.",
            footer_order=22,
        ),
        Action("further_back", "o", "further back", "older tales", "Read further back in time.", footer_order=23),
        FIND,
    )

    def __init__(self) -> None:
        super().__init__()
        self._story = Story(everything=True)
        self._far = 0
        self._channel = ""
        self._least = 0

    def read(self, save: OpenedSave) -> LogView:
        return LogView(*self._story.read(save, self.realm.games, self._far))

    def items(self, data: LogView, look: Look) -> Sequence[Item]:
        return log_page.log_items(log_page.chosen_lines(data, self._channel, self.find, ALERTS[self._least]), look)

    def heads(self, data: LogView, look: Look, width: int) -> Sequence[Row]:
        return log_page.log_head(look, width)

    def empty(self, data: LogView, look: Look, width: int) -> Sequence[Row]:
        return log_page.empty_log(data)

    def heading(self, data: LogView, look: Look) -> str:
        return log_page.choice_text(self._channel, ALERTS[self._least], self.find, data, look)

    def sheet(self, data: LogView, key: str | None, look: Look, width: int) -> Sequence[Row]:
        return log_page.log_sheet(data.line(key), look, width)

    def sheet_title(self, data: LogView, key: str | None, look: Look) -> str:
        line = data.line(key)
        return "" if line is None else label(f"log.channel.{line.channel}", look.names)

    def narrowed(self) -> bool:
        return bool(self.find or self._channel or self._least)

    def widen(self) -> None:
        super().widen()
        self._channel, self._least = "", 0

    def action_next_channel(self) -> None:
        every = ("", *CHANNELS)
        self._channel = every[(every.index(self._channel) + 1) % len(every)]
        self.repaint_data()

    def action_louder(self) -> None:
        self._least = (self._least + 1) % len(ALERTS)
        self.repaint_data()

    def action_further_back(self) -> None:
        if not self._far and (self.data is None or not self.data.older):
            self.notify("Nothing older is on record; everything stands here.", markup=False)
            return
        self._far = (self._far + 1) % len(COUNTS)
        self.reload()

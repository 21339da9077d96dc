"""The saga: one sentence for each deed worth telling, a page for each day, and the whole journey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on

from lore.lexicon import label
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.list_page import FIND, ListPage
from realm_tui.app.widgets import saga_page
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.runtime.log_view import COUNTS, PARTS, Pages, Part, SagaView, Story
from realm_tui.runtime.opened import OpenedSave


class SagaScreen(ListPage[SagaView]):
    """The story, newest first."""

    word = "screen.saga"
    keys: ClassVar[tuple[Action, ...]] = (
        Action(
            "next_part",
            "f",
            "saga/days/journey",
            "saga/days/journey",
            "The deeds, the days, or the journey.",
            footer_order=20,
        ),
        Action(
            "turn_day", "y", "day before", "day before", "Go to the newest deed of the day before.", footer_order=21
        ),
        Action("older_deeds", "o", "older", "older tales", "Read further back in time.", footer_order=22),
        FIND,
    )

    def __init__(self) -> None:
        super().__init__()
        self._story, self._pages = Story(everything=False), Pages()
        self._part: Part = "saga"
        self._day: str | None = None
        self._far = 0

    def read(self, save: OpenedSave) -> SagaView:
        if self._part == "saga":
            return SagaView(*self._story.read(save, self.realm.games, self._far), hero=save.hero.name)
        return self._pages.read(save, self.realm.games, self._part, self._day)

    def items(self, data: SagaView, look: Look) -> Sequence[Item]:
        if self._part == "chronicle":
            return saga_page.day_items(data.days, look)
        if self._part == "journey":
            return saga_page.journey_items(data, look)
        return saga_page.saga_items(saga_page.found_deeds(data, self.find), look)

    def empty(self, data: SagaView, look: Look, width: int) -> Sequence[Row]:
        return saga_page.empty_saga(data)

    def heading(self, data: SagaView, look: Look) -> str:
        found = super().heading(data, look)
        if self._part != "saga":
            return label(f"saga.{self._part}", look.names)
        return f"newest {len(data.lines):,}{' ' if found else ''}{found}" if data.older else found

    def sheet(self, data: SagaView, key: str | None, look: Look, width: int) -> Sequence[Row]:
        if self._part == "chronicle":
            return saga_page.chronicle_sheet(data, look, width)
        if self._part == "journey":
            return saga_page.journey_sheet(data, key, look, width)
        return saga_page.day_sheet(data, data.line(key), look, width)

    def subject(self, data: SagaView, key: str | None) -> object:
        """The page stays where it is while the cursor goes through the deeds of its day, or through the journey."""
        if self._part == "journey":
            return self._part
        line = data.line(key)
        return key if line is None else saga_page.day_of(line)

    def spot(self, rows: Sequence[Row]) -> int | None:
        return saga_page.spot_of(rows) if self._part != "chronicle" else None

    def sheet_title(self, data: SagaView, key: str | None, look: Look) -> str:
        if self._part == "journey":
            return label("saga.journey", look.names)
        line = data.line(key)
        day = data.page.day if data.page is not None else saga_page.day_of(line) if line is not None else ""
        return f"{label('saga.chronicle', look.names)}{f': {day}' if day else ''}"

    @on(Listing.Moved)
    def _another_day(self, event: Listing.Moved) -> None:
        days = [day.day for day in self.data.days] if self.data is not None else []
        if self._part == "chronicle" and event.key in days and event.key != (self._day or days[0]):
            self._day = event.key
            self.reload()

    def action_next_part(self) -> None:
        self._part = PARTS[(PARTS.index(self._part) + 1) % len(PARTS)]
        self._day, self.data = None, SagaView()
        self.reload()

    def action_older_deeds(self) -> None:
        if not self._far and (self.data is None or not self.data.older):
            self.notify("Nothing older is told; everything stands here.", markup=False)
            return
        self._far = (self._far + 1) % len(COUNTS)
        self.reload()

    def action_turn_day(self) -> None:
        if self.data is None:
            return
        at = self.data.line(self.chosen)
        earlier = saga_page.day_before(saga_page.found_deeds(self.data, self.find), at)
        if earlier is not None:
            self.listing.go_to(earlier.key)
        elif self._part != "saga":
            self.notify("Days are turned in the saga; `f` goes there.", markup=False)
        else:
            self.notify("No earlier day is told here; `o` reads further back.", markup=False)

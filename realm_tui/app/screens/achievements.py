"""The achievements: what was earned, by which fact, and how far the rest is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from lore.achievements import Earned, achievements_in_force
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.list_page import FIND, ListPage
from realm_tui.app.widgets import deeds
from realm_tui.app.widgets.lines import wrapped
from realm_tui.app.widgets.listing import Item
from realm_tui.runtime.game_view import view_of
from realm_tui.runtime.opened import OpenedSave


@dataclass(frozen=True, slots=True)
class DeedsView:
    """Every deed, earned or not."""

    deeds: tuple[Earned, ...]
    complaint: str = ""
    """What is wrong with the player's own file; the shipped deeds hold then."""


class AchievementsScreen(ListPage[DeedsView]):
    """Every deed of the save."""

    word = "screen.achievements"
    refresh_s = 5.0
    keys: ClassVar[tuple[Action, ...]] = (
        Action(
            "next_kind",
            "f",
            "all/earned/open",
            "all/done/ahead",
            "Show all, what is earned, or what is open.",
            footer_order=21,
        ),
        FIND,
    )

    def __init__(self) -> None:
        super().__init__()
        self._which = deeds.SHOWN[0]

    def read(self, save: OpenedSave) -> DeedsView:
        wrong = achievements_in_force().problem
        return DeedsView(
            view_of(save, self.realm.games.read(save)).achievements(), "" if wrong is None else wrong.text()
        )

    def items(self, data: DeedsView, look: Look) -> Sequence[Item]:
        return deeds.deed_items(deeds.chosen_deeds(data.deeds, self._which, self.find), look)

    def heads(self, data: DeedsView, look: Look, width: int) -> Sequence[Row]:
        return [((f" {line}", "bad"),) for line in wrapped(data.complaint, width - 2)] if data.complaint else ()

    def empty(self, data: DeedsView, look: Look, width: int) -> Sequence[Row]:
        return deeds.empty_deeds(data.deeds)

    def heading(self, data: DeedsView, look: Look) -> str:
        return deeds.deeds_heading(data.deeds, self._which, self.find)

    def sheet(self, data: DeedsView, key: str | None, look: Look, width: int) -> Sequence[Row]:
        return deeds.deed_sheet(self._deed(data, key), look, width)

    def sheet_title(self, data: DeedsView, key: str | None, look: Look) -> str:
        found = self._deed(data, key)
        return "" if found is None else found.rule.named(look.names)

    def narrowed(self) -> bool:
        return bool(self.find) or self._which != deeds.SHOWN[0]

    def widen(self) -> None:
        super().widen()
        self._which = deeds.SHOWN[0]

    def action_next_kind(self) -> None:
        self._which = deeds.SHOWN[(deeds.SHOWN.index(self._which) + 1) % len(deeds.SHOWN)]
        self.repaint_data()

    @staticmethod
    def _deed(data: DeedsView, key: str | None) -> Earned | None:
        return next((d for d in data.deeds if d.id == key), None)

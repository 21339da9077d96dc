"""Strain over a campaign: floor and zones, levels won and forms saved, a ghost, and what the effort bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult

from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look
from realm_tui.app.screens.spans import SPAN_KEYS, SpanPage
from realm_tui.app.widgets.sheet import Sheet
from realm_tui.app.widgets.strain_page import Now, strain_page_rows
from realm_tui.runtime.lanes import Rival
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.strain_view import StrainData, StrainReader
from saves import campaigns

_GHOST = "face.ghost."
"""Setting that keeps whom a campaign is held against; followed by the campaign's id, empty for nobody."""


class StrainScreen(SpanPage[StrainData]):
    """How hard the whole way was."""

    word = "screen.strain"
    keys: ClassVar[tuple[Action, ...]] = (
        *SPAN_KEYS,
        Action(
            "compare",
            "o",
            "ghost",
            "call a ghost",
            "Lay the personal best, another campaign, a run or a recipe over the curve.",
            footer_order=0,
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self._reader = StrainReader()
        self._unset = True
        self._kept_of = ""

    def read(self, save: OpenedSave) -> StrainData:
        if self._kept_of != save.campaign.id:
            self._kept_of = save.campaign.id
            kept = campaigns.settings(save.conn).get(_GHOST + save.campaign.id)
            if isinstance(kept, str):
                self._unset, self.wish = False, replace(self.wish, rival=kept)
        self._reader.tower.follow(save, self.living)
        return self._reader.read(save, self.wish, unset=self._unset)

    def body(self) -> ComposeResult:
        yield Sheet("strain-page", self.word)

    def show(self, data: StrainData, look: Look) -> None:
        self.go_on(data.complete)
        facts = self.facts
        now = Now() if facts is None else Now.of(facts.status, facts.strain.trend, facts.strain.hint)
        rules, smoothing = self.rules.strain, self.smoothing
        self.query_one(Sheet).draw(
            lambda width, height: strain_page_rows(data, now, look, width, height, rules, smoothing=smoothing), look
        )

    def on_unmount(self) -> None:
        self._reader.tower.close()

    def edges(self) -> tuple[int, int] | None:
        data = self.data
        if data is None or data.last is None:
            return None
        whole = data.ghost is not None and data.wish.span.width is None
        return data.first, max(data.last, data.curve.grid.last if whole else data.last)

    def filters(self) -> Sequence[str]:
        return self.data.filters if self.data is not None else ()

    def rivals(self) -> Sequence[Rival]:
        return self.data.rivals if self.data is not None else ()

    def laid_over(self) -> str:
        ghost = self.data.ghost if self.data is not None else None
        return "" if ghost is None else ghost.key

    def compared(self, key: str) -> None:
        self._unset = False
        if self._kept_of:
            self.realm.keep(_GHOST + self._kept_of, key)
        super().compared(key)

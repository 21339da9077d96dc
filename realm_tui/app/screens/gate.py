"""The Champion gate: a challenger against the champion on the same questions; one key crowns, one takes the crown back."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look
from realm_tui.app.screens.dialog import Choice
from realm_tui.app.screens.page import Page
from realm_tui.app.widgets import gate as rows
from realm_tui.app.widgets.listing import Listing
from realm_tui.app.widgets.scroll import Scroll
from realm_tui.runtime.gate_view import GateView, gate_view
from realm_tui.runtime.opened import OpenedSave

ITEMS = (32, 64, 128, 256, 512)
"""Fresh problems that may be put to each of the two at once."""


class GateScreen(Page[GateView]):
    """Who shall be champion."""

    word = "screen.gate"
    AUTO_FOCUS: ClassVar[str | None] = "Listing"
    refresh_s = 2.0
    keys: ClassVar[tuple[Action, ...]] = (
        Action(
            "duel",
            "f",
            "ask both",
            "let them meet",
            "Put the same fresh problems to champion and challenger; needs a running engine.",
            footer_order=20,
        ),
        Action("duel_items", "i", "questions", "questions", "How many problems are put to each.", footer_order=23),
        Action(
            "crown_challenger",
            "C",
            "promote",
            "crown",
            "Crown the challenger; asked first unless it is shown to be better.",
            footer_order=21,
        ),
        Action(
            "undo_crown", "u", "undo", "take it back", "The champion before this one reigns again.", footer_order=22
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self._challenger: int | None = None
        self._items = 64

    def read(self, save: OpenedSave) -> GateView:
        return gate_view(save, self._challenger)

    def body(self) -> ComposeResult:
        with Horizontal(classes="halves"):
            yield Listing("candidates", "gate.challenger", snug=True)
            with Vertical(classes="rest"):
                yield Scroll("verdict", "gate")
                yield Scroll("discordant", "gate.items")

    def show(self, data: GateView, look: Look) -> None:
        self.query_one("#candidates", Listing).draw(
            rows.candidate_items(data, look),
            look,
            empty=lambda _: rows.candidates_empty(look),
            at=str(data.challenger.id) if self._challenger is None and data.challenger is not None else None,
        )
        items = self._items
        pair = f"{data.champion and data.champion.id}/{data.challenger and data.challenger.id}"
        self.query_one("#verdict", Scroll).fill(
            lambda width: rows.verdict_rows(data, look, width, items), look, subject=pair
        )
        self.query_one("#discordant", Scroll).fill(
            lambda width: rows.discordant_rows(data, look, width), look, subject=pair
        )

    @on(Listing.Moved)
    def _moved(self, event: Listing.Moved) -> None:
        shown = self.data.challenger if self.data is not None else None
        if shown is None or str(shown.id) != event.key:
            self._challenger = int(event.key)
            self.reload()

    # ------------------------------------------------------------------ deeds

    def action_duel_items(self) -> None:
        self._items = ITEMS[(ITEMS.index(self._items) + 1) % len(ITEMS)]
        self.notify(f"{self._items} problems of each skill are put to both, when you let them.", markup=False)
        self.repaint_data()

    def action_duel(self) -> None:
        seen, items = self.data, self._items
        if seen is None or seen.challenger is None or seen.champion is None:
            self.notify("It takes two: crown one form, and save another.", severity="warning", markup=False)
            return
        name = seen.challenger.name

        async def deed() -> str:
            from realm_tui.runtime.duel import duel

            await self.realm.link.carry_out(
                "duel", lambda folder, tell: duel(folder, name, items, progress=tell), self.realm.progress("duel")
            )
            self.reload()
            return f"{items} problems of each skill were put to both"

        self.realm.do("duel", deed, "asking both the same questions")

    @work
    async def action_crown_challenger(self) -> None:
        seen = self.data
        if seen is None or seen.challenger is None or seen.refused:
            self.notify(seen.refused if seen is not None else "nobody challenges", severity="warning", markup=False)
            return
        doubts = {
            "worse": "It is shown to be worse than the champion. Crown it all the same?",
            "unshown": "It is not shown to be better than the champion. Crown it all the same?",
            "unasked": "The two never answered the same questions. Crown it all the same?",
        }
        doubt = doubts.get(seen.verdict)
        if doubt is not None:
            answer = await self.app.push_screen_wait(Choice("Crown", doubt, (("no", "n", "no"), ("yes", "y", "yes"))))
            if answer != "yes":
                return
        name = seen.challenger.name

        async def deed() -> str:
            from realm_tui.runtime.orders import promote

            done = await self.realm.link.carry_out(
                "promote", lambda folder, tell: promote(folder, name, progress=tell), self.realm.progress("promote")
            )
            self._challenger = None
            self.reload()
            return f"Champion: {done.get('name')}; `u` takes the crown back"

        self.realm.do("promote", deed, "crowning a champion")

    def action_undo_crown(self) -> None:
        if self.data is None or self.data.champion is None:
            self.notify("Nobody reigns.", markup=False)
            return

        async def deed() -> str:
            from realm_tui.runtime.orders import take_back

            done = await self.realm.link.carry_out(
                "undo", lambda folder, tell: take_back(folder, progress=tell), self.realm.progress("undo")
            )
            self._challenger = None
            self.reload()
            return f"{done['name'] or 'nobody'} reigns again; `u` once more restores it"

        self.realm.do("undo", deed, "taking the crown back")

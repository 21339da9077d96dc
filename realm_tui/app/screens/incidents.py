"""The Bounty Board: monsters that are about, what weighs on the hero, and what was laid to rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import work

from lore.bounties import Card, bounties_in_force
from lore.effects import ActiveEffect, effects_in_force
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.list_page import FIND, ListPage
from realm_tui.app.widgets import bounty
from realm_tui.app.widgets.lines import wrapped
from realm_tui.app.widgets.listing import Item
from realm_tui.runtime import orders
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.game_view import view_of
from realm_tui.runtime.opened import OpenedSave


@dataclass(frozen=True, slots=True)
class Board:
    """Everything on the board."""

    cards: tuple[Card, ...]
    effects: tuple[ActiveEffect, ...]
    step: int
    complaint: str = ""
    """What is wrong with the player's own files; the shipped rules hold then."""


class IncidentsScreen(ListPage[Board]):
    """What is wrong, worst first."""

    word = "screen.incidents"
    keys: ClassVar[tuple[Action, ...]] = (
        Action(
            "settle", "x", "resolve", "lay to rest", "Close the incident under the cursor as resolved.", footer_order=20
        ),
        Action(
            "leave_be",
            "X",
            "won't fix",
            "let it live",
            "Close the incident and leave it as it is.",
            confirm="Close it without mending anything? It stays on record as left be.",
            footer_order=21,
        ),
        Action(
            "settled",
            "f",
            "closed too",
            "the fallen too",
            "Show also what was closed, or only what is open.",
            footer_order=22,
        ),
        FIND,
    )

    def __init__(self) -> None:
        super().__init__()
        self._every = False

    def read(self, save: OpenedSave) -> Board:
        view = view_of(save, self.realm.games.read(save))
        wrong = [f.problem.text() for f in (bounties_in_force(), effects_in_force()) if f.problem is not None]
        return Board(view.bounties(), view.effects(), view.game.step, " ".join(wrong))

    def items(self, data: Board, look: Look) -> Sequence[Item]:
        wanted = self.find.casefold()
        cards = tuple(c for c in data.cards if (c.open or self._every) and (not wanted or wanted in _words(c)))
        opened = tuple(c for c in cards if c.open)
        effects = () if wanted else data.effects
        return [
            *bounty.card_items(opened, look),
            *bounty.effect_items(effects, data.step, look),
            *bounty.card_items(tuple(c for c in cards if not c.open), look),
        ]

    def heads(self, data: Board, look: Look, width: int) -> Sequence[Row]:
        return [((f" {line}", "bad"),) for line in wrapped(data.complaint, width - 2)] if data.complaint else ()

    def empty(self, data: Board, look: Look, width: int) -> Sequence[Row]:
        return bounty.empty_board(self._every)

    def heading(self, data: Board, look: Look) -> str:
        return bounty.board_heading(data.cards, data.effects)

    def sheet(self, data: Board, key: str | None, look: Look, width: int) -> Sequence[Row]:
        card, effect = self._card(data, key), self._effect(data, key)
        if card is not None:
            return bounty.card_sheet(card, look, width)
        return () if effect is None else bounty.effect_sheet(effect, data.step, look, width)

    def sheet_title(self, data: Board, key: str | None, look: Look) -> str:
        card, effect = self._card(data, key), self._effect(data, key)
        if card is not None:
            return card.monster.monster if look.tavern else card.monster.plain
        return "" if effect is None else effect.named(look.names)

    @staticmethod
    def _card(data: Board, key: str | None) -> Card | None:
        return next((c for c in data.cards if c.key == key), None)

    @staticmethod
    def _effect(data: Board, key: str | None) -> ActiveEffect | None:
        return next((e for e in data.effects if f"{bounty.EFFECT}{e.id}" == key), None)

    def narrowed(self) -> bool:
        return bool(self.find) or self._every

    def widen(self) -> None:
        super().widen()
        self._every = False

    def action_settled(self) -> None:
        self._every = not self._every
        self.repaint_data()

    def action_settle(self) -> None:
        self._close(wontfix=False)

    @work
    async def action_leave_be(self) -> None:
        if self._closable() is not None and await self.sure("leave_be"):
            self._close(wontfix=True)

    def _closable(self) -> int | None:
        """The incident under the cursor, if it can be closed; else a notice says why not."""
        card = self._card(self.data, self.chosen) if self.data is not None else None
        if card is None or not card.open:
            self.notify("There is no open incident under the cursor.", markup=False)
        elif card.told:
            self.notify("It is read off the facts, and goes when they say so.", markup=False)
        elif card.blocks:
            self.notify("Training waits for it: `p` goes on and closes it.", severity="warning", markup=False)
        else:
            return int(card.key)
        return None

    def _close(self, *, wontfix: bool) -> None:
        incident = self._closable()
        if incident is None:
            return

        async def deed() -> str:
            done = await self.realm.link.carry_out(
                "resolve",
                lambda folder, _: orders.resolve(folder, incident, wontfix=wontfix),
                self.realm.progress("resolve"),
            )
            self.reload()
            return f"{clean(str(done['rule']))} is {'left be' if wontfix else 'laid to rest'}"

        self.realm.do("resolve", deed, "closing an incident")


def _words(card: Card) -> str:
    return f"{card.title} {card.rule} {card.monster.monster} {card.monster.plain} {card.monster.lair}".casefold()

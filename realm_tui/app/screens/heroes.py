"""The Heroes screen: the roster with who is ready, one hero closely, and the Hall of Legends."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus

from lore.lexicon import label
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look
from realm_tui.app.screens import journeys
from realm_tui.app.screens.dialog import Choice
from realm_tui.app.screens.page import Page
from realm_tui.app.widgets import roster as rows
from realm_tui.app.widgets.lines import drawn
from realm_tui.app.widgets.listing import Listing
from realm_tui.app.widgets.scroll import Scroll
from realm_tui.runtime.heroes_view import HeroCard, HeroesView, Legend, RosterReader
from realm_tui.runtime.opened import OpenedSave


class HeroesScreen(Page[HeroesView]):
    """The roster and the Hall."""

    word = "screen.heroes"
    AUTO_FOCUS: ClassVar[str | None] = "Listing"
    refresh_s = 10.0
    keys: ClassVar[tuple[Action, ...]] = (
        Action(
            "begin_with_hero",
            "b",
            "begin",
            "set out",
            "Begin a campaign with the hero, or with the best form of the legend, under the cursor.",
            footer_order=20,
        ),
        Action("other_list", "h", "archive", "the Hall", "Go between the roster and the Hall.", footer_order=21),
        Action(
            "install_hero",
            "i",
            "install",
            "fetch",
            "Download the hero's model from its hub; asks first.",
            footer_order=22,
        ),
        Action(
            "look_afresh", "r", "look again", "look again", "Read the heroes' files and folders again.", footer_order=23
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self._reader = RosterReader()
        self._in_hall = False

    def read(self, save: OpenedSave) -> HeroesView:
        return self._reader.read(save)

    def body(self) -> ComposeResult:
        with Horizontal(classes="halves"):
            with Vertical(classes="lists"):
                yield Listing("heroes", "roster")
                yield Listing("hall", "hall_of_legends")
            yield Scroll("hero-closely")

    def show(self, data: HeroesView, look: Look) -> None:
        heroes, hall = self.query_one("#heroes", Listing), self.query_one("#hall", Listing)
        heroes.draw(rows.hero_items(data, look), look)
        hall.draw(
            rows.legend_items(data, look),
            look,
            head=lambda width: rows.legend_head(look, width),
            empty=lambda _: rows.hall_empty(look),
        )
        self._show_closely()

    def _show_closely(self) -> None:
        sheet, look = self.query_one("#hero-closely", Scroll), self.realm.look
        if self._in_hall:
            legend = self._legend()
            sheet.fill(
                lambda width: rows.legend_rows(legend, look, width),
                look,
                subject=f"hall {legend and legend.id}",
                title=label("hall_of_legends", look.names),
            )
        else:
            hero = self._hero()
            sheet.fill(
                lambda width: rows.hero_rows(hero, look, width),
                look,
                subject=f"hero {hero and hero.id}",
                title=label("roster.hero", look.names),
            )

    def _hero(self) -> HeroCard | None:
        key = self.query_one("#heroes", Listing).chosen
        return next((h for h in self.data.heroes if h.id == key), None) if self.data is not None else None

    def _legend(self) -> Legend | None:
        key = self.query_one("#hall", Listing).chosen
        return next((one for one in self.data.hall if one.id == key), None) if self.data is not None else None

    @on(Listing.Moved)
    def _moved(self, _: Listing.Moved) -> None:
        self._show_closely()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """The sheet shows what the list in focus stands on."""
        if event.widget.id in ("heroes", "hall"):
            self._in_hall = event.widget.id == "hall"
            self._show_closely()

    # ------------------------------------------------------------------ deeds

    def action_other_list(self) -> None:
        self.query_one("#heroes" if self._in_hall else "#hall").focus()

    def action_look_afresh(self) -> None:
        self._reader.forget()
        self.reload()

    @work
    async def action_begin_with_hero(self) -> None:
        if self._in_hall:
            legend = self._legend()
            if legend is None:
                self.notify("The Hall is empty; `h` goes back to the heroes.", markup=False)
            else:
                await journeys.begin(self.realm, hero=None, from_form=legend.id, title=f"{legend.name}, again")
            return
        hero = self._hero()
        if hero is None or hero.config is None:
            return
        missing = ""
        if hero.ready is not None and not hero.ready.ready:
            missing = f" {drawn(hero.name)} cannot train before its model is here: {drawn(hero.ready.missing)}."
        await journeys.begin(self.realm, hero=hero.id, from_form=None, title=hero.config.title, warning=missing)

    @work
    async def action_install_hero(self) -> None:
        hero = None if self._in_hall else self._hero()
        if hero is None or hero.config is None:
            self.notify("No hero of the roster is under the cursor; `h` goes there.", markup=False)
            return
        config = hero.config
        if hero.ready is not None and hero.ready.ready:
            self.notify(f"{drawn(config.name)} is ready.", markup=False)
            return
        question = (
            f"Download {drawn(config.model.name or config.name)} from its hub? "
            f"It has {hero.identity.parameters if hero.identity else 'unknown'} parameters; nothing else leaves this machine."
        )
        answer = await self.app.push_screen_wait(Choice("Install", question, (("no", "n", "no"), ("yes", "y", "yes"))))
        if answer != "yes":
            return

        async def deed() -> str:
            from realm_tui.runtime.heroes import install

            await self.realm.link.carry_out(
                "install", lambda _, __: install(config), self.realm.progress("install"), writes=False
            )
            self.action_look_afresh()
            return f"{drawn(config.name)} is ready"

        self.realm.do("install", deed, f"downloading {drawn(config.name)}")

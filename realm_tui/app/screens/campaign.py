"""The Campaign screen: every campaign, one of them closely with what it wants next, and its milestones."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look
from realm_tui.app.screens import journeys
from realm_tui.app.screens.dialog import Choice, Line
from realm_tui.app.screens.page import Page
from realm_tui.app.widgets import campaign as rows
from realm_tui.app.widgets.lines import drawn
from realm_tui.app.widgets.listing import Listing
from realm_tui.app.widgets.scroll import Scroll
from realm_tui.runtime.campaign_view import CampaignReader, CampaignView
from realm_tui.runtime.campaigns import Line as Listed
from realm_tui.runtime.opened import OpenedSave


class CampaignScreen(Page[CampaignView]):
    """Peaks, milestones, next action; switch, begin, archive, note."""

    word = "screen.campaign"
    AUTO_FOCUS: ClassVar[str | None] = "Listing"
    refresh_s = 10.0
    keys: ClassVar[tuple[Action, ...]] = (
        Action(
            "play_campaign",
            "g",
            "play this",
            "walk this road",
            "Play the campaign under the cursor; a living engine saves and stops first.",
            footer_order=20,
        ),
        Action(
            "begin_campaign",
            "b",
            "begin one",
            "set out anew",
            "Begin a campaign like the one under the cursor, or with its best form.",
            footer_order=21,
        ),
        Action(
            "archive_campaign",
            "A",
            "archive",
            "to the Hall",
            "Put the campaign under the cursor into the Hall of Legends; nothing is deleted.",
            footer_order=22,
        ),
        Action("note_campaign", "i", "note", "inscribe", "Write a note among the milestones.", footer_order=23),
        Action(
            "export_recipe",
            "x",
            "export recipe",
            "write the recipe",
            "Write the campaign's recipe to a file: hero, seed, rules and curve; no weights, no data.",
            footer_order=24,
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self._reader = CampaignReader()
        self._chosen: str | None = None

    def read(self, save: OpenedSave) -> CampaignView:
        return self._reader.read(save, self._chosen)

    def body(self) -> ComposeResult:
        with Horizontal(classes="halves"):
            yield Listing("campaigns", "campaign.list", snug=True)
            with Vertical(classes="rest"):
                yield Scroll("way", "campaign.way")
                yield Scroll("milestones", "campaign.milestones")

    def show(self, data: CampaignView, look: Look) -> None:
        self.query_one("#campaigns", Listing).draw(
            rows.list_items(data, look),
            look,
            head=lambda width: rows.list_head(look, width),
            at=data.chosen.id if self._chosen is None else None,
        )
        self.query_one("#way", Scroll).fill(
            lambda width: rows.way_rows(data, look, width), look, subject=data.chosen.id
        )
        self.query_one("#milestones", Scroll).fill(
            lambda width: rows.milestone_rows(data.milestones, look, width), look, subject=data.chosen.id
        )
        if data.standing is None or data.milestones is None:
            self.call_after_refresh(self.reload)

    @on(Listing.Moved)
    def _moved(self, event: Listing.Moved) -> None:
        if self.data is None or self.data.chosen.id != event.key:
            self._chosen = event.key
            self.reload()

    @on(Listing.Chosen)
    def _entered(self, _: Listing.Chosen) -> None:
        self.action_play_campaign()

    @work
    async def action_play_campaign(self) -> None:
        one = self._under_cursor()
        if one is None:
            return
        if one.status == "active":
            self.notify(f"{drawn(one.name, 60)} is played already.", markup=False)
            return
        question = f"Play {drawn(one.name, 60)}? A living engine saves and stops first."
        if (
            await self.app.push_screen_wait(
                Choice("Another campaign", question, (("no", "n", "no"), ("yes", "y", "yes")))
            )
            == "yes"
        ):
            journeys.play(self.realm, one.id)

    @work
    async def action_begin_campaign(self) -> None:
        one = self._under_cursor()
        if one is None:
            return
        answer = await self.app.push_screen_wait(
            Choice(
                "A new campaign",
                f"With a new {drawn(one.hero, 60)}, or with the champion, else the best form, of {drawn(one.name, 60)} (New Game+)?",
                (("new", "n", "a new hero"), ("form", "f", "its best form"), ("stop", "c", "cancel")),
            )
        )
        if answer == "new":
            await journeys.begin(self.realm, hero=one.hero, from_form=None, title=self._free_name(one.name))
        elif answer == "form":
            await journeys.begin(self.realm, hero=None, from_form=one.id, title=self._free_name(one.name))

    def _free_name(self, name: str) -> str:
        taken = {s.name.casefold() for s in self.data.lines} if self.data is not None else set()
        number, found = 2, name
        while found.casefold() in taken:
            found, number = f"{name} {number}", number + 1
        return found

    @work
    async def action_archive_campaign(self) -> None:
        one = self._under_cursor()
        if one is None or self.data is None:
            return
        if one.status == "archived":
            self.notify(f"{drawn(one.name, 60)} is in the Hall already.", markup=False)
            return
        others = [(s.id, s.name) for s in self.data.lines if s.id != one.id and s.status != "archived"]
        await journeys.archive(self.realm, one.id, one.name, others, active=one.status == "active")

    @work
    async def action_note_campaign(self) -> None:
        one = self._under_cursor()
        if one is None:
            return
        words = await self.app.push_screen_wait(
            Line("A note", f"It stands among the milestones of {drawn(one.name, 60)}.")
        )
        if words is None:
            return

        async def deed() -> str:
            from realm_tui.runtime.campaigns import remember

            await self.realm.link.carry_out(
                "note", lambda folder, _: remember(folder, words, one.id), self.realm.progress("note")
            )
            self._reader.forget()
            self.reload()
            return "noted"

        self.realm.do("note", deed, "writing a note")

    @work
    async def action_export_recipe(self) -> None:
        from pathlib import Path

        one = self._under_cursor()
        if one is None:
            return
        target = await self.app.push_screen_wait(
            Line("Recipe", "Into which new file?", value=str(Path.cwd() / f"{one.id}.yaml"))
        )
        if target is None:
            return

        async def deed() -> str:
            from realm_tui.runtime.recipe import export

            file = Path(target).expanduser()
            await self.realm.link.carry_out(
                "recipe", lambda folder, _: export(folder, one.id, file), self.realm.progress("recipe"), writes=False
            )
            return f"the recipe is in {file}"

        self.realm.do("recipe", deed, "writing the recipe")

    def _under_cursor(self) -> Listed | None:
        key = self.query_one("#campaigns", Listing).chosen
        return next((s for s in self.data.lines if s.id == key), None) if self.data is not None else None

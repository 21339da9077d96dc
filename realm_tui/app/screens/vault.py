"""The Vault: every kept form of the hero; choose, look closely, compare two, crown, export, delete."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input

from lore.figures import count
from lore.lexicon import label
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.dialog import Choice, Line
from realm_tui.app.screens.journeys import found_out
from realm_tui.app.screens.page import Page
from realm_tui.app.widgets import ledger as rows
from realm_tui.app.widgets.listing import Listing
from realm_tui.app.widgets.scroll import Scroll
from realm_tui.runtime.ledger_view import ORDERS, FormView, LedgerView, free_place, ledger_view, plan_deletion
from realm_tui.runtime.ledger_view import Choice as Chosen
from realm_tui.runtime.opened import OpenedSave

_YES_NO = (("no", "n", "no"), ("yes", "y", "yes"))
_ADAPTER = (
    "This form is an adapter: what it learned, beside its base. Alone it is small, and loads only where the base is; "
    "merged into the base's full-precision weights it is a whole model that any tool loads, and takes as much room."
)
_ADAPTER_WAYS = (("adapter", "a", "the adapter alone"), ("merged", "g", "merged"), ("stop", "c", "cancel"))


class VaultScreen(Page[LedgerView]):
    """The ledger."""

    word = "screen.vault"
    AUTO_FOCUS: ClassVar[str | None] = "Listing"
    refresh_s = 2.0
    keys: ClassVar[tuple[Action, ...]] = (
        Action(
            "filter_forms",
            "slash",
            "filter",
            "search",
            "Show only forms in which all the words occur.",
            footer_order=20,
        ),
        Action(
            "next_reason",
            "f",
            "saved for",
            "kept for",
            "Show only forms saved for one reason, and then for the next.",
            in_footer=False,
        ),
        Action("next_order", "o", "order", "order", "Order by step, time, size or exam.", footer_order=25),
        Action(
            "hold_form",
            "y",
            "compare",
            "side by side",
            "Hold this form; the cursor then compares every other one with it. Again lets it go.",
            footer_order=21,
        ),
        Action(
            "crown_form",
            "C",
            "promote this",
            "crown this",
            "Make the form under the cursor the champion: it is protected and exported.",
            footer_order=22,
        ),
        Action(
            "export_form",
            "x",
            "export",
            "copy out",
            "Copy the form as a plain Hugging Face folder to a place of your own; an adapter alone or merged into its base.",
            footer_order=23,
        ),
        Action(
            "summon_form",
            "r",
            "go back to",
            "summon",
            "Go back to this form: says first what would be left behind. The engine must be stopped.",
            in_footer=False,
        ),
        Action(
            "delete_form",
            "D",
            "delete",
            "let go",
            "Delete the form from the disk; says first what would be lost.",
            footer_order=24,
        ),
    )

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "show_all", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._choice = Chosen()
        self._held: int | None = None

    def read(self, save: OpenedSave) -> LedgerView:
        return ledger_view(save)

    def body(self) -> ComposeResult:
        yield Input(placeholder="words that must occur; enter keeps them, esc shows all", id="filter", classes="hidden")
        with Horizontal(classes="halves wide-left"):
            yield Listing("forms", "ledger", snug=True)
            yield Scroll("form")

    def show(self, data: LedgerView, look: Look) -> None:
        shown = self._choice.of(data.forms)
        if data.form(self._held) is None:
            self._held = None
        self.query_one("#forms", Listing).draw(
            rows.list_items(shown, self._held),
            look,
            title=f"{label('ledger', look.names)}: {rows.subtitle(data, self._choice, len(shown))}",
            head=lambda width: rows.list_head(look, width),
            empty=lambda _: rows.empty_rows(data, self._choice, look),
        )
        self._show_form()

    def _show_form(self) -> None:
        sheet, look = self.query_one("#form", Scroll), self.realm.look
        one, held = self._under_cursor(), self.data.form(self._held) if self.data is not None else None
        comparing = one is not None and held is not None and held.id != one.id

        def paint(width: int) -> list[Row]:
            if comparing and one is not None and held is not None:
                return rows.beside_rows(held, one, look, width)
            return rows.form_rows(one, look, width)

        subject = (self._held, one.id if one is not None else None)
        sheet.fill(paint, look, subject=subject, title=rows.details_heading(look, comparing))

    @on(Listing.Moved)
    def _moved(self, _: Listing.Moved) -> None:
        self._show_form()

    def _under_cursor(self) -> FormView | None:
        key = self.query_one("#forms", Listing).chosen
        return self.data.form(int(key)) if self.data is not None and key is not None else None

    def _choose(self, choice: Chosen) -> None:
        self._choice = choice
        self.repaint_data()

    # ------------------------------------------------------------------ choosing

    def action_filter_forms(self) -> None:
        line = self.query_one("#filter", Input)
        line.remove_class("hidden")
        line.focus()

    @on(Input.Changed, "#filter")
    def _typed(self, event: Input.Changed) -> None:
        self._choose(replace(self._choice, text=event.value))

    @on(Input.Submitted, "#filter")
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#filter").set_class(not event.value, "hidden")
        self.query_one("#forms").focus()

    def action_show_all(self) -> None:
        """Escape first shows all forms again, and leaves the screen when they are all shown."""
        line = self.query_one("#filter", Input)
        if line.has_class("hidden") and not self._choice.text and not self._choice.reason:
            self.realm.action_home()
            return
        line.value = ""
        line.add_class("hidden")
        self._choose(replace(self._choice, text="", reason=""))
        self.query_one("#forms").focus()

    def action_next_reason(self) -> None:
        if self.data is not None:
            every = ("", *self.data.reasons)
            at = every.index(self._choice.reason) if self._choice.reason in every else 0
            self._choose(replace(self._choice, reason=every[(at + 1) % len(every)]))

    def action_next_order(self) -> None:
        at = ORDERS.index(self._choice.order)
        self._choose(replace(self._choice, order=ORDERS[(at + 1) % len(ORDERS)]))

    def action_hold_form(self) -> None:
        one = self._under_cursor()
        self._held = None if one is None or self._held == one.id else one.id
        self._choose(self._choice)

    # ------------------------------------------------------------------ deeds

    @work
    async def action_crown_form(self) -> None:
        one = self._under_cursor()
        if one is None:
            return
        if one.champion:
            self.notify(f"{one.name} reigns already.", markup=False)
            return
        doubt = "" if one.exam is not None else " It sat no exam of its own."
        question = f"Crown {one.name}?{doubt} It is protected and exported; `u` at the gate takes the crown back."
        if await self.app.push_screen_wait(Choice("Champion", question, _YES_NO)) != "yes":
            return
        crown(self, one.name)

    @work
    async def action_export_form(self) -> None:
        one = self._under_cursor()
        if one is None:
            return
        at = await found_out(self.realm, "export", lambda save, _: free_place(save, one))
        if at is None:
            return
        merged = False
        if one.kind == "adapter":
            answer = await self.app.push_screen_wait(Choice("Export", _ADAPTER, _ADAPTER_WAYS))
            if answer not in ("adapter", "merged"):
                return
            merged = answer == "merged"
        target = await self.app.push_screen_wait(Line("Export", "Into which new folder?", value=str(at)))
        if target is None:
            return

        async def deed() -> str:
            from realm_tui.runtime.orders import export

            folder = Path(target)
            await self.realm.link.carry_out(
                "export",
                lambda save, tell: export(save, one.name, folder, merged=merged, progress=tell),
                self.realm.progress("export"),
                writes=False,
            )
            return f"{one.name} is in {folder}{', merged into its base' if merged else ''}"

        self.realm.do("export", deed, "exporting a form")

    @work
    async def action_delete_form(self) -> None:
        one = self._under_cursor()
        if one is None:
            return
        if one.stays:
            self.notify(f"{one.name} stays: {one.stays}.", severity="warning", markup=False)
            return

        what = await found_out(self.realm, "delete", lambda save, _: plan_deletion(save, one))
        if what is None:
            return
        answer = await self.app.push_screen_wait(Choice("Delete a form", rows.deletion_text(what), _YES_NO))
        if answer != "yes":
            return

        async def deed() -> str:
            from realm_tui.runtime.orders import forget

            await self.realm.link.carry_out(
                "forget", lambda folder, tell: forget(folder, one.name, progress=tell), self.realm.progress("forget")
            )
            self.reload()
            return f"{one.name} is deleted"

        self.realm.do("forget", deed, "deleting a form")

    @work
    async def action_summon_form(self) -> None:
        one = self._under_cursor()
        if one is None:
            return
        from realm_tui.runtime.orders import summon

        seen = await found_out(self.realm, "summon", lambda folder, _: summon(folder, one.name, really=False))
        if seen is None:
            return
        left = f"{count(seen['left_steps'], 'step')}, {count(seen['left_levels'], 'level')} won and {count(seen['left_quests'], 'quest')}"
        question = (
            f"Go back to step {seen['step']:,}? {left} stay on record and count no more. The engine must be stopped."
        )
        if await self.app.push_screen_wait(Choice("Go back", question, _YES_NO)) != "yes":
            return

        async def deed() -> str:
            await self.realm.link.carry_out(
                "summon", lambda folder, _: summon(folder, one.name, really=True), self.realm.progress("summon")
            )
            self.reload()
            return f"the hero stands at {one.name}; `p` lets it train on from there"

        self.realm.do("summon", deed, "going back")


def crown(page: Page[LedgerView], name: str) -> None:
    """Make a form the champion, in the background."""

    async def deed() -> str:
        from realm_tui.runtime.orders import promote

        done = await page.realm.link.carry_out(
            "promote", lambda folder, tell: promote(folder, name, progress=tell), page.realm.progress("promote")
        )
        page.reload()
        return f"Champion: {done.get('name')}, exported to {done.get('path')}"

    page.realm.do("promote", deed, "crowning a champion")

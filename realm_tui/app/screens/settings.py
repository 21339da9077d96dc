"""The settings: every rule with its meaning, the memory calculator, and starting over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult

from configs import clock
from lore.lexicon import label
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Drawing, Look, Row
from realm_tui.app.main import ANOTHER_CAMPAIGN
from realm_tui.app.screens.dialog import Choice, Line
from realm_tui.app.screens.list_page import FIND, ListPage
from realm_tui.app.widgets import settings as rows
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.own_rules import set_rule, take_profile, unset_rule
from realm_tui.runtime.rules import Rule
from realm_tui.runtime.settings_view import (
    FIELDS,
    SECTIONS,
    Field,
    Question,
    ResetPlan,
    Section,
    SettingsView,
    settings_view,
    turned,
)
from realm_tui.runtime.starting_over import start_over

_COUNTED_S = 60.0
"""How long the counts of a dry run stand; what really goes is counted again when it goes."""


class _Sections(Drawing):
    """The names of the sections."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.section: Section = "rules"
        self.look = Look()

    def rows(self, width: int, height: int) -> Sequence[Row]:
        return [rows.tab_row(self.section, self.look)]


class SettingsScreen(ListPage[SettingsView]):
    """Three sections: rules, memory, danger."""

    word = "screen.settings"
    refresh_s = 5.0
    lives = True
    keys: ClassVar[tuple[Action, ...]] = (
        Action("next_section", "f", "next section", "next shelf", "Rules, memory, danger zone.", footer_order=20),
        Action(
            "change",
            "enter",
            "change",
            "take it up",
            "Change the rule; take the chosen or suggested memory profile; start over, after the save's name was typed.",
            footer_order=21,
        ),
        Action(
            "take_back",
            "x",
            "take back",
            "put it back",
            "Take your value of a rule back, so that the shipped one holds again.",
            footer_order=22,
        ),
        Action(
            "turn_up", "right", "next choice", "next choice", "Turn a field of the memory calculator.", in_footer=False
        ),
        Action("turn_down", "left", "last choice", "last choice", "Turn it the other way.", in_footer=False),
        FIND,
    )

    def __init__(self) -> None:
        super().__init__()
        self._section: Section = "rules"
        self._question: Question | None = None
        self._counted: tuple[float, SettingsView] | None = None

    def read(self, save: OpenedSave) -> SettingsView:
        if self._section != "danger":
            return settings_view(save, self._section, self._question)
        now, kept = clock.now(), self._counted
        if kept is None or not 0 <= now - kept[0] < _COUNTED_S:
            kept = self._counted = (now, settings_view(save, "danger"))
        return kept[1]

    # ------------------------------------------------------------------ drawing

    def above(self) -> ComposeResult:
        yield _Sections("sections")

    def show(self, data: SettingsView, look: Look) -> None:
        tabs = self.query_one("#sections", _Sections)
        tabs.section, tabs.look = self._section, look
        tabs.redraw()
        self.query_one(".halves").set_class(self._section != "memory", "wide-left")
        super().show(data, look)

    def items(self, data: SettingsView, look: Look) -> Sequence[Item]:
        if self._section == "rules":
            return rows.rule_items(rows.found_rules(data.rules, self.find))
        if self._section == "memory":
            return rows.field_items(data.calculation)
        return rows.reset_items(data.resets)

    def empty(self, data: SettingsView, look: Look, width: int) -> Sequence[Row]:
        if data.rules_trouble:
            return rows.trouble_rows(data.rules_trouble, width)
        told = "no rule fits; esc shows all" if data.rules else "looking …"
        return [((f" {told}", "faint"),)]

    def heading(self, data: SettingsView, look: Look) -> str:
        found = super().heading(data, look)
        return f"{label(f'setting.{self._section}', look.names)}{f' {found}' if found else ''}"

    def sheet(self, data: SettingsView, key: str | None, look: Look, width: int) -> Sequence[Row]:
        if self._section == "rules":
            return rows.rule_sheet(self._rule(data, key), width)
        if self._section == "memory":
            return rows.memory_sheet(data.calculation, look, width)
        return rows.reset_sheet(self._reset(data, key), data.save, width)

    def sheet_title(self, data: SettingsView, key: str | None, look: Look) -> str:
        if self._section == "memory":
            found = data.calculation
            return "" if found is None else found.question.hero
        return key or ""

    @staticmethod
    def _rule(data: SettingsView, key: str | None) -> Rule | None:
        return next((r for r in data.rules if r.key == key), None)

    @staticmethod
    def _reset(data: SettingsView, key: str | None) -> ResetPlan | None:
        return next((r for r in data.resets if r.depth == key), None)

    # ------------------------------------------------------------------ choosing

    def action_next_section(self) -> None:
        self._section = SECTIONS[(SECTIONS.index(self._section) + 1) % len(SECTIONS)]
        self.find, self._counted = "", None
        self.repaint_data()
        self.reload()

    def action_turn_up(self) -> None:
        self._turn(1)

    def action_turn_down(self) -> None:
        self._turn(-1)

    def _turn(self, by: int) -> None:
        found = self.data.calculation if self.data is not None else None
        field: Field | None = next((f for f in FIELDS if f == self.chosen), None)
        if found is not None and field is not None:
            self._question = turned(self._question or found.question, field, by, self.realm.rules.memory)
            self.reload()

    @on(Listing.Chosen)
    def _enter(self, _: Listing.Chosen) -> None:
        self.action_change()

    # ------------------------------------------------------------------ deeds

    def action_change(self) -> None:
        if self.data is None:
            return
        if self._section == "rules":
            if (rule := self._rule(self.data, self.chosen)) is not None:
                self._change_rule(rule, self.data.save)
        elif self._section == "memory":
            self._take_profile(self.data)
        elif (found := self._reset(self.data, self.chosen)) is not None and found.plan is not None:
            self._start_over(found, self.data.save)

    @work
    async def _change_rule(self, rule: Rule, save: str) -> None:
        bounds = f" It may be {rule.bounds}." if rule.bounds else ""
        question = f"{rule.meaning[:1].upper()}{rule.meaning[1:]}.{bounds} Shipped: {rule.shipped_text}."
        text = await self.app.push_screen_wait(Line(rule.key, question, value=rule.text))
        if text is None or text == rule.text:
            return

        async def deed() -> str:
            change = await self.realm.link.carry_out(
                "rule", lambda _, __: set_rule(rule.key, text, save), self.realm.progress("rule")
            )
            self.reload()
            held = f"; {change.held_by} sets its own, which wins" if change.held_by else ""
            return f"{rule.key} = {text}{held}. It holds from the next start of engine and screen."

        self.realm.do("rule", deed, "writing a rule")

    def action_take_back(self) -> None:
        rule = self._rule(self.data, self.chosen) if self.data is not None and self._section == "rules" else None
        if rule is None or self.data is None:
            self.notify("Only a rule can be taken back; `f` goes to the rules.", markup=False)
            return
        key, save = rule.key, self.data.save

        async def deed() -> str:
            change = await self.realm.link.carry_out(
                "rule", lambda _, __: unset_rule(key, save), self.realm.progress("rule")
            )
            self.reload()
            return f"{key} is {change.new} again"

        self.realm.do("rule", deed, "taking a rule back")

    @work
    async def _take_profile(self, data: SettingsView) -> None:
        found = data.calculation
        report = found.report if found is not None else None
        if found is None or report is None or report.hero.model.source != "pretrained":
            self.notify("This hero is small enough for any machine; profiles are for pretrained ones.", markup=False)
            return
        hero, profile = report.hero.id, found.question.profile or report.suggestion
        question = (
            f"Train {report.hero.name} with the memory profile {profile} from its next campaign on? "
            "It is written into your own file of the hero."
        )
        if await self.app.push_screen_wait(Choice("Memory profile", question, _YES_NO)) != "yes":
            return

        async def deed() -> str:
            file = await self.realm.link.carry_out(
                "profile", lambda _, __: take_profile(hero, profile), self.realm.progress("profile")
            )
            self.reload()
            return f"{profile} stands in {file}"

        self.realm.do("profile", deed, "writing the hero's file")

    @work
    async def _start_over(self, found: ResetPlan, save: str) -> None:
        plan = found.plan
        if plan is None:
            return
        question = (
            f"A {found.depth} reset takes {', '.join(plan.campaigns)} with {plan.facts:,} rows of history and "
            f"{len(plan.checkpoints)} forms{f', and {plan.quests} quests of the board' if plan.quests else ''}. "
            f"A copy of the database is made first, in backups/. Type the save's name, {save}, to go on."
        )
        typed = await self.app.push_screen_wait(Line("Start over", question, hint=save))
        if typed is None:
            return
        if typed != save:
            self.notify("That is not the save's name; nothing was changed.", severity="warning", markup=False)
            return

        async def deed() -> str:
            done = await self.realm.link.carry_out(
                "reset",
                lambda folder, _: start_over(folder, found.depth, confirm=typed, from_screen=True),
                self.realm.progress("reset"),
            )
            self.realm.facts = None  # what was seen belongs to the way that is gone
            self.app.exit(ANOTHER_CAMPAIGN)
            return f"Begun anew; the database as it was lies in backups/{done[1]}"

        self.realm.do("reset", deed, "starting over")


_YES_NO = (("no", "n", "no"), ("yes", "y", "yes"))

"""The Guild Hall: skills won, held and lost, the ladder of one, primitives, and what the curriculum does next and why."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container

from configs.paths import SaveFolder
from engine.link.protocol import Verb
from engine.link.state import EngineState
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look
from realm_tui.app.screens.dialog import Line
from realm_tui.app.screens.leaves import TURN, Leaves
from realm_tui.app.widgets.guild import (
    PRIMITIVES_EMPTY,
    SKILLS_EMPTY,
    course_rows,
    levels_rows,
    primitive_row,
    skill_row,
    skills_head,
)
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.app.widgets.scroll import Scroll
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.guild_view import GuildView, SkillView, guild_view
from realm_tui.runtime.opened import OpenedSave, opened

_ASK_S = 15.0
"""Seconds between two questions to the living engine about its course; it answers between two steps."""
_PINNED = {"own": "exams decide about its level", "max": "held at its last level"}
_ANSWERING = frozenset({EngineState.TRAINING, EngineState.PAUSED})


class GuildScreen(Leaves[GuildView]):
    """What the hero knows, and what it takes up next."""

    word = "screen.guild"
    refresh_s = 4.0
    AUTO_FOCUS = "#guild-skills"
    leaves = ("guild-course", "guild-levels", "guild-primitives")
    keys = (
        TURN,
        Action(
            "study",
            "b",
            "presets",
            "ways to study",
            "Choose a preset or a strategy, with what it would do with the next thousand steps.",
            footer_order=2,
        ),
        Action(
            "enable",
            "o",
            "train or not",
            "send or keep back",
            "Train the chosen skill, or leave it out of training; nothing it has won is taken away.",
            confirm="Change whether the chosen skill is trained?",
            footer_order=3,
        ),
        Action(
            "pin",
            "y",
            "hold level",
            "hold the rung",
            "Hold the training level of the chosen skill where you want it, or let the exams decide again.",
            footer_order=4,
        ),
        Action(
            "weigh",
            "u",
            "weight",
            "portion",
            "Give the chosen skill more or less of the steps than the others.",
            footer_order=5,
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self._live: GuildView | None = None
        self._asking = False

    def read(self, save: OpenedSave) -> GuildView:
        return guild_view(save)

    def body(self) -> ComposeResult:
        with Container(id="guild-stage", classes="beside"):
            with Container(classes="half first"):
                yield Listing("guild-skills", "guild.skills")
                yield Scroll("guild-levels", "guild.levels", "panel leaf")
            with Container(classes="half"):
                yield Listing("guild-primitives", "guild.primitives", "panel leaf")
                yield Scroll("guild-course", "guild.course", "panel leaf")

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(_ASK_S, self.ask_engine)
        self.call_after_refresh(self.ask_engine)

    @work(exclusive=True, group="course")
    async def ask_engine(self) -> None:
        """Let the living engine tell its course; without one, the newest checkpoint tells it."""
        if self._asking or self.realm.state not in _ANSWERING or not self.realm.may_look(self):
            return
        self._asking = True
        try:
            self._live = await self.find("course", _ask)
        finally:
            self._asking = False
        self.repaint_data()

    def show(self, data: GuildView, look: Look) -> None:
        live = self._live
        if (
            live is not None
            and live.course.live
            and live.course.step >= data.course.step
            and self.realm.state in _ANSWERING
        ):
            data = replace(data, course=live.course, turns=live.turns)
        self.query_one("#guild-skills", Listing).draw(
            [Item(one.id, partial(skill_row, one, look)) for one in data.skills],
            look,
            head=lambda width: [skills_head(look, width)],
            empty=SKILLS_EMPTY,
        )
        one = self._skill()
        self.query_one("#guild-levels", Scroll).fill(
            lambda width: levels_rows(one, look, width) if one is not None else (),
            look,
            subject=one.id if one is not None else None,
        )
        self.query_one("#guild-primitives", Listing).draw(
            [Item(p.primitive, partial(primitive_row, p, look)) for p in data.primitives], look, empty=PRIMITIVES_EMPTY
        )
        self.query_one("#guild-course", Scroll).fill(lambda width: course_rows(data, look, width), look)

    def _skill(self) -> SkillView | None:
        """The skill under the cursor."""
        key = self.query_one("#guild-skills", Listing).chosen
        return next((s for s in self.data.skills if s.id == key), None) if self.data is not None else None

    @on(Listing.Moved, "#guild-skills")
    def _moved(self) -> None:
        self.repaint_data()

    # ------------------------------------------------------------------ what can be done

    @work(exclusive=True, group="study")
    async def action_study(self) -> None:
        """Choose a way to study; it counts from the next step on."""
        from realm_tui.app.screens.study import StudyScreen
        from realm_tui.runtime.study import ways

        found = await self.find("study", ways)
        if found is None:
            return
        chosen = await self.app.push_screen_wait(StudyScreen(found, self.realm.look))
        if chosen is not None:
            self._set(dict(chosen.change), f"The hero studies by {chosen.name}")

    @work
    async def action_enable(self) -> None:
        one = self._skill()
        if one is None or self.data is None:
            return
        trains = self.data.course.settings.of(one.id).enabled
        what = f"Leave {one.id.upper()} out of training?" if trains else f"Train {one.id.upper()} again?"
        if await self.sure("enable", f"{what} What it has won stays."):
            self._set(
                {"skills": {one.id: {"enabled": not trains}}}, f"{one.id.upper()} {'rests' if trains else 'trains'}"
            )

    @work
    async def action_pin(self) -> None:
        """Ask for the level at which the chosen skill is held."""
        one = self._skill()
        if one is None or self.data is None:
            return
        name, held = one.id.upper(), self.data.course.skills[one.id].state.pin
        stands = f"It is held at {held}." if held is not None else f"Exams decide; it is L{one.training} now."
        said = await self.app.push_screen_wait(
            Line(
                f"Hold the level of {name}",
                f"{stands} A level from 1 to {one.max_level}, `max` for the last one, or `own` to let exams decide. "
                "What was won stays won.",
                value=str(held) if held is not None else "",
                hint=f"1 to {one.max_level}, max or own",
            )
        )
        if said is None:
            return
        word = said.strip().lower()
        if word in ("own", "max"):
            self._order({"skill": one.id, "pin": None if word == "own" else "max"}, f"{name}: {_PINNED[word]}")
        elif word.isdecimal():
            self._order({"skill": one.id, "pin": int(word)}, f"{name} is held at L{int(word)}")
        else:
            self.notify(f"{clean(said)} is no level; 1 to {one.max_level}, max or own.", severity="error", markup=False)

    @work
    async def action_weigh(self) -> None:
        """Ask for the weight of the chosen skill."""
        one = self._skill()
        if one is None or self.data is None:
            return
        settings = self.data.course.settings
        weights = ", ".join(f"{s.id.upper()} {settings.of(s.id).weight:g}" for s in self.data.skills)
        said = await self.app.push_screen_wait(
            Line(
                f"Weight of {one.id.upper()}",
                f"Now: {weights}. A skill with 2 gets twice the steps of one with 1; 0 gets none. From then on the "
                "strategy is `weighted`.",
                value=f"{settings.of(one.id).weight:g}",
            )
        )
        if said is None:
            return
        try:
            weight = float(said.replace(",", "."))
        except ValueError:
            self.notify(f"{clean(said)} is no number.", severity="error", markup=False)
            return
        self._set({"skills": {one.id: {"weight": weight}}}, f"{one.id.upper()} weighs {weight:g}")

    def _set(self, change: dict[str, Any], done: str) -> None:
        self._order({"curriculum": change}, done)

    def _order(self, args: dict[str, Any], done: str) -> None:
        def deed(folder: SaveFolder) -> str:
            from realm_tui.runtime.orders import order

            reply = order(folder, Verb.SET, args)
            return f"{done} from step {(reply.step or 0) + 1:,}"

        self.order("set the curriculum", deed, "changing what is studied")
        self.set_timer(1.0, self.ask_engine)


def _ask(folder: SaveFolder) -> GuildView:
    with opened(folder) as save:
        return guild_view(save, ask_engine=True)

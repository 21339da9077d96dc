"""The Forge: drills for what is weak, sparring, and forged skills for a person to judge."""

from __future__ import annotations

from functools import partial

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container

from configs import clock
from configs.paths import SaveFolder
from engine.link.protocol import Verb
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look
from realm_tui.app.screens.leaves import TURN, Leaves
from realm_tui.app.widgets.forge import (
    DRILLS_EMPTY,
    PROPOSALS_EMPTY,
    drill_row,
    forge_rows,
    proposal_row,
    proposal_rows,
)
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.app.widgets.scroll import Scroll
from realm_tui.runtime.forge_view import ForgeView, ProposalView, forge_view
from realm_tui.runtime.opened import OpenedSave


class ForgeScreen(Leaves[ForgeView]):
    """Where practice is made."""

    word = "screen.forge"
    refresh_s = 4.0
    AUTO_FOCUS = "#forge-drills"
    leaves = ("forge-practice", "forge-skills")
    keys = (
        TURN,
        Action(
            "drill",
            "g",
            "drill",
            "drill",
            "Drill the chosen primitive: the next forged quest holds nothing else.",
            footer_order=2,
        ),
        Action(
            "spar",
            "r",
            "spar",
            "face the mirror",
            "Let the hero answer fresh problems; what it gets wrong becomes a quest that goes first.",
            footer_order=3,
        ),
        Action(
            "spar_weak",
            "u",
            "spar at weak",
            "mirror the frail",
            "Spar only in operations that lag in the newest exams.",
            footer_order=4,
        ),
        Action(
            "problems",
            "i",
            "problems",
            "look at problems",
            "Make a few problems of every level of the chosen forged skill, and show them.",
            footer_order=5,
        ),
        Action(
            "accept",
            "y",
            "accept",
            "take in",
            "Accept the chosen forged skill: a hero may train it.",
            confirm="Accept this skill? A hero may train it from then on.",
            footer_order=6,
        ),
        Action(
            "reject",
            "x",
            "reject",
            "turn away",
            "Reject the chosen forged skill: nobody trains it.",
            confirm="Reject this skill? Its file stays, and nobody trains it.",
            footer_order=7,
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self._problems: dict[str, list[tuple[int, str, str]]] = {}

    def read(self, save: OpenedSave) -> ForgeView:
        return forge_view(save)

    def body(self) -> ComposeResult:
        with Container(id="forge-stage", classes="beside"):
            with Container(id="forge-practice", classes="half leaf"):
                yield Listing("forge-drills", "forge.drills")
                yield Scroll("forge-rounds", "forge.rounds")
            with Container(id="forge-skills", classes="half leaf"):
                yield Listing("forge-proposals", "forge.proposals")
                yield Scroll("forge-proposal", "forge.proposal")

    def show(self, data: ForgeView, look: Look) -> None:
        self.query_one("#forge-drills", Listing).draw(
            [Item(one.key, partial(drill_row, one, look)) for one in data.drills],
            look,
            empty=DRILLS_EMPTY,
        )
        now = clock.now()
        self.query_one("#forge-rounds", Scroll).fill(lambda width: forge_rows(data, look, width, now), look)
        self.query_one("#forge-proposals", Listing).draw(
            [Item(one.key, partial(proposal_row, one, look)) for one in data.proposals], look, empty=PROPOSALS_EMPTY
        )
        one = self._proposal()
        problems = self._problems.get(one.id) if one is not None else None
        self.query_one("#forge-proposal", Scroll).fill(
            lambda width: proposal_rows(one, problems, look, width), look, subject=one.id if one is not None else None
        )

    def _proposal(self) -> ProposalView | None:
        """The forged skill under the cursor."""
        key = self.query_one("#forge-proposals", Listing).chosen
        return next((p for p in self.data.proposals if p.id == key), None) if self.data is not None else None

    @on(Listing.Moved, "#forge-proposals")
    def _moved(self) -> None:
        self.repaint_data()

    @on(Listing.Chosen, "#forge-drills")
    def _drill_chosen(self) -> None:
        self.action_drill()

    @on(Listing.Chosen, "#forge-proposals")
    def _proposal_chosen(self) -> None:
        self.action_problems()

    # ------------------------------------------------------------------ what can be done

    def action_drill(self) -> None:
        primitive = self.query_one("#forge-drills", Listing).chosen
        if primitive is None:
            self.notify("Nothing to drill yet: exams have not asked a primitive.", markup=False)
            return

        def deed(folder: SaveFolder) -> str:
            from realm_tui.runtime.orders import order

            reply = order(folder, Verb.DRILL, {"primitive": primitive})
            when = "After the quest in training" if reply.result["waits"] else f"From step {(reply.step or 0) + 1:,}"
            return f"{when}: {reply.result['text']}"

        self.order("drill", deed, "ordering a drill")

    def action_spar(self) -> None:
        from realm_tui.app.screens.spar import SparScreen

        self.app.push_screen(SparScreen(self.realm.link))

    def action_spar_weak(self) -> None:
        def deed(folder: SaveFolder) -> str:
            from realm_tui.runtime.sparring import spar

            bout = spar(folder, targeted=True)
            wrong = f"{len(bout.facts['failed'])} of {bout.facts['asked']} wrong"
            return f"{wrong}; {bout.quest.name} goes first" if bout.quest is not None else f"{wrong}; nothing to mend"

        self.order("spar at weak", deed, "sparring")

    @work(exclusive=True, group="problems")
    async def action_problems(self) -> None:
        from realm_tui.runtime.forge_view import sample_problems

        one = self._proposal()
        if one is None:
            self.notify("No forged skill is chosen.", markup=False)
            return
        found = await self.find("problems", lambda folder: sample_problems(one.id))
        if found is not None:
            self._problems[one.id] = found
            self.repaint_data()

    @work
    async def action_accept(self) -> None:
        one = self._proposal()
        if one is None:
            self.notify("No forged skill is chosen.", markup=False)
            return
        doubts = f"There are doubts: {'; '.join(one.doubts)}. Accept it all the same?" if one.doubts else ""
        if await self.sure("accept", doubts):
            self._judge(one, accept=True)

    @work
    async def action_reject(self) -> None:
        one = self._proposal()
        if one is None:
            self.notify("No forged skill is chosen.", markup=False)
        elif await self.sure("reject"):
            self._judge(one, accept=False)

    def _judge(self, one: ProposalView, *, accept: bool) -> None:
        def deed(folder: SaveFolder) -> str:
            from realm_tui.runtime.forge_view import judge

            return judge(one.id, accept=accept, anyway=bool(one.doubts))

        self.order("judge a skill", deed, "writing down your judgement")

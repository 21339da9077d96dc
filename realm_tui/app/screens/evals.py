"""Every exam with its interval and what went wrong beside it, down to each question; and the exams to come."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container

from configs import clock
from configs.paths import SaveFolder
from engine.link.protocol import Verb
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look
from realm_tui.app.screens.leaves import Deeds
from realm_tui.app.widgets.exam_plan import PLAN_EMPTY, entry_row, entry_rows, plan_head, plan_summary
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.app.widgets.papers import (
    item_row,
    item_rows,
    paper_rows,
    papers_empty,
    papers_head,
    papers_row,
    papers_summary,
)
from realm_tui.app.widgets.scroll import Scroll
from realm_tui.runtime.exam_view import PlanView
from realm_tui.runtime.opened import OpenedSave
from realm_tui.runtime.papers_view import GROUPS, PapersView, papers_view
from saves.rows import ExamItem


class EvalsScreen(Deeds[PapersView]):
    """The roll of exams."""

    word = "screen.evals"
    refresh_s = 3.0
    AUTO_FOCUS: ClassVar[str | None] = "#evals-list"
    keys = (
        Action(
            "questions",
            "i",
            "items/exams",
            "questions/roll",
            "Show every question of the chosen exam, or go back to the exams.",
            footer_order=1,
        ),
        Action(
            "narrow",
            "f",
            "filter",
            "sift",
            "Show all exams, those of the gate, screenings, those of the plan, or those you asked for.",
            footer_order=2,
        ),
        Action(
            "wrong",
            "x",
            "only wrong",
            "only failures",
            "Of the questions, show only those answered wrongly, or all.",
            footer_order=3,
        ),
        Action(
            "plan",
            "l",
            "plan/exams",
            "to come/roll",
            "Show the exam plan: what is asked beside the gate, when it comes next, and why some is left out.",
            footer_order=4,
        ),
        Action(
            "examine",
            "r",
            "examine now",
            "try it now",
            "Ask the chosen entry of the plan now, or else the training level; it counts towards no level.",
            footer_order=5,
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self._group = "all"
        self._chosen: int | None = None
        self._wrong = self._plan = False

    def read(self, save: OpenedSave) -> PapersView:
        return papers_view(save, self._group, self._chosen, plan=self._plan)

    def body(self) -> ComposeResult:
        with Container(id="evals-stage", classes="beside"):
            yield Listing("evals-list", "evals.list", "panel roll")
            yield Scroll("evals-paper", "evals.paper", "panel roll")
            yield Listing("evals-items", "evals.items", "panel questions")
            yield Scroll("evals-item", "evals.item", "panel questions")
            yield Listing("evals-plan", "evals.plan", "panel plan")
            yield Scroll("evals-entry", "evals.entry", "panel plan")

    @property
    def _asked(self) -> bool:
        """Whether questions are shown instead of exams."""
        return self.has_class("-questions")

    def show(self, data: PapersView, look: Look) -> None:
        narrowed = "" if self._group == "all" else f"  {self._group}"
        listing = self.query_one("#evals-list", Listing)
        title = f"{papers_summary(data)}{narrowed}"
        listing.draw(
            [Item(one.key, partial(papers_row, one, look, data.alpha)) for one in data.lines],
            look,
            subtitle=title,
            head=lambda width: [papers_head(data.alpha)],
            empty=papers_empty(self._group),
        )
        paper = data.paper if data.paper is not None and str(data.paper.exam.id) == listing.chosen else None
        now = clock.now()
        self.query_one("#evals-paper", Scroll).fill(
            lambda width: paper_rows(paper, look, width, data.alpha, now), look, subject=listing.chosen
        )
        items = [item for item in paper.items if not (self._wrong and item.correct)] if paper is not None else []
        kept = "wrong ones only" if self._wrong else ""
        nothing = "None was answered wrongly." if paper is not None and paper.items else "These items became counts."
        self.query_one("#evals-items", Listing).draw(
            [Item(f"{one.exam_id}.{one.position}", partial(item_row, one, look)) for one in items],
            look,
            subtitle=kept,
            empty=nothing,
        )
        self._show_item(items, look)
        if data.plan is not None:
            self._show_plan(data.plan, look, data.alpha)

    def _show_plan(self, plan: PlanView, look: Look, alpha: float) -> None:
        listing = self.query_one("#evals-plan", Listing)
        listing.draw(
            [Item(one.name, partial(entry_row, one, look)) for one in plan.entries],
            look,
            subtitle=plan_summary(plan),
            head=lambda width: [plan_head(width)],
            empty=PLAN_EMPTY,
        )
        entry = next((one for one in plan.entries if one.name == listing.chosen), None)
        self.query_one("#evals-entry", Scroll).fill(
            lambda width: entry_rows(entry, look, width, alpha), look, subject=listing.chosen
        )

    def _show_item(self, items: list[ExamItem], look: Look) -> None:
        key = self.query_one("#evals-items", Listing).chosen
        item = next((one for one in items if f"{one.exam_id}.{one.position}" == key), None)
        self.query_one("#evals-item", Scroll).fill(lambda width: item_rows(item, look, width), look, subject=key)

    @on(Listing.Moved, "#evals-list")
    def _moved(self, event: Listing.Moved) -> None:
        if self._chosen != int(event.key):
            self._chosen = int(event.key)
            self.reload()

    @on(Listing.Moved, "#evals-plan")
    @on(Listing.Moved, "#evals-items")
    def _item_moved(self) -> None:
        self.repaint_data()

    @on(Listing.Chosen, "#evals-list")
    def _picked(self) -> None:
        self.action_questions()

    # ------------------------------------------------------------------ what can be done

    def action_questions(self) -> None:
        """Questions instead of exams, or the other way round."""
        self._leave_plan()
        self.toggle_class("-questions")
        self.query_one("#evals-items" if self._asked else "#evals-list", Listing).focus()
        self.call_after_refresh(self.repaint_data)

    def action_plan(self) -> None:
        """The plan instead of exams, or the other way round."""
        if self._plan:
            self._leave_plan()
            self.query_one("#evals-list", Listing).focus()
        else:
            self._plan = True
            self.remove_class("-questions")
            self.add_class("-plan")
            self.query_one("#evals-plan", Listing).focus()
        self.reload()

    def _leave_plan(self) -> None:
        self._plan = False
        self.remove_class("-plan")

    def action_examine(self) -> None:
        """Examine the living hero now."""
        entry = self.query_one("#evals-plan", Listing).chosen if self._plan else None

        def deed(folder: SaveFolder) -> str:
            from realm_tui.runtime.exam_view import waits_text
            from realm_tui.runtime.orders import order

            result = order(folder, Verb.EXAM, {"plan": entry} if entry is not None else {}).result
            if "waits" in result:
                return waits_text(result["waits"])
            exams = result["exams"]
            told = ", ".join(f"{e['skill'].upper()} L{e['level']} {e['correct']}/{e['items']}" for e in exams[:4])
            return told + (f" and {len(exams) - 4} more" if len(exams) > 4 else "")

        self.order("examine", deed, "examining the hero")

    def action_narrow(self) -> None:
        self._leave_plan()
        if self._asked:
            self.remove_class("-questions")
            self.query_one("#evals-list", Listing).focus()
        names = list(GROUPS)
        self._group = names[(names.index(self._group) + 1) % len(names)]
        self.reload()

    def action_wrong(self) -> None:
        self._wrong = not self._wrong
        if not self._asked:
            self.action_questions()
        self.repaint_data()

"""The Quest Board: every quest in the order it is taken, the story of one, and what can be done about it."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container

from configs import clock
from configs.paths import SaveFolder
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look
from realm_tui.app.screens.leaves import Deeds
from realm_tui.app.widgets.board import board_empty_words, board_head, board_summary, quest_row, story_empty, story_rows
from realm_tui.app.widgets.listing import Item, Listing
from realm_tui.app.widgets.scroll import Scroll
from realm_tui.runtime.board_view import BoardView, QuestView, board_view
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.opened import OpenedSave
from saves.rows import Quest

_ORDER = ("low", "normal", "high")


class BoardScreen(Deeds[BoardView]):
    """What trains, what waits, what is done."""

    word = "screen.board"
    AUTO_FOCUS: ClassVar[str | None] = "#board-list"
    keys = (
        Action(
            "sooner",
            "u",
            "sooner",
            "more urgent",
            "Give the chosen quest a higher priority; within one, the oldest goes first unless you moved it.",
            footer_order=1,
        ),
        Action("later", "l", "later", "less urgent", "Give the chosen quest a lower priority.", footer_order=2),
        Action("up", "U", "up", "up", "Move the chosen quest one place up within its priority.", footer_order=6),
        Action(
            "down", "L", "down", "down", "Move the chosen quest one place down within its priority.", footer_order=7
        ),
        Action(
            "inspect",
            "i",
            "examples",
            "read the scroll",
            "Read a few examples of the chosen quest, from all over its file.",
            footer_order=3,
        ),
        Action(
            "again",
            "r",
            "again",
            "once more",
            "Put a quest that is done, failed or skipped on the board anew.",
            footer_order=4,
        ),
        Action(
            "take_down",
            "x",
            "remove",
            "take down",
            "Take the chosen quest off the board; its copy and its history stay.",
            confirm="Take this quest off the board? Its copy and its history stay in the save.",
            footer_order=5,
        ),
        Action("old", "o", "removed too", "old notices", "Show quests that were taken off the board, or hide them."),
    )

    def __init__(self) -> None:
        super().__init__()
        self._chosen: int | None = None
        self._removed = False

    def read(self, save: OpenedSave) -> BoardView:
        return board_view(save, removed=self._removed, chosen=self._chosen)

    def body(self) -> ComposeResult:
        with Container(id="board-stage", classes="beside"):
            yield Listing("board-list", "board.list")
            yield Scroll("board-quest", "board.quest")

    def show(self, data: BoardView, look: Look) -> None:
        self.query_one("#board-list", Listing).draw(
            [Item(q.key, partial(quest_row, q, look)) for q in data.quests],
            look,
            head=lambda width: [board_head(width)],
            subtitle=board_summary(data),
            empty=board_empty_words(look, data.inbox),
        )
        one = self._quest()
        story = (
            data.story if one is not None and data.story is not None and data.story.quest.id == one.quest.id else None
        )
        now = clock.now()
        self.query_one("#board-quest", Scroll).fill(
            lambda width: story_rows(one, story, look, width, now) if one is not None else story_empty(width),
            look,
            subject=one.key if one is not None else None,
        )

    def _quest(self) -> QuestView | None:
        """The quest under the cursor."""
        key = self.query_one("#board-list", Listing).chosen
        return next((q for q in self.data.quests if q.key == key), None) if self.data is not None else None

    def _one(self) -> QuestView | None:
        """The quest under the cursor, for a key that acts on it; says so where there is none."""
        one = self._quest()
        if one is None:
            self.notify("There is no quest under the cursor; `d` adds one.", markup=False)
        return one

    @on(Listing.Moved, "#board-list")
    def _moved(self, event: Listing.Moved) -> None:
        if self._chosen != int(event.key):
            self._chosen = int(event.key)
            self.repaint_data()
            self.reload()

    @on(Listing.Chosen, "#board-list")
    def _picked(self) -> None:
        self.action_inspect()

    # ------------------------------------------------------------------ what can be done

    def action_sooner(self) -> None:
        self._shift(1)

    def action_later(self) -> None:
        self._shift(-1)

    def _shift(self, by: int) -> None:
        one = self._one()
        if one is None:
            return
        at = _ORDER.index(one.quest.priority) + by
        if not 0 <= at < len(_ORDER):
            self.notify(f"{clean(one.quest.name)} is {one.quest.priority} already.", markup=False)
            return

        def deed(folder: SaveFolder) -> str:
            from realm_tui.runtime.board import prioritise

            moved = prioritise(folder, one.quest.id, _ORDER[at])
            return f"{moved.name}: {moved.priority} priority"

        self.order("move a quest", deed, "moving a quest")

    def action_up(self) -> None:
        self._move(-1)

    def action_down(self) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        one = self._one()
        if one is None:
            return

        def deed(folder: SaveFolder) -> str:
            from realm_tui.runtime.board import move

            moved = move(folder, one.quest.id, by)
            if moved is None:
                return (
                    f"{one.quest.name} is the {'first' if by < 0 else 'last'} of {one.quest.priority} priority already"
                )
            return f"{moved[0].name} goes {'before' if by < 0 else 'after'} {moved[1].name}"

        self.order("move a quest", deed, "moving a quest")

    def action_again(self) -> None:
        one = self._one()
        if one is None:
            return

        def deed(folder: SaveFolder) -> str:
            from realm_tui.runtime.board import again

            return f"{again(folder, one.quest.id).name} is on the board"

        self.order("take a quest again", deed, "putting a quest up again")

    @work
    async def action_take_down(self) -> None:
        one = self._one()
        if one is None or not await self.sure("take_down"):
            return

        def deed(folder: SaveFolder) -> str:
            from realm_tui.runtime.board import remove

            return f"{remove(folder, one.quest.id).name} is off the board"

        self.order("take down a quest", deed, "taking down a quest")

    def action_old(self) -> None:
        self._removed = not self._removed
        told = "Quests that were taken off the board are shown too." if self._removed else "Those taken off are hidden."
        self.notify(told, markup=False)
        self.reload()

    def action_inspect(self) -> None:
        one = self._one()
        if one is not None:
            self._peek(one.quest)

    @work(exclusive=True, group="peek")
    async def _peek(self, quest: Quest) -> None:
        from realm_tui.app.screens.peek import PeekScreen
        from realm_tui.app.widgets.board import peek_rows
        from realm_tui.runtime.board_view import peek

        found = await self.find("peek", lambda folder: peek(folder, quest))
        if found is not None:
            self.app.push_screen(PeekScreen("board.examples", lambda width: peek_rows(found, width), self.realm.look))

"""The Oracle: choose a form and a place, ask, hear the answer as it comes, set two forms side by side, put one to work at the Inn."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input
from textual.worker import Worker, WorkerState

from configs.errors import RealmError
from lore.lexicon import entry, label
from realm_tui.app.actions import Action
from realm_tui.app.drawing import Look, Row
from realm_tui.app.screens.ceremony import call_back, put_to_work
from realm_tui.app.screens.dialog import Choice, Line
from realm_tui.app.screens.journeys import found_out
from realm_tui.app.screens.page import Page
from realm_tui.app.screens.pick import Pick
from realm_tui.app.widgets import oracle as rows
from realm_tui.app.widgets.lines import drawn, when
from realm_tui.app.widgets.listing import Listing
from realm_tui.app.widgets.scroll import Scroll
from realm_tui.runtime.foreign import clean
from realm_tui.runtime.inn.forms import QUICK
from realm_tui.runtime.inn.oracle import OTHER_FORM, Wish, new_talk, put
from realm_tui.runtime.inn.oracle_view import OracleView, Seat, oracle_view
from realm_tui.runtime.opened import OpenedSave
from saves.oracle import Turn

TEMPERATURES = (0.0, 0.3, 0.7, 1.0)
"""How freely a form may be asked by one key; other values are the rules' or the command line's."""
_PAINT_S = 0.25
"""Between two paintings of an answer that comes."""


class OracleScreen(Page[OracleView]):
    """Talk with a form that was kept."""

    word = "screen.oracle"
    AUTO_FOCUS: ClassVar[str | None] = "Listing"
    refresh_s = 2.0
    keys: ClassVar[tuple[Action, ...]] = (
        Action(
            "hold_voice",
            "y",
            "compare",
            "side by side",
            "Both the called form and the one under the cursor answer, side by side; again ends it.",
            footer_order=21,
        ),
        Action("hush", "x", "stop answer", "hush", "Stop the answer that comes; what came of it is kept.", footer_order=22),
        Action("ask_again", "r", "again", "once more", "The last question once more, with another seed.", in_footer=False),
        Action("new_talk", "g", "new chat", "new talk", "Begin a new conversation.", footer_order=26),
        Action("choose_seat", "h", "host", "house", "Choose where the form speaks.", footer_order=23),
        Action("freedom", "f", "temperature", "tongue", "How freely it speaks: 0, .3, .7 or 1.", in_footer=False),
        Action(
            "remember", "b", "context", "remembrance", "Send what was said before along, or each question alone.",
            in_footer=False,
        ),
        Action("older_talks", "o", "history", "old talks", "Open an earlier conversation and go on with it.", footer_order=27),
        Action(
            "export_talk",
            "X",
            "export chat",
            "write down",
            "Write this conversation to a file: to read (.md), with all figures (.json), or as a quest (.jsonl).",
            in_footer=False,
        ),
        Action(
            "to_the_inn",
            "C",
            "promote there",
            "to the Inn",
            "Put the called form to work at this place: gate, sync, swap, a trial answer, champion.",
            footer_order=24,
        ),
        Action(
            "back_from_inn",
            "u",
            "undo there",
            "call back",
            "What worked at this place before works there again, and reigns again.",
            footer_order=25,
        ),
        Action("speak", "i", "ask", "speak", "Write a question to the called form.", footer_order=20),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave_line", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._talk = ""
        self._key = self._held = self._place = ""
        self._temperature: float | None = None
        self._seed = 0
        self._remember: bool | None = None
        self._live: rows.Live | None = None
        self._asking: Worker[None] | None = None
        self._seen_turns = 0

    # ------------------------------------------------------------------ showing

    def read(self, save: OpenedSave) -> OracleView:
        return oracle_view(save, self._talk)

    def body(self) -> ComposeResult:
        with Horizontal(classes="oracle"):
            with Vertical(classes="oracle-left"):
                yield Listing("oracle-forms", "oracle.forms")
                yield Scroll("oracle-voice", "oracle.voice")
            with Vertical(classes="oracle-right"):
                yield rows.Conversation("oracle-talk", "oracle.talk")
                yield Input(placeholder="i: your question, then enter; esc goes back to the list", id="oracle-line")

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(_PAINT_S, self._paint_live)

    def show(self, data: OracleView, look: Look) -> None:
        if data.name_of(self._key) is None:
            self._key = next((key for key in QUICK if data.name_of(key) is not None), "")
        if data.name_of(self._held) is None:
            self._held = ""
        if data.seat(self._place) is None:
            self._place = data.seats[0].id if data.seats else ""
        if self._live is not None and self._live.stopped and len(data.turns) > self._seen_turns:
            self._live = None
        self.query_one("#oracle-forms", Listing).draw(
            rows.form_items(data, self._key, self._held, look), look, empty=lambda _: rows.nobody_rows(data, look)
        )
        self._show_voice()
        self._show_talk()

    def _show_voice(self) -> None:
        data, look = self.data, self.realm.look
        if data is None:
            return
        under = self.query_one("#oracle-forms", Listing).chosen or self._key
        seat, how = data.seat(self._place), self._how(data)

        def paint(width: int) -> list[Row]:
            return rows.voice_rows(data, under, seat, how, look, width, chosen=self._key, held=self._held)

        self.query_one("#oracle-voice", Scroll).fill(paint, look, subject=f"{under}/{self._place}")

    def _show_talk(self) -> None:
        data, look, live = self.data, self.realm.look, self._live
        if data is None:
            return
        turns = data.turns

        def paint(width: int) -> list[Row]:
            if not turns and live is None:
                return rows.silence_rows(data, look, width)
            return rows.talk_rows(turns, live, look, width)

        title = label("oracle.talk", look.names) + (f": {self._talk}" if self._talk else "")
        self.query_one("#oracle-talk", rows.Conversation).fill(paint, look, title=title)

    def _paint_live(self) -> None:
        if self._live is not None and self.realm.may_look(self):
            self._show_talk()

    def _how(self, data: OracleView) -> rows.Freedom:
        rules = data.rules.oracle
        warm = rules.temperature if self._temperature is None else self._temperature
        remember = data.remembers if self._remember is None else self._remember
        return rows.Freedom(warm, self._seed, rules.max_tokens, remember)

    @on(Listing.Moved)
    def _moved(self, _: Listing.Moved) -> None:
        self._show_voice()

    @on(Listing.Chosen)
    def _called(self, event: Listing.Chosen) -> None:
        self._key = event.key
        if self._held == self._key:
            self._held = ""
        self.repaint_data()
        self.action_speak()

    # ------------------------------------------------------------------ asking

    def action_speak(self) -> None:
        if self.data is not None and self.data.name_of(self._key) is None:
            self.notify("There is no form to ask yet.", markup=False)
            return
        self.query_one("#oracle-line").focus()

    def action_leave_line(self) -> None:
        """Escape first leaves the line, then the screen."""
        if self.query_one("#oracle-line").has_focus:
            self.query_one("#oracle-forms").focus()
        else:
            self.realm.action_home()

    @on(Input.Submitted, "#oracle-line")
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if self._ask(event.value):
            event.input.value = ""

    def _ask(self, words: str, *, displace: bool = False) -> bool:
        """Begin to ask; False where that is not possible now."""
        data = self.data
        if data is None or not words.strip():
            return False
        if self._asking is not None:
            self.notify("An answer is still coming; x stops it.", markup=False)
            return False
        keys = [self._key, *([self._held] if self._held else [])]
        names = tuple(name for name in (data.name_of(key) for key in keys) if name is not None)
        if len(names) != len(keys) or not self._place:
            self.notify("There is nobody to ask, or no place to ask at.", markup=False)
            return False
        if not self._talk:
            self._talk = new_talk()
        how = self._how(data)
        wish = Wish(
            words,
            names,
            self._place,
            self._talk,
            temperature=how.temperature,
            seed=how.seed,
            remember=how.remember,
            displace=displace,
        )
        forms = [data.form(key) for key in keys]
        voices = tuple(
            rows.Voice(name, form.step if form is not None else None, "", False)
            for name, form in zip(names, forms, strict=True)
        )
        self._live, self._seen_turns = rows.Live(wish.words, voices, "…"), len(data.turns)
        self.query_one("#oracle-talk", rows.Conversation).follow()
        self._show_talk()
        self._asking = self._listen(wish)
        return True

    @work(group="oracle", exit_on_error=False)
    async def _listen(self, wish: Wish) -> None:
        refused: RealmError | None = None
        loop = asyncio.get_running_loop()

        def heard(side: int, piece: str) -> None:
            with contextlib.suppress(RuntimeError):  # the app has left meanwhile
                loop.call_soon_threadsafe(self._heard, side, piece)

        try:
            found = await self.realm.link.visit(
                lambda reach, folder, tell: put(reach, folder, wish, on_piece=heard, tell=tell), self._waits
            )
            refused = next((one for one in found if isinstance(one, RealmError) and one.code == OTHER_FORM), None)
        except RealmError as error:
            refused = error
        finally:
            self._asking = None
        self._live = None
        self.reload()
        if refused is None:
            return
        if refused.code == OTHER_FORM and await self._may_displace(refused):
            self._ask(wish.words, displace=True)
        elif refused.code != OTHER_FORM:
            self.notify(clean(refused.text()), severity="error", timeout=8, markup=False)

    async def _may_displace(self, refused: RealmError) -> bool:
        question = f"{clean(refused.text())} Load the called form in its place?"
        choice = Choice("Another form works there", question, (("no", "n", "no"), ("yes", "y", "yes")))
        return await self.app.push_screen_wait(choice) == "yes"

    def _heard(self, side: int, piece: str) -> None:
        if self._live is not None and not self._live.stopped:
            voices = list(self._live.voices)
            voices[side] = replace(voices[side], text=voices[side].text + piece)
            self._live = replace(self._live, voices=tuple(voices), note="")

    def _waits(self, text: str) -> None:
        if self._live is not None and not self._live.stopped:
            self._live = replace(self._live, note=clean(text))

    def action_hush(self) -> None:
        if self._asking is None:
            self.notify("No answer is coming.", markup=False)
            return
        self._asking.cancel()
        self._asking = None
        if self._live is not None:
            self._live = replace(self._live, stopped=True)
        self._show_talk()

    @on(Worker.StateChanged)
    def _ended(self, event: Worker.StateChanged) -> None:
        """An answer that was stopped is in the save a moment later."""
        if event.worker.group == "oracle" and event.state is WorkerState.CANCELLED:
            self.set_timer(_PAINT_S, self.reload)

    def action_ask_again(self) -> None:
        if self.data is None or not self.data.turns:
            self.notify("Nothing was asked yet.", markup=False)
            return
        if self._how(self.data).temperature == 0:
            self.notify("Greedy, it says the same again; f frees its tongue.", markup=False)
        else:
            self._seed += 1
        self._ask(self.data.turns[-1].question)

    # ------------------------------------------------------------------ choosing

    def action_hold_voice(self) -> None:
        key = self.query_one("#oracle-forms", Listing).chosen or ""
        data = self.data
        if data is None or not key:
            return
        if key == self._held or key == self._key:
            self._held = ""
            if key == self._key:
                self.notify("That form is called already; put the cursor on another one.", markup=False)
        else:
            self._held = key
        self.repaint_data()

    @work
    async def action_choose_seat(self) -> None:
        data = self.data
        if data is None or not data.seats:
            self.notify("No place has a server; `realm host add` adds one.", markup=False)
            return
        look = self.realm.look

        def told(seat: Seat) -> str:
            where = "here" if seat.local else drawn(seat.machine, 20)
            works = f", {drawn(seat.at_work, 40)}" if seat.at_work else ""
            return f"{drawn(seat.title, 24)} · {where} · {seat.kind} · {rows.state_text(seat, look)}{works}"

        lines = [(seat.id, told(seat)) for seat in data.seats]
        chosen = await self.app.push_screen_wait(
            Pick(entry("oracle.seat").named(look.names), lines, chosen=self._place)
        )
        if chosen is not None:
            self._place = chosen
            self.repaint_data()

    def action_freedom(self) -> None:
        if self.data is None:
            return
        now = self._how(self.data).temperature
        self._temperature = next((warm for warm in TEMPERATURES if warm > now), TEMPERATURES[0])
        self.repaint_data()

    def action_remember(self) -> None:
        if self.data is not None:
            self._remember = not self._how(self.data).remember
            self.repaint_data()

    def action_new_talk(self) -> None:
        if self._asking is not None:
            self.notify("An answer is still coming; x stops it.", markup=False)
            return
        self._talk, self._live = "", None
        self.query_one("#oracle-talk", rows.Conversation).follow()
        self.reload()

    @work
    async def action_older_talks(self) -> None:
        data = self.data
        if data is None or not data.talks:
            self.notify("Nothing was asked yet.", markup=False)
            return
        lines = [
            (
                talk.id,
                f"{when(talk.at)} · {talk.turns:>3} · {drawn(talk.first, 60)} · {drawn(', '.join(talk.names), 60)}",
            )
            for talk in data.talks
        ]
        chosen = await self.app.push_screen_wait(Pick("Earlier talks", lines, chosen=self._talk))
        if chosen is not None and self._asking is None:
            self._talk, self._live = chosen, None
            self.query_one("#oracle-talk", rows.Conversation).follow()
            self.reload()

    # ------------------------------------------------------------------ deeds

    @work
    async def action_export_talk(self) -> None:
        data = self.data
        if data is None or not data.turns:
            self.notify("There is no answer to export yet.", markup=False)
            return
        turns: tuple[Turn, ...] = data.turns
        at = await found_out(self.realm, "export", lambda folder, _: folder.root / "exports" / f"{self._talk}.md")
        if at is None:
            return
        question = "Into which new file? .md to read, .json with all figures, .jsonl as a quest."
        target = await self.app.push_screen_wait(Line("Export", question, value=str(at)))
        if target is None:
            return

        async def deed() -> str:
            from realm_tui.runtime.inn.oracle_history import export

            made = await self.realm.link.carry_out(
                "export", lambda _, __: export(turns, Path(target)), self.realm.progress("export"), writes=False
            )
            return f"The talk is in {made}"

        self.realm.do("export", deed, "writing the talk down")

    @work
    async def action_to_the_inn(self) -> None:
        data = self.data
        seat = data.seat(self._place) if data is not None else None
        name = data.name_of(self._key) if data is not None else None
        form = data.form(self._key) if data is not None else None
        if seat is None or name is None or form is None:
            self.notify("Call a form that was kept first.", markup=False)
            return
        await put_to_work(self.realm, name, seat, self.reload)

    def action_back_from_inn(self) -> None:
        data = self.data
        seat = data.seat(self._place) if data is not None else None
        if seat is None or seat.at_work is None:
            self.notify("Nothing was put to work at this place.", markup=False)
            return
        call_back(self.realm, seat, self.reload)

"""Ask the champion or the live hero something, and read the answer as it comes."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on, work
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Static

from configs.errors import RealmError
from realm_tui.app.link import Link, at_the_keys
from realm_tui.app.screens.dialog import Dialog, plain
from realm_tui.runtime.foreign import clean


class AskScreen(Dialog[None]):
    """One question, one answer; then the next."""

    heading = "Ask"

    def __init__(self, link: Link, champion: str | None, question: str = "") -> None:
        """
        Args:
            link: the way to the engine.
            champion: name of the champion; None while there is none, then the live hero answers.
            question: asked at once when given.
        """
        super().__init__()
        self._link, self._champion, self._question = link, champion, question

    def body(self) -> Iterable[Widget]:
        who = f"the champion, {clean(self._champion)}" if self._champion else "the live hero; there is no champion yet"
        yield plain(f"Answers come from {who}.", classes="hint")
        yield Input(placeholder="your question, then enter", value=self._question, id="question")
        with VerticalScroll(classes="scroll"):
            yield plain("", "answer")
        yield plain("esc closes", classes="hint")

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        if self._question:
            self.ask(self._question)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self.ask(event.value.strip())

    @work(exclusive=True)
    async def ask(self, question: str) -> None:
        """Send the question and show what comes back; errors say what to do."""
        answer = self.query_one("#answer", Static)
        answer.set_class(False, "trouble")
        answer.update("…")
        try:
            text = await self._link.ask(question, lambda so_far: answer.update(clean(so_far, newline="\n")))
        except RealmError as error:
            answer.set_class(True, "trouble")
            answer.update(clean(at_the_keys(error).text(), newline="\n"))
        else:
            answer.update(clean(text, newline="\n") or "(the hero said nothing)")

"""What the dialogs share: a titled box in the middle, buttons that arrow keys reach, escape to leave."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.events import Key, Resize
from textual.markup import escape
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, Static

T = TypeVar("T")


class Dialog(ModalScreen[T | None]):
    """A box over the Battle screen; escape answers None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "close", show=False),
        Binding("right,down", "app.focus_next", show=False),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("pagedown", "turn(1)", show=False),
        Binding("pageup", "turn(-1)", show=False),
    ]
    heading: ClassVar[str] = ""
    _over = False
    """It was answered and is closing."""

    def body(self) -> Iterable[Widget]:
        """What stands in the box."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        with Container(classes="dialog") as box:
            box.border_title = escape(self.heading)
            yield from self.body()

    def on_resize(self, event: Resize) -> None:
        self.fit_question(event.size.height)

    def fit_question(self, height: int) -> None:
        """Keep what is below a long question on a screen of that height: the question scrolls."""
        for asked in self.query(Asked):
            asked.styles.max_height = max(1, height * 96 // 100 - asked.below)

    def action_turn(self, by: int) -> None:
        """Scroll a long question by so many pages."""
        for asked in self.query(Asked):
            (asked.scroll_page_down if by > 0 else asked.scroll_page_up)(animate=False)

    def action_give_up(self) -> None:
        self.dismiss(None)

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Close with an answer. The first one counts: a key pressed before the box has gone changes nothing."""
        if self._over:
            return AwaitComplete()
        self._over = True
        return super().dismiss(result)


def plain(text: str, key: str = "", *, classes: str = "") -> Static:
    """Text without markup; ``key`` is its id."""
    return Static(text, markup=False, classes=classes, id=key or None)


class Asked(VerticalScroll, can_focus=False):
    """The words of a question; where they are too many, page keys and the wheel move them, and what answers them stays."""

    DEFAULT_CSS = "Asked { height: auto; }"

    def __init__(self, text: str, below: int) -> None:
        """
        Args:
            text: the words.
            below: rows that the box needs beside them: its border, its padding, and what answers.
        """
        super().__init__(plain(text))
        self.below = below


class Choice(Dialog[str]):
    """A question with a few answers; each has a key of its own."""

    def __init__(self, heading: str, question: str, answers: Iterable[tuple[str, str, str]]) -> None:
        """
        Args:
            heading: title of the box.
            question: what is asked.
            answers: (id, key, words) each; the first is focused.
        """
        super().__init__()
        self._heading, self._question, self._answers = heading, question, tuple(answers)

    def above(self) -> Iterable[Widget]:
        """What stands over the question."""
        return ()

    def compose(self) -> ComposeResult:
        with Container(classes="dialog") as box:
            box.border_title = escape(self._heading)
            yield from self.above()
            yield Asked(self._question, 6)
            with Horizontal(classes="choices"):
                for answer, key, words in self._answers:
                    yield Button(escape(f"{words} ({key})"), id=f"answer-{answer}")

    def on_key(self, event: Key) -> None:
        """Answer by an answer's key; it ends here, or the screen below would take it for its own."""
        for answer, key, _ in self._answers:
            if event.key == key:
                event.stop()
                self.dismiss(answer)
                return

    @on(Button.Pressed)
    def _chosen(self, event: Button.Pressed) -> None:
        self.dismiss((event.button.id or "").removeprefix("answer-"))


class Line(Dialog[str]):
    """A question answered with one line of text; an empty one answers nothing."""

    def __init__(self, heading: str, question: str, *, value: str = "", hint: str = "") -> None:
        """
        Args:
            heading: title of the box.
            question: what is asked.
            value: stands there already.
            hint: shown while the line is empty.
        """
        super().__init__()
        self._heading, self._question, self._value, self._hint = heading, question, value, hint

    def compose(self) -> ComposeResult:
        with Container(classes="dialog") as box:
            box.border_title = escape(self._heading)
            yield Asked(self._question, 8)
            yield Input(value=self._value, placeholder=self._hint, id="line")
            yield plain("enter accepts, esc closes", classes="hint")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)


def confirm(question: str) -> Choice:
    """Yes or no; answers ``yes`` or None."""
    return Choice("Are you sure?", question, (("no", "n", "no"), ("yes", "y", "yes")))


def leave(engine_lives: bool) -> Choice:
    """Whether the hero trains on; answers ``leave``, ``stop`` or ``stay``."""
    if not engine_lives:
        return Choice(
            "Leave", "No engine is running; leaving changes nothing.", (("leave", "q", "leave"), ("stay", "s", "stay"))
        )
    return Choice(
        "Leave",
        "The hero can train on without you; the next `realm play` tells what happened. Or it saves and stops.",
        (("leave", "q", "leave it training"), ("stop", "s", "stop it"), ("stay", "r", "stay")),
    )

"""The questions of a new save: which hero (only where there is a choice), and in whose words."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from textual.app import App
from textual.events import Resize
from textual.widget import Widget

from configs.loader import load_hero
from realm_tui.app.driver import FrameDroppingDriver
from realm_tui.app.screens.dialog import Asked, Choice, plain
from realm_tui.app.theme import THEMES
from realm_tui.runtime.foreign import clean


def ask_hero(proposed: str, default: str) -> Choice:
    """Whether to start with a bigger hero that was found; answers a hero's id."""
    bigger, smaller = load_hero(proposed), load_hero(default)
    return Choice(
        "A hero for this save",
        f"A graphics card and the model of {bigger.title}, were found: {bigger.description}\n\n"
        f"Or start with {smaller.title}: {smaller.description}",
        (
            (proposed, bigger.name[0].lower(), bigger.name),
            (default, smaller.name[0].lower(), smaller.name),
        ),
    )


class Welcome(Choice):
    """The first thing a new player sees: who the hero is, where its files lie, what leaves the machine, and one question.

    Answers ``tavern`` or ``plain``, or None when it was skipped; it is never asked twice.
    """

    def __init__(self, hero: str, portrait: Sequence[str], where: str) -> None:
        """
        Args:
            hero: name and epithet.
            portrait: lines of the hero's portrait.
            where: the folder in which the save lies.
        """
        super().__init__(
            "Welcome to the Realm of Training",
            f"{clean(hero)}, is a real language model. It trains from now on, also after you leave; what you see is measured.\n\n"
            f"Its files lie in {clean(_short(where))}.\n"
            "Nothing leaves this machine by itself: no account, no telemetry. The network is used only to fetch the model of a "
            "hero that needs one, and to reach machines that you name.\n\n"
            "How shall the screen speak? In the tavern's words a checkpoint is an anchor and an exam a trial; plain names are "
            "the field's own. The numbers are the same, and `v` switches at any time. esc skips this.",
            (("tavern", "t", "tavern"), ("plain", "p", "plain")),
        )
        self._portrait = [clean(line) for line in portrait]

    def above(self) -> Iterable[Widget]:
        yield plain("\n".join((*self._portrait, "")), "face")

    def on_resize(self, event: Resize) -> None:
        """The portrait stands where it takes no room from the words."""
        rows = len(self._portrait) + 1
        self.query_one("#face").display = bool(self._portrait)
        self.query_one(Asked).below = 6 + (rows if self._portrait else 0)
        super().on_resize(event)
        self.call_after_refresh(self._give_way)

    def _give_way(self) -> None:
        asked = self.query_one(Asked)
        if asked.max_scroll_y > 0 and self.query_one("#face").display:
            self.query_one("#face").display = False
            asked.below = 6
            self.fit_question(self.size.height)


def _short(path: str) -> str:
    """``path`` with ``~`` for the player's home."""
    home = str(Path.home())
    return f"~{path[len(home) :]}" if path.startswith(home + os.sep) else path


class HeroQuestion(App[str]):
    """The one question that comes before there is a save; answers a hero's id, or None when it was closed."""

    CSS_PATH = Path(__file__).parents[1] / "styles" / "00_realm.tcss"
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, proposed: str, default: str) -> None:
        super().__init__(driver_class=None if os.environ.get("TEXTUAL_DRIVER") else FrameDroppingDriver)
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        self._question = ask_hero(proposed, default)

    def on_mount(self) -> None:
        self.push_screen(self._question, self._answered)

    def _answered(self, answer: Any) -> None:
        self.exit(answer)

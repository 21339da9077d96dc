"""The help screen: every key from the registry, and what the words on the screen mean, from the lexicon."""

from __future__ import annotations

from collections.abc import Iterable

from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget

from lore.lexicon import entries
from realm_tui.app.actions import ACTIONS
from realm_tui.app.drawing import Look
from realm_tui.app.screens.dialog import Dialog, plain

_EXPLAINED = (
    "panel.strain",
    "strain",
    "strain.effort",
    "strain.gain",
    "strain.hint",
    "panel.battle",
    "training.surprise",
    "panel.exam",
    "exam.interval",
    "exam.streak",
    "skill.held",
    "skill.at_chance",
    "hero.level",
    "hero.attack",
    "hero.defence",
    "hero.accuracy",
    "hero.gold",
    "engine.age",
)


def key_lines(look: Look) -> list[tuple[str, str, str]]:
    """(key, name, explanation) of every action."""
    return [(a.key_label, a.label(look.tavern), a.help) for a in ACTIONS]


class HelpScreen(Dialog[None]):
    """Keys and words."""

    heading = "Help"

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._look = look

    def body(self) -> Iterable[Widget]:
        with VerticalScroll(classes="scroll") as scroll:
            scroll.can_focus = True
            for key, name, says in key_lines(self._look):
                with Horizontal(classes="entry"):
                    yield plain(key, classes="key")
                    yield plain(name, classes="name")
                    yield plain(says, classes="says")
            yield plain("What the words mean", classes="part")
            known = entries()
            for word in (known[k] for k in _EXPLAINED):
                with Horizontal(classes="entry"):
                    yield plain(word.icon, classes="key")
                    yield plain(word.named(self._look.names), classes="name")
                    yield plain(word.explained(self._look.names), classes="says")
        yield plain("arrow keys scroll, esc closes", classes="hint")

"""The help screen: every key from the registry, and what the words on the screen mean, from the lexicon."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget

from lore.lexicon import entries, label
from realm_tui.app.actions import ACTIONS, Action
from realm_tui.app.drawing import Look
from realm_tui.app.screens.dialog import Dialog, plain
from realm_tui.app.screens.registry import SCREENS

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


Line = tuple[str, str, str]
"""(key, name, explanation)."""


def key_lines(look: Look, own: Sequence[Action] = (), *, on_battle: bool = True) -> list[Line]:
    """A screen's own actions, then those of every screen that are offered on it."""
    offered = (*own, *(a for a in ACTIONS if a.offered(on_battle=on_battle)))
    return [(a.key_label, a.label(look.tavern), a.help) for a in offered]


def screen_lines(look: Look) -> list[Line]:
    """Every screen."""
    return [(s.key, label(s.word, look.names), s.help) for s in SCREENS]


class HelpScreen(Dialog[None]):
    """Keys and words."""

    heading = "Help"

    def __init__(self, look: Look, own: Sequence[Action] = (), *, on_battle: bool = True) -> None:
        """
        Args:
            look: the look in force.
            own: the actions of the screen it was called on.
            on_battle: whether that was the Battle screen.
        """
        super().__init__()
        self._look, self._keys = look, key_lines(look, own, on_battle=on_battle)

    def body(self) -> Iterable[Widget]:
        with VerticalScroll(classes="scroll") as scroll:
            scroll.can_focus = True
            yield from _lines(self._keys)
            yield plain("Screens", classes="part")
            yield from _lines(screen_lines(self._look))
            yield plain("What the words mean", classes="part")
            known = entries()
            words = (known[k] for k in _EXPLAINED)
            yield from _lines([(w.icon, w.named(self._look.names), w.explained(self._look.names)) for w in words])
        yield plain("arrow keys scroll, esc closes", classes="hint")


def _lines(lines: Iterable[Line]) -> Iterable[Widget]:
    for key, name, says in lines:
        with Horizontal(classes="entry"):
            yield plain(key, classes="key")
            yield plain(name, classes="name")
            yield plain(says, classes="says")

"""The command palette's entries: actions, screens, what other screens can do, and ``ask …``, which asks at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.screen import Screen
from textual.types import IgnoreReturnCallbackType

from lore.lexicon import entry
from realm_tui.app.actions import ACTIONS, Action
from realm_tui.app.screens.frame import Frame
from realm_tui.app.screens.registry import HOME, SCREENS, ScreenEntry

_ELSEWHERE = 0.9
"""What another screen can do stands a little below what can be done here."""


def action_name(one: Action) -> str:
    """An action in both voices, with its key."""
    names = one.plain if one.plain == one.tavern else f"{one.plain} · {one.tavern}"
    return f"{names}  ({one.key_label})"


def screen_name(one: ScreenEntry) -> str:
    """A screen in both voices, with its key."""
    word = entry(one.word)
    names = word.named("tavern") if not word.plain or word.plain == word.label else f"{word.plain} · {word.label}"
    return f"open {names}" + (f"  ({one.key})" if one.key else "")


def elsewhere_name(place: ScreenEntry, one: Action) -> str:
    """Another screen's own action, with the way to it."""
    word = entry(place.word)
    way = f"{place.key}, " if place.key else ""
    return f"{word.named('tavern')}: {action_name(one).rpartition('  (')[0]}  ({way}{one.key_label})"


class ActionCommands(Provider):
    """The open screen's own actions, those of every screen, and every screen; each by its name in either voice.

    A search also finds what other screens can do, and leads there.
    """

    async def startup(self) -> None:
        """Load the other screens beside the event loop; a search then finds what they can do."""
        await asyncio.to_thread(lambda: [place.actions for place in SCREENS])

    def _entries(self) -> Iterator[tuple[str, IgnoreReturnCallbackType, str]]:
        here: Screen[object] = self.screen
        if isinstance(here, Frame):
            for one in here.keys:
                yield action_name(one), partial(self.app.run_action, one.id, here), one.help
        on_battle = not isinstance(here, Frame) or here.place == HOME
        for one in ACTIONS:
            if one.offered(on_battle=on_battle):
                yield action_name(one), partial(self.app.run_action, one.id), one.help
        for place in SCREENS:
            yield screen_name(place), partial(self.app.run_action, place.action), place.help

    async def discover(self) -> Hits:
        for name, deed, says in self._entries():
            yield DiscoveryHit(name, deed, help=says)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        word, _, rest = query.strip().removeprefix(":").partition(" ")
        if word == "ask" and rest.strip():
            question = rest.strip()
            yield Hit(
                1.0,
                self._ask_text(question),
                partial(self.app.run_action, f"ask({question!r})"),
                text=query,
                help="Ask the champion, or the live hero.",
            )
        for name, deed, says in self._entries():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), deed, help=says)
        here = self.screen.place if isinstance(self.screen, Frame) else ""
        for place in SCREENS:
            for one in place.actions if place.id != here else ():
                score = matcher.match(name := elsewhere_name(place, one))
                if score > 0:
                    lead = partial(self.app.run_action, place.action)
                    yield Hit(score * _ELSEWHERE, matcher.highlight(name), lead, help=f"Opens the screen. {one.help}")

    @staticmethod
    def _ask_text(question: str) -> str:
        from textual.markup import escape

        return f"ask: {escape(question)}"

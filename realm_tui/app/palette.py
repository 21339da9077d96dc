"""The command palette's entries: the registry of actions, and ``ask …``, which asks at once."""

from __future__ import annotations

from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from realm_tui.app.actions import ACTIONS, Action


class ActionCommands(Provider):
    """Every action by its name in either voice."""

    def _names(self, one: Action) -> str:
        return one.plain if one.plain == one.tavern else f"{one.plain} · {one.tavern}"

    async def discover(self) -> Hits:
        for one in ACTIONS:
            yield DiscoveryHit(
                f"{self._names(one)}  ({one.key_label})", partial(self.app.run_action, one.id), help=one.help
            )

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
        for one in ACTIONS:
            name = f"{self._names(one)}  ({one.key_label})"
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), partial(self.app.run_action, one.id), help=one.help)

    @staticmethod
    def _ask_text(question: str) -> str:
        from textual.markup import escape

        return f"ask: {escape(question)}"

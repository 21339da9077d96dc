"""What every panel shares: facts in, rows out, a title from the lexicon, a tooltip that explains it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from lore.lexicon import entry
from realm_tui.app.drawing import Drawing, Look, Row
from realm_tui.app.facts import Facts


class Panel(Drawing):
    """A part of the Battle screen."""

    word: ClassVar[str] = ""
    """Key of the lexicon entry that names and explains the panel; empty for parts without a title."""

    ages: ClassVar[bool] = False
    """Whether it tells how long ago something was, which goes on while nothing happens."""

    def __init__(self, key: str, classes: str = "") -> None:
        super().__init__(key, classes)
        self.facts: Facts | None = None
        self.look = Look()
        self._titles = ("", "")

    def show(self, facts: Facts, look: Look) -> None:
        """Draw new facts; only lines that changed are sent to the terminal."""
        self.facts, self.look = facts, look
        if self.word:
            explained = entry(self.word).explained(look.names)
            if self.tooltip != explained:
                self.tooltip = explained
            titles = (self.title(facts, look), self.subtitle(facts, look))
            if titles != self._titles:
                self._titles = titles
                self.entitle(*titles)
        self.redraw()

    def title(self, facts: Facts, look: Look) -> str:
        """The words in the upper border."""
        return entry(self.word).named(look.names)

    def subtitle(self, facts: Facts, look: Look) -> str:
        """The words in the lower border."""
        return ""

    def rows(self, width: int, height: int) -> Sequence[Row]:
        return () if self.facts is None else self.paint(self.facts, self.look, width, height)

    def paint(self, facts: Facts, look: Look, width: int, height: int) -> Sequence[Row]:
        """The panel's rows for these facts."""
        raise NotImplementedError

"""A titled part of a page that draws the rows it is given, and text broken to a width."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lore.lexicon import entry
from realm_tui.app.drawing import Drawing, Look, Row, cells, shorten

Paint = Callable[[int, int], Sequence[Row]]
"""Rows for a width and a height."""


def folded(text: str, width: int, most: int = 0) -> list[str]:
    """``text`` broken at blanks into lines of at most ``width`` cells; a longer word is cut.

    Args:
        most: lines at most, the last one cut with an ellipsis; 0: as many as it takes.
    """
    lines: list[str] = []
    line = ""
    words = text.split()
    for i, word in enumerate(words):
        longer = f"{line} {word}" if line else word
        if cells(longer) <= width:
            line = longer
            continue
        if most and len(lines) == most - 1:
            return [*lines, shorten(" ".join([*([line] if line else []), *words[i:]]), width)]
        if line:
            lines.append(line)
        line = shorten(word, width)
    return [*lines, line] if line else lines


class Sheet(Drawing):
    """A bordered part: its title and tooltip come from the lexicon, its rows from a function of width and height."""

    def __init__(self, key: str, word: str = "", classes: str = "panel") -> None:
        super().__init__(key, classes)
        self._word = word
        self._paint: Paint | None = None
        self._titles: tuple[str, str] | None = None
        self.look = Look()

    def draw(self, paint: Paint, look: Look, *, title: str = "", subtitle: str = "") -> None:
        """Draw rows; only lines that changed are sent to the terminal.

        Args:
            paint: makes the rows.
            look: the look in force.
            title: words in the upper border instead of the lexicon's.
            subtitle: words in the lower border.
        """
        self._paint, self.look = paint, look
        self.head(look, title, subtitle)
        self.redraw()

    def head(self, look: Look, title: str = "", subtitle: str = "") -> None:
        """Set the words in the borders and the tooltip."""
        if self._word:
            explained = entry(self._word).explained(look.names)
            if self.tooltip != explained:
                self.tooltip = explained
        titles = (title or (entry(self._word).named(look.names) if self._word else ""), subtitle)
        if titles != self._titles:
            self._titles = titles
            self.entitle(*titles)

    def rows(self, width: int, height: int) -> Sequence[Row]:
        return self._paint(width, height) if self._paint is not None else ()

"""Lines of a widget as they were last painted, kept whole: of a frame only what changed is made anew.

Textual asks every widget in sight for all its lines whenever any of them changes, and puts borders, colours and filters
together each time, also where nothing is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from textual._styles_cache import StylesCache
from textual.geometry import Region
from textual.strip import Strip

if TYPE_CHECKING:
    from textual.widget import Widget


class KeptLines(StylesCache):
    """A widget's painted lines; for widgets that draw no links. A change of style clears them, as in Textual's own."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Strip] = []
        self._made_for: tuple[object, ...] | None = None
        """The part, size and filters that the lines were painted for; None: they must be painted anew."""

    def clear(self) -> None:
        super().clear()
        self._made_for = None

    def render_widget(self, widget: Widget, crop: Region) -> list[Strip]:
        wanted = (crop, widget.outer_size, *widget.get_line_filters())
        if wanted != self._made_for:
            self._lines = super().render_widget(widget, crop)
            self._made_for = wanted
            return self._lines
        for first, count in runs(y for y in self._dirty_lines if crop.y <= y < crop.bottom):
            at = first - crop.y
            self._lines[at : at + count] = super().render_widget(widget, Region(crop.x, first, crop.width, count))
        return self._lines


def runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Numbers in any order as stretches without a gap: each with its first one and how many it has."""
    first = count = 0
    for number in sorted(numbers):
        if count and number == first + count:
            count += 1
            continue
        if count:
            yield first, count
        first, count = number, 1
    if count:
        yield first, count

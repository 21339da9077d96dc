"""Lines of a widget as they were last painted, kept whole: of a frame only what changed is made anew.

Textual asks every widget in sight for all its lines whenever any of them changes, and puts borders, colours and filters
together each time, also where nothing is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from textual._styles_cache import StylesCache
from textual.containers import Container
from textual.geometry import Region
from textual.strip import Strip

if TYPE_CHECKING:
    from textual.widget import Widget

_NOWHERE = range(0)


class KeptLines(StylesCache):
    """A widget's painted lines; for widgets that draw no links. A change of style clears them, as in Textual's own."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Strip] = []
        self._made_for: tuple[object, ...] | None = None
        """The part, size and filters that the lines were painted for; None: they must be painted anew."""
        self._plain = _NOWHERE
        """Rows that are nothing but the widget's own line between its borders."""

    def clear(self) -> None:
        super().clear()
        self._made_for = None

    def render_widget(self, widget: Widget, crop: Region) -> list[Strip]:
        wanted = (crop, widget.outer_size, *widget.get_line_filters())
        if wanted != self._made_for:
            self._lines = super().render_widget(widget, crop)
            self._made_for, self._plain = wanted, self._plain_rows(widget, crop)
            return self._lines
        dirty = {y for y in self._dirty_lines if crop.y <= y < crop.bottom}
        framed = dirty.intersection(self._plain)
        for first, count in runs(dirty - framed):
            at = first - crop.y
            self._lines[at : at + count] = super().render_widget(widget, Region(crop.x, first, crop.width, count))
        if framed:
            self._put_in_frame(widget, crop, framed)
        return self._lines

    def _plain_rows(self, widget: Widget, crop: Region) -> range:
        """The rows of the content, unless something else than a border was laid around, over or under them."""
        left, right = _sides(widget)
        top = widget.content_offset.y
        rows = range(top, top + widget.content_size.height)
        if (crop.x, crop.width) != (0, widget.outer_size.width) or any(y not in self._cache for y in rows):
            return _NOWHERE
        for y in rows:
            painted = list(self._cache[y])
            if painted[left : len(painted) - right] != list(widget.render_line(y - top)):
                return _NOWHERE
        return rows

    def _put_in_frame(self, widget: Widget, crop: Region, rows: Iterable[int]) -> None:
        """Put new lines between the borders of the old ones."""
        left, right = _sides(widget)
        width, background = crop.width, widget.background_colors[1]
        filters = widget.get_line_filters()
        for y in rows:
            painted = list(self._cache[y])
            content = widget.render_line(y - self._plain.start).adjust_cell_length(width - left - right)
            line = Strip([*painted[:left], *content, *painted[len(painted) - right :]], width)
            self._cache[y] = line
            for one in filters:
                line = line.apply_filter(one, background)
            self._lines[y - crop.y] = line
        self._dirty_lines.difference_update(rows)


class KeptContainer(Container):
    """A container that paints its empty lines once."""

    def __init__(self, key: str) -> None:
        super().__init__(id=key)
        self._styles_cache = KeptLines()


def _sides(widget: Widget) -> tuple[int, int]:
    """How many pieces of a painted line are its border, at the left and at the right."""
    styles = widget.styles
    return int(bool(styles.border_left[0])), int(bool(styles.border_right[0]))


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

"""Lines of styled text as plain data, and the widget that repaints only the lines that changed.

A panel is a pure function of facts to rows; a `Row` is a tuple of (text, role) spans and compares by value. Roles are names
of the palette (`realm_tui.app.theme`), so a panel knows nothing of colours and is tested without a screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.events import Resize
from textual.geometry import Region
from textual.markup import escape
from textual.strip import Strip
from textual.widget import Widget

from lore.lexicon import Voice
from realm_tui.app.kept import KeptLines
from realm_tui.app.theme import REVERSED, palette_of

Span = tuple[str, str]
Row = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """How the player wants the screen: labels of the tavern or plain ones, and whether only ASCII may be drawn."""

    names: Voice = "tavern"
    ascii: bool = False

    @property
    def tavern(self) -> bool:
        return self.names == "tavern"


def cells(text: str) -> int:
    """Cells a text takes; most are plain, and then each character takes one."""
    return len(text) if text.isascii() and text.isprintable() else cell_len(text)


def width_of(row: Row) -> int:
    """Cells a row takes."""
    return sum(cells(text) for text, _ in row)


def shorten(text: str, width: int) -> str:
    """``text`` in at most ``width`` cells; what was cut is marked by an ellipsis."""
    if cells(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 0 else ""


def column(text: str, width: int, *, right: bool = False) -> str:
    """``text`` in exactly ``width`` cells, at the left of them or at the right."""
    text = shorten(text, width)
    blanks = " " * (width - cells(text))
    return blanks + text if right else text + blanks


def fit(row: Row, width: int) -> Row:
    """``row`` in exactly ``width`` cells: cut with an ellipsis, or filled with blanks."""
    out: list[Span] = []
    left = width
    for text, role in row:
        size = cells(text)
        if size > left:
            if left:
                cut = shorten(text, left)
                out.append((cut + " " * (left - cell_len(cut)), role))
            left = 0
            break
        if text:
            out.append((text, role))
        left -= size
    if left:
        out.append((" " * left, ""))
    return tuple(out)


def spread(left: Row, right: Row, width: int) -> Row:
    """``left`` at the left edge and ``right`` at the right one; the left gives way."""
    size = min(width_of(right), width)
    room = width - size
    if room > 0 and width_of(left) >= room:
        left = (*fit(left, room - 1), (" ", ""))
    else:
        left = fit(left, room)
    return fit(left + right, width)


def joined(row: Row) -> Row:
    """``row`` in fewer spans: equal roles joined, and blanks taken into the span before them, where nobody can tell.

    Every span costs the terminal some forty bytes of colour.
    """
    out: list[Span] = []
    for text, role in row:
        if out and (role == out[-1][1] or (not text.strip() and role != REVERSED and out[-1][1] != REVERSED)):
            out[-1] = (out[-1][0] + text, out[-1][1])
        else:
            out.append((text, role))
    return tuple(out)


class Drawing(Widget):
    """A widget that draws rows and sends the terminal only the lines that differ from what it shows."""

    DEFAULT_CSS = "Drawing { width: 1fr; height: 1fr; }"

    def __init__(self, key: str, classes: str = "") -> None:
        super().__init__(id=key, classes=classes)
        self._styles_cache = KeptLines()
        self._rows: list[Row] = []
        self._strips: list[Strip] = []
        self._width = 0
        self._paper: Style | None = None
        """The widget's own colours; None after a change of style."""
        self._palette: Mapping[str, Style] = {}
        self._inks: dict[str, Style] = {}
        """Roles of the palette over the paper."""

    def rows(self, width: int, height: int) -> Sequence[Row]:
        """The rows to draw now; longer ones are cut, missing ones are blank."""
        raise NotImplementedError

    def redraw(self, *, fully: bool = False) -> None:
        """Draw again; ``fully`` after a change of theme, where equal rows look different."""
        width, height = self.content_size
        if not width or not height:
            return
        rows = [fit(row, width) for row in list(self.rows(width, height))[:height]]
        rows.extend([fit((), width)] * (height - len(rows)))
        if fully or width != self._width or len(rows) != len(self._rows):
            self._rows, self._width = rows, width
            self._mix(fully=fully)
            self._strips = [self._strip(row) for row in rows]
            self.refresh()
            return
        changed = [y for y, (old, new) in enumerate(zip(self._rows, rows, strict=True)) if old != new]
        if changed:
            self._mix()
            for y in changed:
                self._rows[y], self._strips[y] = rows[y], self._strip(rows[y])
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def entitle(self, top: str, bottom: str) -> None:
        """Write plain words into the upper and the lower border; of the widget only these two lines are painted again."""
        width, height = self.outer_size
        here, there = self._border_title, self._border_subtitle
        self._border_title, self._border_subtitle = self._words(top), self._words(bottom)
        left, above = self.content_offset
        lines = [(self._border_title != here, -above), (self._border_subtitle != there, height - above - 1)]
        changed = [Region(-left, y, width, 1) for differs, y in lines if differs]
        if changed:
            self.refresh(*changed)

    def _words(self, text: str) -> Content:
        """Words as a border holds them."""
        return self.render_str(escape(text)).expand_tabs(4).split()[0]

    def notify_style_update(self) -> None:
        self._paper = None
        super().notify_style_update()

    def _mix(self, *, fully: bool = False) -> None:
        """Look up once, for all rows of a frame, what each role looks like here; ``fully``: also when nothing said so."""
        palette = palette_of(self.app)
        if palette is not self._palette or self._paper is None or fully:
            paper = self._paper = self.rich_style
            self._palette, self._inks = palette, {role: paper + ink for role, ink in palette.items()}

    def _strip(self, row: Row) -> Strip:
        inks, paper = self._inks, self._paper
        return Strip([Segment(text, inks.get(role, paper)) for text, role in joined(row)], self._width)

    def render_line(self, y: int) -> Strip:
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.content_size.width, self.rich_style)

    def on_resize(self, _: Resize) -> None:
        self.redraw()

"""What stands on a terminal, and when each panel's picture changed: replayed from the bytes an app has sent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_PIECE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[PX^_\]].*?(?:\x1b\\|\x07)|\x1b.|\r|\n|[^\x1b\r\n]+", re.DOTALL)
_TITLE = re.compile(r"╭─+ ([^─╭╮]*?)[ ─]*─*╮")
_RULE = re.compile(r"─+([^─╭╮╰╯│]+)─*")
Cell = tuple[str, str]
"""A character and the colours it is drawn in."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The rectangle inside a panel's border; rows and columns count from 0, ends are not part of it."""

    title: str
    top: int
    left: int
    bottom: int
    right: int


class Canvas:
    """A terminal of ``columns`` x ``rows`` that understands what Textual sends: positions, colours and text."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.cells: list[list[Cell]] = [[(" ", "")] * columns for _ in range(rows)]
        self._row = self._column = 0
        self._colours = ""

    def write(self, text: str) -> set[tuple[int, int]]:
        """Draw ``text``; the cells that look different now."""
        changed: set[tuple[int, int]] = set()
        for piece in _PIECE.finditer(text):
            arguments, kind = piece.group(1), piece.group(2)
            if kind == "H":
                row, _, column = arguments.partition(";")
                self._row, self._column = int(row or 1) - 1, int(column or 1) - 1
            elif kind == "m":
                self._colours = "" if arguments in ("", "0") else arguments
            elif kind is None and piece.group() == "\r":
                self._column = 0
            elif kind is None and piece.group() == "\n":
                self._row += 1
            elif kind is None and not piece.group().startswith("\x1b"):
                for character in piece.group():
                    self._put(character, changed)
        return changed

    def lines(self) -> list[str]:
        """The text of every row."""
        return ["".join(character for character, _ in row) for row in self.cells]

    def frames(self) -> list[Frame]:
        """The panels that stand on it, by the titles in their borders, or in the rules above them."""
        lines = self.lines()
        rules = [(row, match) for row, line in enumerate(lines) if (match := _RULE.fullmatch(line))]
        ends = [*(row for row, _ in rules[1:]), self.rows]
        found = [
            Frame(match.group(1).strip(), row + 1, 0, end, self.columns)
            for (row, match), end in zip(rules, ends, strict=False)
        ]
        for top, line in enumerate(lines):
            for match in _TITLE.finditer(line):
                left, right = match.start(), match.end() - 1
                bottom = next((r for r in range(top + 1, self.rows) if lines[r][left] == "╰"), None)
                if bottom is not None:
                    found.append(Frame(match.group(1).strip(), top + 1, left + 1, bottom, right))
        return found

    def _put(self, character: str, changed: set[tuple[int, int]]) -> None:
        width = 0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if 0 <= self._row < self.rows and 0 <= self._column < self.columns and width:
            row, cell = self.cells[self._row], (character, self._colours)
            if row[self._column] != cell:
                row[self._column] = cell
                changed.add((self._row, self._column))
            if width == 2 and self._column + 1 < self.columns:
                row[self._column + 1] = ("", self._colours)
        self._column += width


Part = Callable[[int, int, str], bool]
"""Whether a row, a column and the character there belong to a part of the screen."""


def change_times(
    columns: int, rows: int, pieces: Sequence[tuple[float, bytes]], parts: Mapping[str, Part]
) -> dict[str, list[float]]:
    """Moments at which a part of the screen looked different from before; a cell counts by its old and new character.

    Args:
        columns: the terminal's width.
        rows: its height.
        pieces: moments and the bytes that came then, from the app's start; a character may be cut in two between pieces.
        parts: what is asked about.
    """
    canvas = Canvas(columns, rows)
    times: dict[str, list[float]] = {name: [] for name in parts}
    rest = b""
    for at, data in pieces:
        whole, rest = _whole(rest + data)
        before = [list(row) for row in canvas.cells]
        changed = canvas.write(whole)
        for name, part in parts.items():
            if any(part(r, c, before[r][c][0]) or part(r, c, canvas.cells[r][c][0]) for r, c in changed):
                times[name].append(at)
    return times


def inside(frame: Frame, row: int, column: int) -> bool:
    """Whether a cell lies within a panel's border."""
    return frame.top <= row < frame.bottom and frame.left <= column < frame.right


def _whole(data: bytes) -> tuple[str, bytes]:
    """The text up to the last whole escape sequence and character, and the bytes after it."""
    cut = data.rfind(b"\x1b")
    if cut >= 0 and not re.match(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|[^\[])", data[cut:]):
        return data[:cut].decode("utf-8", "replace"), data[cut:]
    for back in range(1, min(4, len(data)) + 1):
        lead = data[-back]
        if lead >= 0xC0:
            need = 4 if lead >= 0xF0 else 3 if lead >= 0xE0 else 2
            if need > back:
                return data[:-back].decode("utf-8", "replace"), data[-back:]
            break
    return data.decode("utf-8", "replace"), b""

"""Rows that several screens build alike: columns, named values, wrapped text."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.cells import cell_len

from realm_tui.app.drawing import Row, shorten
from realm_tui.app.words import UNKNOWN
from realm_tui.runtime.foreign import clean

Cell = tuple[str, int, str]
"""Text, width in cells (negative: at the right edge), role."""

GAP: Row = ((" ", ""),)


def columns(*cells: Cell) -> Row:
    """Cells of fixed width with a blank between them; what is too long is cut."""
    out: list[tuple[str, str]] = []
    for text, width, role in cells:
        cut = shorten(text, abs(width))
        blank = " " * (abs(width) - cell_len(cut))
        out.append(((" " if out else "") + (blank + cut if width < 0 else cut + blank), role))
    return tuple(out)


def named(name: str, value: str, role: str = "text", *, width: int = 15) -> Row:
    """A name in a column of its own, and its value."""
    return ((f" {shorten(name, width):<{width}} ", "muted"), (value, role))


def told(name: str, text: str, width: int, role: str = "text", *, column: int = 15) -> list[Row]:
    """A name with a text that may take several rows."""
    lines = wrapped(text, width - column - 3) or [UNKNOWN]
    return [named(name if i == 0 else "", line, role, width=column) for i, line in enumerate(lines)]


def wrapped(text: str, width: int) -> list[str]:
    """Foreign or long text in lines of at most ``width`` characters."""
    return textwrap.wrap(drawn(text, 2000), max(8, width), break_on_hyphens=False)


def drawn(text: str, most: int = 300, *, newline: str = " ") -> str:
    """Foreign text as it may be drawn; of a very long one only the beginning is looked at."""
    return clean(text[:most], newline=newline)


def when(at: float | None) -> str:
    """The player's date and wall clock for a moment in the save: ``11-24 16:20``."""
    return UNKNOWN if at is None else datetime.fromtimestamp(at).astimezone().strftime("%m-%d %H:%M")


def date(at: float | None) -> str:
    """The same with its year."""
    return UNKNOWN if at is None else datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


def heading(text: str) -> Row:
    """A small title within a sheet."""
    return ((f" {text}", "accent"),)


def levels_text(levels: Mapping[str, int]) -> str:
    """``BIN 2, SY 1``; a dash where nothing was won."""
    return ", ".join(f"{drawn(skill).upper()} {level}" for skill, level in levels.items()) or UNKNOWN


def joined(parts: Sequence[Row], gap: str = "   ") -> Row:
    """Several short rows in one."""
    out: list[tuple[str, str]] = []
    for i, part in enumerate(parts):
        if i:
            out.append((gap, ""))
        out.extend(part)
    return tuple(out)

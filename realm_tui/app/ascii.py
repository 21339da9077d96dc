"""ASCII mode: a filter over every line the app paints, so that nothing else ever reaches the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_LINES = {
    **dict.fromkeys("─━┄┅┈╌═▔▁⎯╴╶", "-"),
    **dict.fromkeys("│┃┆┊╎║▏▕▎▍▌▐╷╵", "|"),
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝╠╣╦╩╬┏┓┗┛", "+"),
}
_SIGNS = {
    "█": "#",
    "▉": "#",
    "▊": "#",
    "▋": "#",
    "▂": ":",
    "▃": ":",
    "▄": "=",
    "▀": '"',
    "▅": "+",
    "▆": "+",
    "▇": "#",
    "░": ".",
    "▒": ":",
    "▓": "%",
    "▚": "&",
    "■": "#",
    "▣": "%",
    "□": "o",
    "·": ".",
    "…": "~",
    "–": "-",
    "—": "-",
    "−": "-",
    "×": "x",
    "±": "~",
    "≥": ">",
    "≤": "<",
    "→": ">",
    "←": "<",
    "↑": "^",
    "↓": "v",
    "↵": "/",
    "◀": "<",
    "▶": ">",
    "▲": "^",
    "▼": "v",
    "▸": ">",
    "◂": "<",
    "▾": "v",
    "●": "*",
    "○": "o",
    "✓": "v",
    "✗": "x",
    "⓪": "0",
    "①": "1",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "⏎": "/",
    "⭘": "o",
    "♔": "K",
    "☆": "*",
    "‿": "_",
    "╱": "/",
    "╲": "\\",
}


@cache
def _table() -> Mapping[str, str]:
    """Signs of the lexicon with the twins it names, of equal ones the first; the house's own lines and bars win."""
    from lore.lexicon import entries

    return {**{e.icon: e.ascii for e in reversed(entries().values())}, **_SIGNS, **_LINES}


@lru_cache(maxsize=4096)
def _char(char: str) -> str:
    if char.isascii():
        return char
    size = cell_len(char)
    known = _table().get(char)
    if known is None:
        folded = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
        known = folded if folded else "?"
    return (known + "?" * size)[:size] if size else ""


@lru_cache(maxsize=4096)
def to_ascii(text: str) -> str:
    """``text`` in ASCII, taking exactly as many cells."""
    return text if text.isascii() else "".join(map(_char, text))


class AsciiFilter(LineFilter):
    """Turns every painted character into ASCII while enabled."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(to_ascii(text), style, control) for text, style, control in segments]

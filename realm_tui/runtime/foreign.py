"""The one place where text from outside (quests, answers, names, errors of other programs) is made safe to draw.

Control characters, whole terminal escape sequences, direction overrides and invisible characters are removed; line ends
and tabs become visible marks or blanks. Brackets stay as they are: nothing here or in the app reads markup from text.
"""

from __future__ import annotations

import re
import unicodedata

_ESCAPES = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI … final byte
    "|(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])(?:(?!\x1b\\\\|\x07|\x9c).)*(?:\x1b\\\\|\x07|\x9c)?"  # OSC, DCS, SOS, PM, APC
    "|\x1b[ -/]*[0-~]?",  # two-character escapes
    re.DOTALL,
)
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_COMBINING = frozenset({"Mn", "Me", "Mc"})
_MOST_COMBINING = 2
"""Marks kept on one base character; more would climb out of the line."""


def clean(text: str, *, newline: str = " ") -> str:
    """``text`` as one drawable line: no control characters, escapes, invisible or direction-changing characters.

    Args:
        text: anything, from anywhere.
        newline: what a line end becomes (the battle view shows ``↵``).
    """
    if text.isascii() and text.isprintable():
        return text
    text = _ESCAPES.sub("", text).replace("\r\n", "\n")
    kept: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", text):
        category = unicodedata.category(char)
        if category in _COMBINING:
            marks += 1
            if marks > _MOST_COMBINING or not kept or char in "\ufe0e\ufe0f":
                continue
            kept.append(char)
            continue
        marks = 0
        if char in "\n\r\x0b\x0c\x85\u2028\u2029":
            kept.append(newline)
        elif char == "\t" or category == "Zs":
            kept.append(" ")
        elif category not in _DROPPED:
            kept.append(char)
    return "".join(kept)

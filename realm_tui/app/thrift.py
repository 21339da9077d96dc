"""Says the same to the terminal in fewer bytes: of a style only what differs from the style before it.

Textual ends every piece of text with a reset and begins the next one with colours of ink and paper in full, seven tenths of what a
frame takes. Over a slow connection that is what counts, and most pieces have the paper of their neighbours.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_STYLE = re.compile(r"\x1b\[([0-9;]*)m")
_MOVE = re.compile(r"(?:\r\n)?\x1b\[\d+;\d+H")
"""What only moves the cursor, so that it does not matter with which style it is done."""
_DEFAULT_INK, _DEFAULT_PAPER = "39", "49"


class Pen(NamedTuple):
    """A style as the terminal knows it."""

    marks: tuple[str, ...] = ()
    """Bold, underlined and the like, by their numbers."""
    ink: str = _DEFAULT_INK
    paper: str = _DEFAULT_PAPER


PLAIN = Pen()


def thrifty(text: str) -> str:
    """The same picture with less talk about styles.

    What comes before the first reset is left alone, because nobody knows the style that was in force before it; so is all of a
    text in which a style is not understood.
    """
    pieces = _STYLE.split(text)
    start = next((n for n in range(1, len(pieces), 2) if pieces[n] in ("", "0")), len(pieces))
    out = [piece if n % 2 == 0 else f"\x1b[{piece}m" for n, piece in enumerate(pieces[:start])]
    now: Pen | None = None
    wanted = PLAIN
    for n in range(start, len(pieces)):
        piece = pieces[n]
        if n % 2:
            found = _after(wanted, piece)
            if found is None:
                return text
            wanted = found
        elif piece:
            if now != wanted and not _MOVE.fullmatch(piece):
                out.append(_change(now, wanted))
                now = wanted
            out.append(piece)
    if start < len(pieces) and now != wanted:
        out.append(_change(now, wanted))
    return "".join(out)


@lru_cache(maxsize=4096)
def _after(pen: Pen, numbers: str) -> Pen | None:
    """The style once a sequence of numbers was heard; None where one of them is not understood."""
    marks, ink, paper = set(pen.marks), pen.ink, pen.paper
    left = numbers.split(";")[::-1]
    while left:
        one = left.pop()
        if one in ("", "0"):
            marks, ink, paper = set(), _DEFAULT_INK, _DEFAULT_PAPER
        elif one in ("38", "48"):
            rest = {"2": 3, "5": 1}.get(left[-1] if left else "")
            if rest is None or len(left) <= rest:
                return None
            whole = ";".join([one, *(left.pop() for _ in range(rest + 1))])
            ink, paper = (whole, paper) if one == "38" else (ink, whole)
        elif one in _INKS:
            ink = one
        elif one in _PAPERS:
            paper = one
        elif one in _ENDED_BY:
            marks.add(one)
        else:
            return None
    return Pen(tuple(sorted(marks)), ink, paper)


_INKS = frozenset(str(n) for n in (*range(30, 38), 39, *range(90, 98)))
_PAPERS = frozenset(str(n) for n in (*range(40, 48), 49, *range(100, 108)))
_ENDED_BY = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "6": "25", "7": "27", "8": "28", "9": "29"}
"""Every mark with the number that ends it."""


@lru_cache(maxsize=4096)
def _change(now: Pen | None, wanted: Pen) -> str:
    """What brings the terminal from one style to another; None: its style is not known."""
    if wanted == PLAIN:
        return "\x1b[0m"
    if now is None:
        numbers, now, kept = ["0"], PLAIN, set[str]()
    else:
        numbers = sorted({_ENDED_BY[mark] for mark in now.marks if mark not in wanted.marks})
        kept = {mark for mark in now.marks if _ENDED_BY[mark] not in numbers}
    numbers += [mark for mark in wanted.marks if mark not in kept]
    numbers += [wanted.ink] if wanted.ink != now.ink else []
    numbers += [wanted.paper] if wanted.paper != now.paper else []
    return f"\x1b[{';'.join(numbers)}m"

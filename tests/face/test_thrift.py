"""Fewer bytes paint the same picture: every character keeps its place and its style."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from realm_tui.app.thrift import thrifty

_TOKEN = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])|([^\x1b])")
numbers = st.lists(
    st.sampled_from(
        ["0", "", "1", "4", "7", "2", "9", "31", "39", "49", "104", "38;2;1;2;3", "48;2;9;8;7", "38;5;200", "48;5;3"]
    ),
    max_size=4,
)
pieces = st.one_of(
    numbers.map(lambda found: f"\x1b[{';'.join(found)}m"),
    st.text("ab ⠿\r\n", max_size=5),
    st.tuples(st.integers(1, 40), st.integers(1, 120)).map(lambda at: f"\x1b[{at[0]};{at[1]}H"),
    st.sampled_from(["\x1b[2J", "\x1b[K", "\x1b[0m", "\x1b[0m"]),
)


def painted(text: str, style: str) -> list[tuple[str, str, str]]:
    """What a terminal does with a text: each character, move and wipe, with the style it does it in; moves have none."""
    found = []
    state: dict[str, str] = {"begun": style}
    for match in _TOKEN.finditer(text):
        heard, verb, character = match.groups()
        if verb == "m":
            _hear(state, heard)
        else:
            shown = "" if verb == "H" or character in ("\r", "\n") else str(sorted(state.items()))
            found.append((verb or character, heard or "", shown))
    return [*found, ("end", "", str(sorted(state.items())))]


def _hear(state: dict[str, str], heard: str) -> None:
    left = heard.split(";")
    while left:
        one = left.pop(0)
        if one in ("", "0"):
            state.clear()
        elif one in ("38", "48"):
            rest = [left.pop(0) for _ in range(4 if left[0] == "2" else 2)]
            state["ink" if one == "38" else "paper"] = ";".join([one, *rest])
        elif one in ("39", "49"):
            state.pop("ink" if one == "39" else "paper", None)
            if "begun" in state:  # what was in force before is not known, so neither is what is left of it
                state["begun"] += one
        elif int(one) < 10:
            state[one] = one
        elif one in ("22", "23", "24", "25", "27", "28", "29"):
            for mark in {"22": "12", "25": "56"}.get(one, one[1]):
                state.pop(mark, None)
        else:
            state["ink" if one[0] in "39" else "paper"] = one


@given(st.lists(pieces, max_size=30).map("".join))
def test_the_picture_is_the_same(text: str) -> None:
    assert painted(thrifty(text), "any") == painted(text, "any")


def test_neighbours_on_the_same_paper_say_it_once() -> None:
    one, other, paper = "38;2;1;1;1", "38;2;2;2;2", "48;2;9;9;9"
    frame = "".join(f"\x1b[{n};1H\x1b[{one};{paper}m│\x1b[0m\x1b[1;{other};{paper}mx\x1b[0m\r\n" for n in range(1, 30))
    assert len(thrifty(frame)) < 0.75 * len(frame)
    assert painted(thrifty(frame), "any") == painted(frame, "any")


def test_a_style_that_is_not_understood_is_passed_on_as_it_came() -> None:
    for text in ("\x1b[0m\x1b[58;5;3mx\x1b[0m", "\x1b[0m\x1b[38;9mx", "\x1b[38", "plain\n", ""):
        assert thrifty(text) == text

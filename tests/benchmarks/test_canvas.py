"""What the benchmarks read off a terminal's bytes."""

from __future__ import annotations

from benchmarks.canvas import Canvas, Frame, change_times, inside


def panel(title: str, text: str) -> str:
    return f"\x1b[1;1H╭─ {title} ─╮\r\n│{text.ljust(len(title) + 4)}│\r\n╰{'─' * (len(title) + 4)}╯"


def test_text_stands_where_it_was_put() -> None:
    canvas = Canvas(6, 3)
    canvas.write("\x1b[2;3H\x1b[1mab\x1b[0m\r\nc\x1b[?2026h")
    assert canvas.lines() == ["      ", "  ab  ", "c     "]


def test_only_what_looks_different_has_changed() -> None:
    canvas = Canvas(4, 1)
    canvas.write("\x1b[1;1Habcd")
    assert canvas.write("\x1b[1;1Habcd") == set()
    assert canvas.write("\x1b[1;1HabXd") == {(0, 2)}
    assert canvas.write("\x1b[1;1Ha\x1b[31mb\x1b[0m") == {(0, 1)}


def test_panels_are_found_by_border_and_by_rule() -> None:
    canvas = Canvas(20, 6)
    canvas.write(panel("Strain", "⠉⠉") + "\x1b[4;1H─Log 3" + "─" * 14 + "\x1b[5;1H03:04 done")
    assert canvas.frames() == [Frame("Log 3", 4, 0, 6, 20), Frame("Strain", 1, 1, 2, 11)]


def test_changes_are_told_by_part_and_moment_even_when_a_character_arrives_in_two_halves() -> None:
    frame = Frame("Strain", 1, 1, 2, 9)
    curve = "⠉".encode()
    times = change_times(
        20,
        4,
        [
            (0.0, panel("Strain", "").encode()),
            (1.0, b"\x1b[2;3H" + curve[:1]),
            (2.0, curve[1:]),
            (3.0, b"\x1b[4;1Helsewhere\x1b[2;"),
            (4.0, b"4Hx"),
        ],
        {
            "panel": lambda r, c, _: inside(frame, r, c),
            "curve": lambda r, c, character: inside(frame, r, c) and "\u2800" <= character <= "\u28ff",
        },
    )
    assert times == {"panel": [2.0, 4.0], "curve": [2.0]}

"""Text from outside cannot steer the terminal, wherever it is drawn."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from realm_tui.runtime.foreign import clean
from tests.face import samples


def test_escape_sequences_go_as_a_whole() -> None:
    assert clean("a\x1b[31mred\x1b[0m b") == "ared b"
    assert clean("\x1b]0;owned\x07title") == "title"
    assert clean("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\") == "link"
    assert clean("\x9b2Jclear") == "clear"
    assert clean("\x1bPq#0;2;0\x1b\\sixel") == "sixel"


def test_controls_direction_and_invisible_characters_go() -> None:
    assert clean("a\x00b\x07c\x7fd\x85e") == "abcd e"
    assert clean("abc\u202ecba\u2066x\u2069") == "abccbax"
    assert clean("zero\u200bwidth\ufeff") == "zerowidth"


def test_line_ends_become_what_is_asked() -> None:
    assert clean("a\r\nb\nc\u2028d\te", newline="↵") == "a↵b↵c↵d e"


def test_markup_is_left_as_plain_text() -> None:
    assert clean("[bold red]loud[/]") == "[bold red]loud[/]"


def test_marks_cannot_climb_out_of_the_line() -> None:
    assert len(clean("e" + "\u0301" * 50)) <= 3
    assert clean("한국어 ελληνικά ไทย") == "한국어 ελληνικά ไทย"


@given(st.text())
def test_nothing_that_steers_a_terminal_survives(text: str) -> None:
    cleaned = clean(text)
    assert not [c for c in cleaned if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert clean(cleaned) == cleaned


def test_hostile_names_and_answers_are_drawn_harmlessly() -> None:
    from dataclasses import replace

    from realm_tui.app.drawing import Look
    from realm_tui.app.facts import ExamAnswer, QuestLine
    from realm_tui.app.widgets.battle import battle_rows
    from realm_tui.app.widgets.exam import exam_rows
    from realm_tui.app.widgets.header import header_rows
    from realm_tui.app.widgets.hero import hero_rows
    from realm_tui.app.widgets.quests import quest_rows

    evil = "\x1b[2J\x1b]0;x\x07\u202e[red]evil\n"
    base = samples.facts()
    facts = replace(
        base,
        status=replace(
            base.status,
            hero=replace(base.status.hero, name=evil, epithet=evil),
            campaign=evil,
            progress=evil,
            quest=replace(base.status.quest, name=evil) if base.status.quest else None,
        ),
        quests=(QuestLine(evil, "high", 3, "queued"),),
        battle=replace(samples.BATTLE, title=evil, tokens=(evil, evil), losses=(None, 1.0)),
        exam=replace(samples.EXAM, answers=(ExamAnswer(evil, evil, evil, "miss", False),) * 3),
    )
    look = Look()
    drawn = [
        *header_rows(facts, look, 200),
        *hero_rows(facts, look, 60, 12),
        *battle_rows(facts, look, 80, 10, [facts.battle] if facts.battle else []),
        *exam_rows(facts, look, 80, 8),
        *quest_rows(facts, look, 60, 8),
    ]
    text = "".join(span for row in drawn for span, _ in row)
    assert "evil" in text
    assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cf")]

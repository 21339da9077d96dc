"""The skills panel says what trains next, why, and how much is forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from realm_tui.app.drawing import Look, Row, width_of
from realm_tui.app.facts import CourseView
from realm_tui.app.widgets.skills import skill_rows
from tests.face.samples import facts

LOOK = Look(names="plain", ascii=False)


def drawn(course: CourseView | None, width: int = 60, height: int = 20) -> list[str]:
    rows = skill_rows(replace(facts(), course=course), LOOK, width, height)
    assert all(width_of(row) <= width for row in rows) and len(rows) <= height
    return ["".join(text for text, _ in row) for row in rows]


def styles(rows: list[Row], text: str) -> set[str]:
    return {style for row in rows for part, style in row if text in part}


def test_the_next_decision_stands_below_the_skills_with_its_reason() -> None:
    lines = drawn(CourseView("", "the only skill in training", won=2, lost=0, allowed=0))
    assert "  next BIN L3: the only skill in training" in lines
    assert "  0 of 2 lost, 0 may be" in lines
    assert drawn(None) == [line for line in lines if "next BIN" not in line and "may be" not in line]


def test_several_skills_show_their_shares_and_what_keeping_costs() -> None:
    course = CourseView("bin 75 %, sy 25 %", "bin trails sy by 4 levels", won=12, lost=2, allowed=1, keeping=2.345)
    lines = drawn(course)
    assert "  bin 75 %, sy 25 %: bin trails sy by 4 levels" in lines
    assert "  2 of 12 lost, 1 may be   keeping x2.3" in lines
    rows = skill_rows(replace(facts(), course=course), LOOK, 60, 20)
    assert styles(rows, "may be") == {"bad-strong"}, "more is lost than may be"


@pytest.mark.parametrize(("width", "height"), [(24, 5), (30, 3), (60, 2)])
def test_in_a_small_panel_it_stays_and_operations_make_room(width: int, height: int) -> None:
    lines = drawn(CourseView("", "a reason that is much too long for a panel of this size", 3, 1, 0), width, height)
    assert any("next BIN" in line for line in lines)
    assert any("1 of 3 lost" in line for line in lines)


def test_before_a_level_is_won_nothing_is_said_of_forgetting() -> None:
    assert not any("lost" in line and "may be" in line for line in drawn(CourseView("", "because", 0, 0, 0)))

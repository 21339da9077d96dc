"""Titles: what the hero is called follows from steps, levels and accuracy, and can be lost again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lore import own_file
from lore.titles import SkillStanding, Titles, standings, title_rules, titles, titles_in_force
from tests.lore import rows


def called(steps: int, **skills: tuple[int, float | None]) -> Titles:
    return titles(steps, {name: SkillStanding(level, accuracy) for name, (level, accuracy) in skills.items()})


def worn(steps: int, **skills: tuple[int, float | None]) -> str:
    found = called(steps, **skills).worn
    assert found is not None
    return found.named("tavern")


def test_worked_example_a_skill_title_beats_one_by_steps() -> None:
    assert worn(60_000, bin=(6, 0.82)) == "Binary Arithmetician"


@pytest.mark.parametrize(
    ("steps", "title"),
    [
        (0, "Untrained"),
        (999, "Untrained"),
        (1_000, "Apprentice"),
        (10_000, "Journeyman"),
        (50_000, "Adept"),
        (100_000, "Expert"),
        (199_999, "Expert"),
        (200_000, "Master"),
        (500_000, "Marathon Trainer"),
    ],
)
def test_by_steps(steps: int, title: str) -> None:
    assert worn(steps) == title


@pytest.mark.parametrize(
    ("level", "accuracy", "title"),
    [
        (1, None, "Binary Novice"),
        (4, 0.70, "Bit Counter"),
        (4, 0.69, "Untrained"),
        (4, None, "Untrained"),
        (9, 0.80, "Binary Arithmetician"),
        (10, 0.85, "Bit Master"),
        (19, 0.84, "Untrained"),
        (20, 0.90, "Keeper of Bits"),
        (30, 0.99, "Keeper of Bits"),
    ],
)
def test_by_binary_alchemy(level: int, accuracy: float | None, title: str) -> None:
    assert worn(0, bin=(level, accuracy)) == title


def test_of_two_skills_the_higher_level_names_the_hero() -> None:
    assert worn(0, bin=(1, None), sy=(4, None)) == "Word Student"
    assert worn(0, bin=(10, 0.5), sy=(10, 0.5)) == "Dual Specialist"


def test_of_full_ties_the_earlier_earned_stays() -> None:
    skills = {"bin": SkillStanding(2), "sy": SkillStanding(2)}
    first = titles(0, skills, earned_at={"binary_novice": 20.0, "word_student": 10.0}).worn
    second = titles(0, skills, earned_at={"binary_novice": 10.0, "word_student": 20.0}).worn
    assert first is not None and second is not None
    assert (first.id, second.id) == ("word_student", "binary_novice")


def test_primitives() -> None:
    sharp = titles(0, {}, primitives={"binary_add_with_carry": 0.95})
    assert sharp.worn is not None and sharp.worn.id == "carry_master" and sharp.warnings == ()
    weak = titles(0, {}, primitives={"binary_add_with_carry": 0.94, "twos_complement": 0.5})
    assert weak.worn is not None and weak.worn.id == "untrained"
    assert [w.id for w in weak.warnings] == ["primitive_weakness"]


def test_warnings_and_badges_stand_beside_the_title() -> None:
    found = titles(0, {"bin": SkillStanding(2, 0.8, drop=0.10, perfect=True)})
    assert found.worn is not None and found.worn.id == "binary_novice"
    assert [w.named("plain") for w in found.warnings] == ["accuracy below its peak"]
    assert [b.named("tavern") for b in found.badges] == ["Perfect Trial"]
    assert called(0, bin=(2, 0.8)).warnings == ()


@given(st.integers(0, 10**6), st.integers(0, 30), st.none() | st.floats(0, 1))
def test_a_hero_is_always_called_something_and_steps_never_cost_a_rank(
    steps: int, level: int, accuracy: float | None
) -> None:
    now, later = called(steps, bin=(level, accuracy)).worn, called(2 * steps, bin=(level, accuracy)).worn
    assert now is not None and later is not None
    assert later.rule.priority >= now.rule.priority


def test_standing_is_read_off_the_rows() -> None:
    exams = [rows.exam(i, i * 100, c, level=1) for i, c in ((1, 56), (2, 58), (3, 60))]
    found = standings([rows.level_up(1, 300, 1, (1, 2, 3))], [*exams, rows.exam(4, 400, 64, level=2)], [])
    assert found == {"bin": SkillStanding(1, 174 / 192, 0.0, perfect=True)}


def test_one_unlucky_screen_of_sixteen_does_not_name_a_regression() -> None:
    exams = [rows.exam(i, i * 100, 58, level=1) for i in (1, 2, 3)]
    ups = [rows.level_up(1, 300, 1, (1, 2, 3))]
    lucky = standings(ups, exams, [rows.hold(1, 400, 1, 12)])["bin"]
    assert lucky.drop is not None and lucky.drop < 0.10
    fallen = standings(ups, exams, [rows.hold(1, 400, 1, 12), rows.hold(2, 500, 1, 44, 80)])["bin"]
    assert fallen.drop is not None and fallen.drop > 0.10 and fallen.accuracy == pytest.approx(0.55)
    again = standings(ups, exams, [rows.hold(2, 500, 1, 44, 80), rows.hold(3, 600, 1, 72, 80)])["bin"]
    assert again.drop is not None and again.drop < 0.10, "a warning can be lived down"


def test_a_skill_without_exams_has_no_standing_and_an_apprentice_exam_is_no_perfect_trial() -> None:
    assert standings([], [], []) == {}
    assert not standings([], [rows.exam(1, 100, 30, 30)], [])["bin"].perfect


def test_players_may_add_titles(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("REALM_CONFIG_DIR", str(tmp_path))
    own_file.forget()
    try:
        mine = tmp_path / "titles.yaml"
        mine.write_text("titles: {early_bird: {label: Early Bird, plain: 10 steps, priority: 5, steps: 10}}\n")
        assert worn(10) == "Early Bird" and titles_in_force().problem is None
        own_file.forget()
        mine.write_text("titles:\n  bad: {label: Bad, plain: bad, accuracy: 0.5}\n")
        assert "bad" not in title_rules() and worn(10) == "Untrained", "a broken file changes nothing"
        problem = titles_in_force().problem
        assert problem is not None and "needs a `skill`" in problem.why and f"{mine}, line 2" in problem.why
    finally:
        own_file.forget()

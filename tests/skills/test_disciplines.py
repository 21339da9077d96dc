"""Disciplines: drills of one field under one name, one split with the drills, and a reason where a door is locked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from configs.catalogue import primitives
from configs.discipline import Discipline, disciplines
from configs.errors import RealmError
from configs.loader import load_game
from engine.curriculum.gate import judge
from engine.curriculum.state import GateExam, Tally, start
from skills.registry import disabled, get_skill, skill_ids

PLAYABLE = ("artificer_arts", "logic_weaving", "numerical_sorcery", "oath_binding")


def test_those_with_drills_are_skills_and_the_others_say_why_not() -> None:
    assert set(PLAYABLE) <= set(skill_ids())
    for name in ("arcane_compression", "implement_mastery"):
        assert name not in skill_ids() and disabled()[name].why == disciplines()[name].locked
        with pytest.raises(RealmError, match="locked") as told:
            get_skill(name)
        assert told.value.code == "DISCIPLINE_LOCKED"


@pytest.mark.parametrize("name", PLAYABLE)
def test_a_problem_lies_on_one_side_in_the_drills_and_in_every_discipline(name: str) -> None:
    """The same prompt met as a drill and in a discipline has one digest, so training in one never leaks into the other."""
    skill, drills = get_skill(name), get_skill("prim")
    train = {
        drills.generate(level, i, "train", operation=op).problem_digest
        for level in (1, 4)
        for op in skill.operations(level, "full")
        for i in range(80)
    }
    exam = {skill.generate(level, i, "exam").problem_digest for level in (1, 4) for i in range(600)}
    assert not train & exam
    met = {p.prompt: p.problem_digest for p in (drills.generate(1, i, "train", operation="fmt_list") for i in range(9))}
    other = get_skill("oath_binding")
    for i in range(4000 if name == "oath_binding" else 0):
        problem = other.generate(1, i, "train", operation="fmt_list")
        assert met.get(problem.prompt, problem.problem_digest) == problem.problem_digest


@pytest.mark.parametrize("name", PLAYABLE)
def test_harder_primitives_begin_at_higher_levels(name: str) -> None:
    config = get_skill(name).config
    assert config.max_level == 10
    for primitive, first in config.mixes["full"].operations.items():
        assert first == max(1, 2 * primitives()[primitive].difficulty - 3)


def test_levels_are_won_at_the_thresholds_of_the_discipline() -> None:
    logic = get_skill("logic_weaving").config
    assert [logic.pass_share(level, 0.8) for level in (1, 5, 10)] == [0.60, 0.75, 0.88]
    assert get_skill("oath_binding").config.pass_share(10, 0.8) == 0.92


def test_a_level_won_at_a_lower_bar_is_held_at_a_lower_bar() -> None:
    rules = load_game().exams
    first = get_skill("logic_weaving").config.rules_at(1, rules)
    assert (first.pass_share, round(first.held_share, 2), round(first.operation_floor, 2)) == (0.60, 0.50, 0.30)
    last = get_skill("logic_weaving").config.rules_at(10, rules)
    assert (last.pass_share, last.held_share, last.operation_floor) == (0.88, rules.held_share, rules.operation_floor)
    assert get_skill("bin").config.rules_at(3, rules) == rules


def test_the_gate_asks_the_bar_of_the_discipline() -> None:
    """Three exams of 39 in 64 win the first level of Logic Weaving (.60) and none of Numerical Sorcery's third (.65)."""
    rules = load_game().exams
    for name, level, won in (("logic_weaving", 1, True), ("numerical_sorcery", 3, False)):
        skill = get_skill(name)
        state = replace(start(name, "full", 10, rules), mastered=level - 1)
        exams = tuple(
            GateExam(level, step, {skill.operations(level, "full")[0]: Tally(39, 64)}) for step in (25, 50, 75)
        )
        verdict = judge(replace(state, gate=exams), skill, rules)
        assert (verdict.streak == 3) is won


def test_a_discipline_asks_something_or_is_locked() -> None:
    plain = disciplines()["logic_weaving"].model_dump()
    with pytest.raises(ValidationError, match="or is locked"):
        Discipline.model_validate(plain | {"locked": "for no reason"})
    with pytest.raises(RealmError, match="unknown tracks: juggling"):
        Discipline.model_validate(plain | {"tracks": ["juggling"]}).asked()

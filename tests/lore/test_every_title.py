"""For every title facts that give it, and facts that take it away."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from lore.titles import standings, title_rules, titles
from saves.rows import Exam, Hold, LevelUp
from tests.lore import rows


@dataclass(frozen=True)
class Facts:
    """What titles are made of."""

    steps: int = 0
    ups: tuple[LevelUp, ...] = ()
    exams: tuple[Exam, ...] = ()
    holds: tuple[Hold, ...] = ()
    primitives: dict[str, float] = field(default_factory=dict)

    def called(self, *names: str) -> set[str]:
        """Which of these titles hold, each looked at alone."""
        skills = standings(self.ups, self.exams, self.holds)
        held = set()
        for name in names:
            found = titles(self.steps, skills, primitives=self.primitives, rules={name: title_rules()[name]})
            held |= {title.id for title in (found.worn, *found.badges, *found.warnings) if title is not None}
        return held

    def worn(self) -> str:
        found = titles(self.steps, standings(self.ups, self.exams, self.holds), primitives=self.primitives).worn
        return "" if found is None else found.id


def won(level: int, skill: str = "bin", correct: int = 64) -> Facts:
    """Levels 1 to ``level`` of a skill, each with one exam."""
    first = 0 if skill == "bin" else 1000
    ups = tuple(replace(rows.level_up(first + n, n * 10, n, (first + n,)), skill=skill) for n in range(1, level + 1))
    sat = tuple(rows.exam(first + n, n * 10, correct, level=n, skill=skill) for n in range(1, level + 1))
    return Facts(5000, ups, sat)


def screened(facts: Facts, level: int, correct: int, items: int = 64, skill: str = "bin") -> Facts:
    """A later screening of a won level."""
    return replace(facts, holds=(replace(rows.hold(1, 9000, level, correct, items), skill=skill),))


def both(one: Facts, other: Facts) -> Facts:
    return replace(one, ups=one.ups + other.ups, exams=one.exams + other.exams)


def known(primitive: str, share: float) -> Facts:
    return Facts(5000, primitives={primitive: share})


STORIES: dict[str, tuple[Facts, Facts]] = {
    "apprentice": (Facts(1_000), Facts(999)),
    "journeyman": (Facts(10_000), Facts(9_999)),
    "adept": (Facts(50_000), Facts(49_999)),
    "expert": (Facts(100_000), Facts(99_999)),
    "master": (Facts(200_000), Facts(199_999)),
    "marathon_trainer": (Facts(500_000), Facts(499_999)),
    "binary_novice": (won(2), won(3)),
    "bit_counter": (won(4), screened(won(4), 4, 44)),
    "binary_arithmetician": (won(9), screened(won(9), 9, 51)),
    "bit_master": (won(19), screened(won(19), 19, 54)),
    "keeper_of_bits": (won(20), screened(won(20), 20, 57)),
    "word_student": (won(4, "sy"), won(5, "sy")),
    "word_weaver": (won(14, "sy"), screened(won(14, "sy"), 14, 44, skill="sy")),
    "syllable_sage": (won(29, "sy"), screened(won(29, "sy"), 29, 51, skill="sy")),
    "lexicon_lord": (won(30, "sy"), screened(won(30, "sy"), 30, 54, skill="sy")),
    "carry_master": (known("binary_add_with_carry", 0.95), known("binary_add_with_carry", 0.94)),
    "overflow_handler": (known("overflow_detection", 0.95), known("overflow_detection", 0.94)),
    "twos_complement_sage": (known("twos_complement", 0.90), known("twos_complement", 0.89)),
    "dual_specialist": (both(won(10), won(10, "sy")), both(won(10), won(9, "sy"))),
    "perfect_trial": (won(1), replace(won(1), exams=(*won(1).exams, rows.exam(9, 900, 63)))),
    "skill_regression": (screened(won(3), 2, 57), screened(won(3), 2, 58)),
    "primitive_weakness": (known("parity", 0.59), known("parity", 0.60)),
}
ALWAYS = {"untrained"}
"""Holds for every hero, and is worn until a better one is earned."""


def test_every_title_has_a_story() -> None:
    assert set(STORIES) | ALWAYS == set(title_rules())


@pytest.mark.parametrize("name", STORIES)
def test_facts_give_it_and_facts_take_it_away(name: str) -> None:
    gives, takes = STORIES[name]
    assert gives.called(name) == {name}
    assert takes.called(name) == set()


def test_the_first_title_is_outgrown() -> None:
    assert Facts(0).worn() == Facts(999).worn() == "untrained"
    assert Facts(1_000).worn() == "apprentice"


def test_a_title_that_is_lost_gives_way_to_the_next() -> None:
    assert won(9).worn() == "binary_arithmetician"
    assert screened(won(9), 9, 51).worn() == "apprentice"

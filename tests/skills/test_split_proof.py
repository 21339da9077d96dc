"""Over a million problems of every shipped skill, and not one of them asked in an exam was ever trained."""

from __future__ import annotations

import pytest

from skills.registry import get_skill
from skills.split import side

SHIPPED = [(name, mix) for name in ("bin", "sy") for mix in get_skill(name).config.mixes]
TRAINED, ASKED = 300_000, 30_000
"""Problems of each side, over the levels of one mix."""


@pytest.mark.full
@pytest.mark.parametrize(("name", "mix"), SHIPPED)
def test_no_problem_is_on_both_sides_of_the_split(name: str, mix: str) -> None:
    skill = get_skill(name)
    levels = range(1, skill.config.max_level + 1)
    # A puzzle of the full SY mix costs ten times as much as any other problem.
    part = 0.2 if (name, mix) == ("sy", "full") else 1.0
    train, exam = set[str](), set[str]()
    for level in levels:
        problems = (
            int(TRAINED * part) // len(levels),
            min(int(ASKED * part) // len(levels), skill.exam_pool(level, mix, 1000)),
        )
        train |= {skill.generate(level, i, "train", mix).problem_digest for i in range(problems[0])}
        exam |= {skill.generate(level, i, "exam", mix).problem_digest for i in range(problems[1])}
    assert len(train) > 1000 and len(exam) > 100
    assert not train & exam
    assert {side(bytes.fromhex(digest)) for digest in train} == {"train"}
    assert {side(bytes.fromhex(digest)) for digest in exam} == {"exam"}

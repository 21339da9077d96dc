"""Skills from outside: found by their entry point, disabled with the reason when they are broken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.errors import RealmError, UsageError
from skills import registry

MODULE = """
from random import Random
from skills.streams import Kind, Made, StreamSkill
VERSION = "1.0"
MAX_LEVEL = 2
def _double(random: Random, level: int) -> Made:
    n = random.randrange(10 ** (level + 2))
    return Made(str(n), f"double {n}", str(2 * n))
def build(config):
    return StreamSkill(config, [Kind("double", _double)])
"""
YAML = """
id: doubling
name: Doubling
rpg_name: The Mirror Hall
version: "1.0"
description: twice as much
category: math
display: {icon: "2", colour: "#112233", short_name: DBL}
max_level: 2
level_names: {1: small}
mixes: {full: {operations: {double: 1}}}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package `doubling_skill` with the entry point `doubling`."""
    room = tmp_path / "doubling_skill"
    room.mkdir()
    (room / "__init__.py").write_text(MODULE)
    (room / "skill.yaml").write_text(YAML)
    info = tmp_path / "doubling_skill-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: doubling-skill\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[realm.skills]\ndoubling = doubling_skill\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.forget()
    yield room
    sys.modules.pop("doubling_skill", None)
    registry.forget()


def test_a_plug_in_is_a_skill_like_any_other(package: Path) -> None:
    assert "doubling" in registry.skill_ids() and "bin" in registry.skill_ids()
    skill = registry.get_skill("doubling")
    problem = skill.generate(1, 3, "train")
    assert skill.score(problem, problem.answer).correct and "doubling" not in registry.disabled()


def test_what_a_plug_in_raises_about_a_level_names_it(package: Path) -> None:
    module = package / "__init__.py"
    spoilt = """

class Spoilt(StreamSkill):
    def exam_pool(self, level, mix, limit):
        raise KeyError("no such level")

    def chance(self, operation, level):
        return 1 / 0


def build(config):
    return Spoilt(config, whole(config).kinds.values())
"""
    module.write_text(MODULE.replace("def build(", "def whole(") + spoilt)
    registry.forget()
    skill = registry.get_skill("doubling")
    assert skill.generate(1, 3, "train").answer and skill.operations(1, "full") == ("double",)
    for ask in (lambda: skill.exam_pool(1, "full", 9), lambda: skill.chance("double", 1)):
        with pytest.raises(RealmError) as raised:
            ask()
        assert raised.value.code == "GENERATOR_FAILED" and "doubling" in raised.value.what and raised.value.fix


@pytest.mark.parametrize(
    ("file", "before", "after", "code", "told"),
    [
        ("skill.yaml", '"1.0"', '"2.0"', "VERSION_MISMATCH", "2.0"),
        ("skill.yaml", "max_level: 2", "max_level: 3", "LEVEL_MISMATCH", "3"),
        ("skill.yaml", "id: doubling", "id: trebling", "ID_MISMATCH", "trebling"),
        ("skill.yaml", "max_level", "max_levle", "", "max_level"),
        ("skill.yaml", "double: 1", "duble: 1", "BAD_MIX", "duble"),
        ("skill.yaml", "name: Doubling", "name: [Doubling", "", "skill.yaml"),
        ("__init__.py", "VERSION =", "raise OSError('gone') #", "GENERATOR_FAILED", "gone"),
        ("__init__.py", "VERSION =", "WHICH =", "GENERATOR_FAILED", "VERSION"),
    ],
)
def test_a_broken_plug_in_is_disabled_with_the_reason_and_the_others_stay(
    package: Path, file: str, before: str, after: str, code: str, told: str
) -> None:
    text = (package / file).read_text()
    assert before in text
    (package / file).write_text(text.replace(before, after, 1))
    assert "doubling" not in registry.skill_ids() and "bin" in registry.skill_ids()
    error = registry.disabled()["doubling"]
    assert (not code or error.code == code) and told in error.text()
    with pytest.raises(RealmError):
        registry.get_skill("doubling")


def test_aliases_are_mapped_and_a_slip_is_answered_with_the_nearest_name() -> None:
    assert registry.skill_id("binary_arithmetic") == registry.skill_id("bin") == "bin"
    with pytest.raises(UsageError) as caught:
        registry.get_skill("binry")
    assert "binary" in caught.value.text()

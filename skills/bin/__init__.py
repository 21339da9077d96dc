"""Binary Alchemy: arithmetic, logic and comparison on binary numbers, from two digits to thirty-two."""

from __future__ import annotations

from configs.schema import SkillConfig
from skills.bin.digits import MAX_LEVEL
from skills.bin.skill import BinarySkill

VERSION = "1.1.0"

__all__ = ["MAX_LEVEL", "VERSION", "build"]


def build(config: SkillConfig) -> BinarySkill:
    """The skill as its YAML describes it; a mix that cannot be asked is a `RealmError`."""
    return BinarySkill(config)

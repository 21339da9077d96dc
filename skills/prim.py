"""Primitive drills as a skill: its operations are the primitives, its levels the rungs of their ladders."""

from __future__ import annotations

from configs.schema import SkillConfig
from skills.contract import Skill
from skills.primitives.catalogue import RUNGS, described, kinds, mixes
from skills.streams import StreamSkill

VERSION = "1.0.0"
MAX_LEVEL = RUNGS


def build(config: SkillConfig) -> Skill:
    """The skill; mixes and primitives come from the catalogue, beside those that the YAML adds."""
    full = config.model_copy(update={"mixes": {**mixes(), **config.mixes}, "primitives": described()})
    return StreamSkill(full, tuple(kinds().values()))

"""Word Weaving: hidden words are put together from a bank of syllable tiles, by clues that tell less with every level."""

from __future__ import annotations

from configs.schema import SkillConfig
from skills.contract import Skill
from skills.streams import StreamSkill
from skills.sy.puzzles import puzzle_kinds
from skills.sy.spells import HEADS, SPELL_KINDS
from skills.sy.stock import shipped_stock

VERSION = "1.0.0"
MAX_LEVEL = 50


def build(config: SkillConfig) -> Skill:
    """The skill; the stock of words is read when the first puzzle needs it."""
    return StreamSkill(config, (*puzzle_kinds(shipped_stock), *SPELL_KINDS), HEADS)

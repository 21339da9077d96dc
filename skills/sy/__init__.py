"""Word Weaving: hidden words are put together from a bank of syllable tiles, by clues that tell less with every level."""

from __future__ import annotations

from configs.schema import SkillConfig
from skills.contract import Skill
from skills.streams import StreamSkill
from skills.sy.puzzles import puzzle_kinds
from skills.sy.spells import HEADS, SPELL_KINDS
from skills.sy.stock import shipped_stock
from skills.sy.words import own_word_files, read_words

VERSION = "1.0.0"
MAX_LEVEL = 50


def build(config: SkillConfig) -> Skill:
    """The skill; the shipped words are read when the first puzzle needs them, the player's own are checked at once.

    Raises:
        RealmError: a file of the player's words is not valid.
    """
    for file in own_word_files():
        read_words(file)
    return StreamSkill(config, (*puzzle_kinds(shipped_stock), *SPELL_KINDS), HEADS)

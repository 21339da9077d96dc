"""The ladder of Word Weaving: how many words of what kind a puzzle of each level holds (`configs/word_weaving.yaml`)."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from configs.base import Model
from configs.reading import parse, read_yaml, shipped

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Strength = Literal["strong", "moderate", "weak"]


def _rising(value: tuple[int, int]) -> tuple[int, int]:
    if value[0] > value[1]:
        raise ValueError("the first number is the least, the second the most")
    return value


Range = Annotated[tuple[int, int], AfterValidator(_rising)]


class Rung(Model):
    """What a puzzle of one level is made of."""

    words: Range = Field(description="hidden words")
    syllables: Range = Field(description="syllables of a word")
    zipf: float = Field(ge=0.0, le=7.0, description="how common the words are")
    overlap: Share = Field(
        description="share of the words that have a syllable in common with another word of the puzzle"
    )
    herrings: Range = Field(description="tiles that belong to no word")
    hints: tuple[str, ...] = Field((), description="kinds of clue this level adds")
    clues: int = Field(1, ge=1, le=4, description="clues at each word")
    counts: bool = Field(True, description="whether a clue says how many syllables its word has")


class Steps(Model):
    """A number that grows by one every few levels."""

    begin: int = Field(ge=0, alias="from", description="its value where the rule begins")
    one_more_every: int = Field(ge=1, description="levels")

    def at(self, k: int) -> int:
        """The value ``k`` levels beyond the ladder."""
        return self.begin + k // self.one_more_every


class Slope(Model):
    """A number that changes a little with every level, up or down to a limit."""

    begin: float = Field(alias="from", description="its value where the rule begins")
    per_level: float = Field(description="change by one level")
    limit: float = Field(description="the value it does not pass")

    def at(self, k: int) -> float:
        """The value ``k`` levels beyond the ladder."""
        value = self.begin + self.per_level * k
        return max(self.limit, value) if self.per_level < 0 else min(self.limit, value)


class Beyond(Model):
    """The rule for the levels above the ladder."""

    words: Steps
    syllables: dict[int, Range] = Field(description="first level to the syllables of a word")
    zipf: Slope
    overlap: Slope
    herrings: Steps
    weak: Slope = Field(description="share of weak clues; the rest is moderate")


class SpellRow(Model):
    """Size of the puzzles of spell words."""

    tiles: Range = Field(description="tiles of a word")
    joined: Range = Field(description="tiles of a word that lie in order: many, because copying teaches to look up")
    herrings: Range = Field(description="tiles that belong to no word")
    words: int = Field(ge=1, le=16, description="most words of one puzzle")
    total: int = Field(ge=2, le=60, description="most tiles that the words of one puzzle use")
    letters: Literal[1, 2] = Field(1, description="letters by which a clue names a tile")


class Spells(Model):
    """Spell words: made of invented syllables."""

    consonants: str = Field(pattern=r"^[a-z]{10,21}$")
    vowels: str = Field(pattern=r"^[a-z]{3,6}$")
    rows: dict[int, SpellRow] = Field(description="first level to the size of its puzzles")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if 1 not in self.rows:
            raise ValueError("the first row is that of level 1")
        for level, row in self.rows.items():
            names = len(self.consonants) * (len(self.vowels) if row.letters == 2 else 1)
            if max(row.total, row.joined[1], row.tiles[1] + row.herrings[1]) > names:
                raise ValueError(f"level {level} needs more tiles than there are names ({names})")
            if row.words * row.tiles[0] > row.total:
                raise ValueError(f"level {level}: {row.words} words do not fit into {row.total} tiles")
        return self

    def row(self, level: int) -> SpellRow:
        """The size at ``level``."""
        return self.rows[max(first for first in self.rows if first <= level)]


class WordWeaving(Model):
    """The whole ladder."""

    ladder: dict[int, Rung] = Field(min_length=1, description="the levels that are written out, from 1")
    beyond: Beyond
    strengths: dict[Strength, tuple[str, ...]] = Field(description="kinds of clue by how much they give away")
    shelf: int = Field(64, ge=24, le=10_000, description="words nearest to a level's target that its puzzles draw from")
    spells: Spells

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if sorted(self.ladder) != list(range(1, len(self.ladder) + 1)):
            raise ValueError("the ladder counts its levels from 1 without a gap")
        known = {kind for kinds in self.strengths.values() for kind in kinds}
        if strange := sorted({kind for rung in self.ladder.values() for kind in rung.hints} - known):
            raise ValueError(f"no strength names the clues {', '.join(strange)}")
        if not self.ladder[1].hints:
            raise ValueError("level 1 has no kind of clue")
        return self

    def rung(self, level: int) -> Rung:
        """What a puzzle of ``level`` is made of; above the ladder by the rule of `beyond`."""
        if level in self.ladder:
            return self.ladder[level]
        rule, k = self.beyond, level - len(self.ladder)
        words, herrings = rule.words.at(k), rule.herrings.at(k)
        return Rung(
            words=(words, words),
            syllables=rule.syllables[max(first for first in rule.syllables if first <= level)],
            zipf=rule.zipf.at(k),
            overlap=rule.overlap.at(k),
            herrings=(herrings, herrings + 1),
            hints=(),
            clues=1,
            counts=False,
        )

    def weak_share(self, level: int) -> float | None:
        """Share of weak clues above the ladder; None on it, where every kind so far is as likely as any other."""
        return None if level in self.ladder else self.beyond.weak.at(level - len(self.ladder))

    def kinds(self, level: int) -> tuple[str, ...]:
        """The kinds of clue in use at ``level``, strongest first."""
        added = {kind for first, rung in self.ladder.items() if first <= level for kind in rung.hints}
        gone = self.strengths.get("strong", ()) if level not in self.ladder else ()
        ranked = [kind for strength in ("strong", "moderate", "weak") for kind in self.strengths.get(strength, ())]
        return tuple(kind for kind in ranked if kind in added and kind not in gone)


@cache
def word_weaving() -> WordWeaving:
    """The ladder as shipped."""
    file = shipped() / "word_weaving.yaml"
    return parse(WordWeaving, read_yaml(file), "the ladder of Word Weaving", [file])

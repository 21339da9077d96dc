"""The words that drills are made of: shipped ones, with the player's own behind them."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from pydantic import BeforeValidator, Field

from configs.base import Model
from configs.paths import config_dir
from configs.reading import parse, read_yaml, shipped

Word = Annotated[str, Field(pattern=r"^[A-Za-z]+(-[A-Za-z]+)*$", max_length=24)]
Words = tuple[Word, ...]


def _words(rows: object) -> object:
    """Rows of words between commas, as one list."""
    return [word for row in rows for word in str(row).split(", ")] if isinstance(rows, (list, tuple)) else rows


def _pairs(rows: object) -> object:
    """Rows of pairs between commas, as a list of two words each."""
    found = _words(rows)
    return [str(pair).split() for pair in found] if isinstance(found, list) else found


Rows = Annotated[Words, BeforeValidator(_words)]
Pairs = Annotated[tuple[tuple[Word, Word], ...], BeforeValidator(_pairs)]


class DrillWords(Model):
    """Lists of words (`configs/drill_words.yaml`)."""

    names: Words = Field(min_length=20, description="people")
    verbs: Words = Field(min_length=20, description="what people do, without an object")
    qualities: Words = Field(min_length=20, description="what people are")
    things: Words = Field(min_length=20, description="what can be carried")
    places: Words = Field(min_length=20, description="where things are")
    holders: Words = Field(min_length=10, description="what things lie in")
    colours: Words = Field(min_length=10, description="colours")
    foods: Words = Field(min_length=10, description="what is eaten")
    pets: Words = Field(min_length=10, description="animals that live with people")
    antonyms: Pairs = Field(min_length=150, description="two words that mean the opposite of each other")
    synonyms: Pairs = Field(min_length=150, description="two words that mean much the same")
    nouns: Rows = Field(min_length=300, description="nouns with a regular plural")


@cache
def drill_words() -> DrillWords:
    """All words; a list of the player's own file is joined to the shipped one."""
    file, own = shipped() / "drill_words.yaml", config_dir() / "drill_words.yaml"
    data, files = read_yaml(file), [file]
    if own.is_file():
        more = read_yaml(own)
        data = {key: _joined(data.get(key), more.get(key)) for key in {**data, **more}}
        return parse(DrillWords, data, "the words of the drills", [*files, own])
    return parse(DrillWords, data, "the words of the drills", files)


def _joined(shipped_words: object, own: object) -> object:
    if own is None:
        return shipped_words
    if isinstance(shipped_words, list) and isinstance(own, list):
        return list(dict.fromkeys([*shipped_words, *own]))
    return own

"""Checks the stock of words as its writers must: what no schema sees, named with file and line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from configs.errors import RealmError
from configs.paths import config_dir
from configs.reading import parse, read_yaml
from skills.sy.words import WordEntry, word_files

LONGEST_HINT = 90
"""Characters of a hint."""
LONGEST_SYLLABLE = 7
"""Letters of a syllable."""
_TELLING = 5
"""Letters in a row that a hint may not share with its word, if they are most of the shorter of the two."""
_TELLING_SHARE = 2 / 3
_ONE_TEXT = ("definition", "morphology", "etymology")
"""Kinds that are told in one sentence; in YAML its commas need quotes."""
_VOWELS = re.compile(r"[aeiouy]")
_TOKEN = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the stock."""

    file: str
    line: int
    """Counted from 1; 0 where the whole file is meant."""
    word: str
    what: str

    def text(self) -> str:
        """One line for a person or an editor."""
        return f"{self.file}:{self.line}: {self.word}: {self.what}" if self.word else f"{self.file}: {self.what}"


def check_words(files: Sequence[Path | Traversable] | None = None) -> tuple[Finding, ...]:
    """Everything that is wrong, file by file; nothing when the stock is sound.

    Args:
        files: the files to check; None means the shipped ones and the player's own.

    A word may stand in a shipped file and again in the player's, who then replaces it; but only once in each of the two.
    """
    found: list[Finding] = []
    places: dict[tuple[bool, str], str] = {}
    definitions: dict[str, str] = {}
    for file in word_files() if files is None else files:
        own = isinstance(file, Path) and file.is_relative_to(config_dir())
        try:
            if not isinstance(read_yaml(file).get("words"), dict):
                raise RealmError("it has no mapping `words`")
        except RealmError as error:
            found.append(Finding(str(file), 0, "", error.text()))
            continue
        for word, line, data in _entries(file):
            place = f"{file.name}:{line}"
            if (own, word) in places:
                found.append(Finding(str(file), line, word, f"stands already at {places[own, word]}"))
                continue
            places[own, word] = place
            try:
                entry = parse(WordEntry, data if isinstance(data, dict) else {}, f"the word {word}")
            except RealmError as error:
                found.append(Finding(str(file), line, word, error.why))
                continue
            found += [Finding(str(file), line, word, what) for what in faults(word, entry)]
            for told in entry.definition:
                if definitions.setdefault(told, word) != word:
                    found.append(Finding(str(file), line, word, f"has the definition of {definitions[told]}"))
    return tuple(found)


def faults(word: str, entry: WordEntry) -> Iterator[str]:
    """What is wrong with one word by itself."""
    syllables = entry.syllables.split("-")
    if "".join(syllables) != word:
        yield f"the syllables {entry.syllables} do not join to it"
    for syllable in syllables:
        if not _VOWELS.search(syllable):
            yield f"the syllable {syllable} has no vowel"
        if len(syllable) > LONGEST_SYLLABLE:
            yield f"the syllable {syllable} is longer than {LONGEST_SYLLABLE} letters"
    for kind, hints in entry.hints().items():
        if kind in _ONE_TEXT and len(hints) > 1:
            yield f"{kind} is in {len(hints)} parts: put quotes around a text with commas"
        if len({hint.casefold() for hint in hints}) < len(hints):
            yield f"{kind} says the same twice"
        for hint in hints:
            if not hint or hint != hint.strip() or len(hint) > LONGEST_HINT or hint.endswith("."):
                yield f"{kind} has {hint!r}: write 1 to {LONGEST_HINT} characters without a full stop"
            if part := leak(word, hint):
                yield f"{kind} gives the word away by {part!r}"


def leak(word: str, hint: str) -> str:
    """The part of ``hint`` that names ``word`` or its stem; empty when none does."""
    return next((token for token in _tokens(hint) if _tells(word.casefold(), token)), "")


def _tokens(hint: str) -> Iterable[str]:
    return _TOKEN.findall(hint.casefold())


def _tells(word: str, token: str) -> bool:
    stem = token.removesuffix("s")
    if (len(stem) >= _TELLING and stem in word) or word in token:
        return True
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, token, strict=False)))
    return shared >= _TELLING and shared >= _TELLING_SHARE * min(len(word), len(token))


def _entries(file: Path | Traversable) -> list[tuple[str, int, Any]]:
    """Each word of a file with its line and what is said of it, in order; twice where it stands twice."""
    root = yaml.compose(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if root is None:
        return []
    words = [value for key, value in root.value if key.value == "words"][-1]
    build = yaml.constructor.SafeConstructor().construct_document
    return [(str(key.value), key.start_mark.line + 1, build(value)) for key, value in words.value]

"""The stock of words: sound, plentiful for every level, open to the player's own; and its checker finds what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import RealmError
from skills.sy.check import check_words, leak
from skills.sy.words import LEAST_KINDS, load_words, read_words

SOUND = """\
words:
  lantern: {syllables: lan-tern, zipf: 3.9, pos: noun, definition: [a lamp to carry], synonyms: [lamp], category: [things in a shed], domain: [camping]}
"""
WRONG = """\
words:
  lantern: {syllables: lan-tern, zipf: 3.9, pos: noun, definition: [a lantern to carry], synonyms: [lamp], category: [shed], domain: [camping]}
  rhythm: {syllables: rhy-thm, zipf: 4.2, pos: noun, definition: [the beat of a tune], synonyms: [beat, Beat], domain: [music], category: [sound.]}
  harbour: {syllables: har-bor, zipf: 4.0, pos: noun, definition: [where ships lie], synonyms: [port], domain: [seafaring], hypernym: [place]}
  lantern: {syllables: lan-tern, zipf: 3.9, pos: noun, definition: [a light], synonyms: [lamp], category: [shed], domain: [camping]}
  kettle: {syllables: ket-tle, zipf: 9.9, pos: noun, definition: [it boils], synonyms: [boiler], category: [kitchen], domain: [tea]}
  pillow: {syllables: pil-low, zipf: 4.0, pos: noun, definition: [where ships lie], synonyms: [cushion], category: [bed]}
  blanket: {syllables: blan-ket, zipf: 4.0, pos: noun, definition: [a warm, soft cover], synonyms: [rug], category: [bed], domain: [sleep]}
  cushion: {syllables: cush-ion, zipf: 4.0, pos: noun, definition: [where ships lie], synonyms: [pad], category: [sofa], domain: [home]}
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REALM_CONFIG_DIR", str(tmp_path))
    (tmp_path / "words").mkdir()
    return tmp_path / "words" / "mine.yaml"


def test_the_shipped_stock_is_sound(own: Path) -> None:
    assert not own.exists()
    assert [finding.text() for finding in check_words()] == []


def test_every_word_has_its_tiles_and_hints() -> None:
    for word in load_words():
        assert "".join(word.syllables) == word.text and 2 <= len(word.syllables) <= 7
        assert len(word.hints) >= LEAST_KINDS and 1.0 <= word.zipf <= 6.0


def test_what_is_wrong_is_named_with_its_line(own: Path) -> None:
    own.write_text(WRONG, encoding="utf-8")
    found = [(finding.line, finding.what) for finding in check_words([own])]
    assert all(finding.text().startswith(f"{own}:{finding.line}: ") for finding in check_words([own]))
    expected = [
        (2, "definition gives the word away by 'lantern'"),
        (3, "the syllable thm has no vowel"),
        (3, "synonyms says the same twice"),
        (3, "category has 'sound.'"),
        (4, "the syllables har-bor do not join to it"),
        (5, "stands already at mine.yaml:2"),
        (6, "zipf"),
        (7, "at least 4 kinds"),
        (8, "definition is in 2 parts"),
        (9, "has the definition of harbour"),
    ]
    assert len(found) == len(expected)
    for (line, what), (wanted_line, wanted) in zip(found, expected, strict=True):
        assert line == wanted_line and wanted in what


@pytest.mark.parametrize("text", ["words: [1, 2]\n", "- a list\n", "words: {a: {b\n", "words:\n  lamp: light\n"])
def test_a_file_of_another_shape_is_a_finding(own: Path, text: str) -> None:
    own.write_text(text, encoding="utf-8")
    assert len(check_words([own])) == 1


@pytest.mark.parametrize(
    ("word", "hint", "part"),
    [
        ("lantern", "a small lantern", "lantern"),
        ("photography", "taking Photographs", "photographs"),
        ("international", "between two nations", "nations"),
        ("happy", "unhappy", "unhappy"),
        ("international", "of interest to all", ""),
        ("important", "Latin for a port", ""),
        ("island", "land with sea on all sides", ""),
    ],
)
def test_a_hint_that_names_the_word_or_its_stem_is_found(word: str, hint: str, part: str) -> None:
    assert leak(word, hint) == part


def test_words_of_the_player_join_the_stock_and_replace_shipped_ones(own: Path) -> None:
    shipped = {word.text for word in load_words.__wrapped__()}
    own.write_text(SOUND + SOUND.splitlines()[1].replace("lantern", "garden").replace("lan-tern", "gar-den") + "\n")
    assert not [finding.text() for finding in check_words() if "definition of lantern" not in finding.what]
    stock = {word.text: word for word in load_words.__wrapped__()}
    assert set(stock) == shipped | {"lantern"}
    assert stock["garden"].hints["domain"] == ("camping",)


def test_a_word_whose_syllables_do_not_join_is_refused(own: Path) -> None:
    own.write_text(SOUND.replace("lan-tern", "lan-turn"), encoding="utf-8")
    with pytest.raises(RealmError, match="do not join to lantern"):
        read_words(own)

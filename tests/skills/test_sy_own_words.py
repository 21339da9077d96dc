"""The player's own words: they join the stock, and a broken file disables the skill with the reason and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from skills import registry
from skills.sy.stock import Stock, shipped_stock
from skills.sy.words import load_words

OWN = """
words:
  gobbledygook: {syllables: gob-ble-dy-gook, zipf: 2.4, pos: noun, definition: [talk that means nothing], synonyms: [drivel],
    domain: [offices], etymology: [made up in Texas after the cry of a turkey]}
"""


def _forget() -> None:
    registry.forget()
    load_words.cache_clear()
    shipped_stock.cache_clear()


@pytest.fixture
def own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("REALM_CONFIG_DIR", str(tmp_path))
    (tmp_path / "words").mkdir()
    _forget()
    yield tmp_path / "words" / "mine.yaml"
    monkeypatch.undo()
    _forget()


def test_own_words_join_the_stock(own_words: Path) -> None:
    before = len(load_words())
    own_words.write_text(OWN)
    _forget()
    assert len(load_words()) == before + 1
    assert shipped_stock().by_text["gobbledygook"].syllables == ("gob", "ble", "dy", "gook")
    assert registry.get_skill("sy").generate(8, 0, "train").answer


def test_a_word_of_the_player_replaces_the_shipped_one(own_words: Path) -> None:
    own_words.write_text(OWN.replace("gobbledygook:", "garden:").replace("gob-ble-dy-gook", "gar-den"))
    assert shipped_stock().by_text["garden"].hints["definition"] == ("talk that means nothing",)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (OWN.replace("gob-ble-dy-gook", "gob-ble"), "do not join"),
        (OWN.replace("zipf: 2.4", "zipf: 9"), "zipf"),
        (OWN.replace("domain: [offices], ", ""), "at least 4 kinds"),
        (OWN.replace("domain", "domains"), "did you mean `domain`"),
        ("words: [", "mine.yaml"),
        ("words: 3", "words"),
    ],
)
def test_a_broken_file_disables_the_skill_with_the_reason(own_words: Path, broken: str, reason: str) -> None:
    own_words.write_text(broken)
    registry.forget()
    assert "sy" not in registry.skill_ids() and "bin" in registry.skill_ids()
    error = registry.disabled()["sy"]
    assert error.code == "CONFIG_INVALID" and reason in f"{error.what} {error.why}"


def test_a_stock_of_a_few_words_is_refused() -> None:
    from configs.errors import RealmError

    with pytest.raises(RealmError, match="too few"):
        Stock(load_words()[:12])

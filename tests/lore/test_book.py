"""docs/LORE.md is the lexicon, printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lore.book import book, main
from lore.lexicon import entries

PRINTED = Path(__file__).parents[2] / "docs" / "LORE.md"


def test_the_printed_book_is_the_lexicon() -> None:
    assert PRINTED.read_text(encoding="utf-8") == book(), "print it anew: python -m lore.book docs/LORE.md"


def test_every_word_is_in_one_chapter_only() -> None:
    text = book()
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert len(headings) == len(set(headings)), "entries of one chapter stand together"
    assert [key for key in entries() if text.count(f"`{key}` |") != 1] == []


def test_tables_keep_their_columns() -> None:
    rows = [line for line in book().splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {6, 4}


def test_it_writes_where_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "LORE.md")]) == 0
    assert (tmp_path / "LORE.md").read_text(encoding="utf-8") == book()
    assert main([]) == 2 and "usage" in capsys.readouterr().err

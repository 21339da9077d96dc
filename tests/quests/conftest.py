"""A real save to put quests into."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from configs.loader import load_game, load_hero
from configs.paths import SaveFolder
from configs.schema import QuestRules
from saves.database import create_save, open_save


@pytest.fixture
def folder(tmp_path: Path) -> SaveFolder:
    folder = SaveFolder(tmp_path / "saves" / "main")
    create_save(folder, load_hero("pip"), seed=1)
    return folder


@pytest.fixture
def save(folder: SaveFolder) -> Iterator[sqlite3.Connection]:
    conn = open_save(folder, write=True)
    yield conn
    conn.close()


@pytest.fixture
def rules() -> QuestRules:
    return load_game().quests.model_copy(update={"stable_s": 0.0})


def chat(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def write_lines(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    return path

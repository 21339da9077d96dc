"""The board's commands say what the board's keys do."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from configs.paths import SaveFolder
from realm_tui.cli.main import app
from tests.halls.test_views import chats
from tests.halls.town import lay_quest_files


def told(*words: str, code: int = 0) -> str:
    """What a command prints."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result.stdout


def test_a_quest_is_moved_looked_into_and_taken_again(folder: SaveFolder, tmp_path: Path) -> None:
    lay_quest_files(folder)
    assert told("quest", "move", "later", "--priority", "high") == "later: high priority\n"
    assert json.loads(told("quest", "move", "later", "--priority", "low", "--json"))["priority"] == "low"
    assert told("quest", "again", "chats") == "chats-again is on the board, high priority\n"
    told("quest", "add", str(chats(tmp_path / "mine.jsonl", 9)))
    shown = told("quest", "examples", "mine", "--count", "2")
    assert shown.splitlines()[:3] == ["line 1", "  user       say 0", "  assistant  word word word 0"]
    assert [one["line"] for one in json.loads(told("quest", "examples", "mine", "--count", "3", "--json"))] == [1, 5, 9]


def test_what_cannot_be_done_says_why(folder: SaveFolder) -> None:
    told("quest", "move", "chats", "--priority", "high", code=3)
    told("quest", "again", "later", code=3)
    told("quest", "move", "later", "--priority", "soon", code=2)
    told("quest", "examples", "later", code=1)

"""The quest panel says what becomes of a file's tokens."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from configs import clock
from configs.loader import load_hero
from configs.paths import SaveFolder
from realm_tui.app.drawing import Look
from realm_tui.app.facts import QuestLine, TokenFlow
from realm_tui.app.source import SaveSource
from realm_tui.app.widgets.quests import quest_rows
from saves.database import create_save, open_save
from tests.cli.story import write_story
from tests.face import samples


def drawn(flow: TokenFlow | None, height: int = 8) -> str:
    base = samples.facts()
    training = QuestLine("chats", "high", 412, "processing", flow)
    rows = quest_rows(replace(base, quests=(training, *base.quests)), Look("plain"), 60, height)
    return "\n".join("".join(text for text, _ in row) for row in rows)


def test_what_is_cut_or_left_out_stands_beside_what_is_trained() -> None:
    assert "tokens trained 2.6k of 8.6k   300 cut" in drawn(TokenFlow(8600, 2600, 300))
    whole = drawn(TokenFlow(8600, 2600, 0))
    assert "tokens trained 2.6k of 8.6k" in whole and "cut" not in whole
    assert "tokens" not in drawn(None), "unknown before it trains"
    assert "tokens" not in drawn(TokenFlow(8600, 2600, 0), height=4), "the queue comes first where there is little room"


def test_the_figures_are_the_attempts_own(tmp_path: Path) -> None:
    folder = SaveFolder(tmp_path / "saves" / "main")
    folder.root.parent.mkdir()
    create_save(folder, load_hero("pip"), seed=1)
    try:
        with closing(open_save(folder, write=True)) as conn:
            write_story(conn, folder)
        with closing(SaveSource(folder)) as source:
            source.opening()
            found = {quest.name: quest.tokens for quest in source.read().quests}
    finally:
        clock.use()
    assert found == {"chats": TokenFlow(8600, 2600, 300), "later": None}

"""A copy a day, and no more than are wanted."""

from __future__ import annotations

import sqlite3

from configs.paths import SaveFolder
from saves.backups import back_up, backups, daily_backup
from saves.connection import SaveConnection, transaction
from tests.saves import facts
from tests.saves.conftest import Clock


def test_one_copy_a_day_and_only_the_newest_stay(folder: SaveFolder, time: Clock) -> None:
    risky = back_up(folder, reason="schema-1")
    for _ in range(5):
        assert daily_backup(folder, 3) is not None
        time.move(60)
        assert daily_backup(folder, 3) is None, "once a day"
        time.move(86_400)
    daily = [p for p in backups(folder) if p.stem.endswith("-daily")]
    assert len(daily) == 3 and daily[0].name.startswith("20251126")
    assert risky.is_file(), "a copy made before something risky is not thinned"


def test_a_copy_made_while_the_save_is_written_is_whole(folder: SaveFolder, save: SaveConnection) -> None:
    run = facts.begin(save)
    facts.train(save, run, 1, 500)
    with transaction(save):
        facts.train(save, run, 501, 1000)
        copy = back_up(folder)
    conn = sqlite3.connect(copy)
    assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert conn.execute("SELECT sum(steps) FROM step_windows").fetchone()[0] == 500
    conn.close()
    assert [p.name for p in folder.backups.iterdir()] == [copy.name]

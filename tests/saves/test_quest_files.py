"""The file of a done quest may go only when no kept form and no other quest can need it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from configs import clock
from configs.errors import BlockedError
from configs.garrison import GroundsRules
from configs.loader import load_hero
from configs.paths import SaveFolder
from realm_tui.runtime import board
from realm_tui.runtime.groundskeeper import sweep
from saves import ledger, quests, runs
from saves.database import create_save, open_save
from saves.quest_files import spent_files
from tests.saves import facts

DAY = 86_400.0
DONE = {"reasons": ("quest",)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SaveFolder]:
    """A newborn's save."""
    monkeypatch.setenv("REALM_HOME", str(tmp_path))
    monkeypatch.delenv("REALM_SAVE", raising=False)
    found = SaveFolder.named("main")
    create_save(found, load_hero("pip"), seed=1)
    yield found
    clock.use()


@pytest.fixture
def conn(folder: SaveFolder) -> Iterator[sqlite3.Connection]:
    with closing(open_save(folder, write=True)) as found:
        yield found


def quest(conn: sqlite3.Connection, folder: SaveFolder, name: str) -> int:
    (folder.quests / f"{name}.jsonl").write_text('{"text": "x"}\n')
    return quests.add_quest(
        conn, name=name, file=f"{name}.jsonl", digest=name, format="text", counts={"examples": 1}, source="test"
    )


def train(conn: sqlite3.Connection, number: int, run: int, first: int, last: int, state: str = "completed") -> None:
    attempt = quests.start_attempt(conn, number, run, first_step=first)
    quests.finish_attempt(conn, attempt, state, last_step=last)


def spent(conn: sqlite3.Connection) -> set[str]:
    return {one.file for one in spent_files(conn)}


def test_a_done_quest_is_spent_once_every_kept_form_has_it_behind_itself(
    conn: sqlite3.Connection, folder: SaveFolder
) -> None:
    run = facts.begin(conn)
    train(conn, quest(conn, folder, "tale"), run, 10, 20)
    assert spent(conn) == set()  # nothing is kept from which training could go on
    early = facts.checkpoint(conn, run, 15)
    facts.checkpoint(conn, run, 20, **DONE)
    assert spent(conn) == set()  # the form of step 15 stands in the middle of it
    ledger.mark_deleted(conn, early.id)
    assert spent(conn) == {"tale.jsonl"}


def test_a_form_of_its_last_step_that_did_not_see_it_end_keeps_it(conn: sqlite3.Connection, folder: SaveFolder) -> None:
    run = facts.begin(conn)
    train(conn, quest(conn, folder, "tale"), run, 10, 20)
    facts.checkpoint(conn, run, 20, reasons=("anchor",))
    assert spent(conn) == set()


@pytest.mark.parametrize("state", ["failed", "skipped", "interrupted", None])
def test_what_did_not_end_well_may_be_tried_again_and_stays(
    conn: sqlite3.Connection, folder: SaveFolder, state: str | None
) -> None:
    run = facts.begin(conn)
    number = quest(conn, folder, "tale")
    if state is not None:
        train(conn, number, run, 10, 20, state)
    facts.checkpoint(conn, run, 30, **DONE)
    assert spent(conn) == set()


def test_a_second_quest_of_the_same_file_keeps_it_until_it_is_done_too(
    conn: sqlite3.Connection, folder: SaveFolder
) -> None:
    run = facts.begin(conn)
    first = quest(conn, folder, "tale")
    train(conn, first, run, 10, 20)
    facts.checkpoint(conn, run, 30, **DONE)
    second = quests.again(conn, first)
    assert spent(conn) == set()
    train(conn, second, run, 31, 40)
    assert spent(conn) == set()  # the form of step 30 would train it again
    last = facts.checkpoint(conn, run, 40, **DONE)
    for form in ledger.kept_checkpoints(conn):
        if form.id != last.id:
            ledger.mark_deleted(conn, form.id)
    assert spent(conn) == {"tale.jsonl"}


def test_going_back_before_it_makes_it_wait_again_and_a_way_that_was_left_keeps_it(
    conn: sqlite3.Connection, folder: SaveFolder
) -> None:
    run = facts.begin(conn)
    form = facts.checkpoint(conn, run, 5)
    train(conn, quest(conn, folder, "tale"), run, 10, 20)
    facts.checkpoint(conn, run, 20, **DONE)
    runs.go_back(conn, form, pid=1)
    assert quests.quest(conn, "tale").state == "queued" and spent(conn) == set()


def test_the_sweep_takes_old_ones_after_a_dry_run_and_leaves_the_rest(
    conn: sqlite3.Connection, folder: SaveFolder
) -> None:
    run = facts.begin(conn)
    for place, name in enumerate(("old", "older", "new", "waits")):
        number = quest(conn, folder, name)
        if name != "waits":
            train(conn, number, run, 10 * place + 1, 10 * place + 10)
    facts.checkpoint(conn, run, 40, **DONE)
    conn.execute("UPDATE quest_attempts SET ended_at = ended_at - ? WHERE first_step < 20", (8 * DAY,))
    (folder.quests / "old.jsonl.meta.json").write_text("{}")
    rules = GroundsRules.model_validate({})

    def swept(dry: bool, rules: GroundsRules = rules) -> int:
        return next(s.count for s in sweep(folder, rules, dry=dry) if s.what == "files of done quests")

    before = sorted(p.name for p in folder.quests.iterdir())
    assert swept(True) == 3 and sorted(p.name for p in folder.quests.iterdir()) == before
    assert swept(False) == 3
    assert sorted(p.name for p in folder.quests.iterdir()) == ["new.jsonl", "waits.jsonl"]
    assert swept(False) == 0
    assert swept(False, GroundsRules.model_validate({"quest_files": 0})) == 1
    assert [p.name for p in folder.quests.iterdir()] == ["waits.jsonl"]
    assert len(quests.quests(conn)) == 4  # the board and its history stay whole
    with pytest.raises(BlockedError) as gone:
        board.again(folder, "old")
    assert gone.value.code == "QUEST_FILE_GONE"
    assert quests.quest(conn, "old").state == "completed" and len(quests.quests(conn)) == 4

"""How a file comes onto the board: by hand and through the inbox."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from configs import clock
from configs.errors import BlockedError, UsageError
from configs.loader import load_hero
from configs.paths import SaveFolder
from configs.schema import QuestRules
from engine.quests.board import import_quest, scan_inbox
from engine.quests.fileformat import QuestRefusedError
from engine.quests.reader import reader_for
from saves import quests
from tests.quests.conftest import chat, write_lines


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "My songs!.jsonl", chat("sing", "la la"), chat("again", "la"))


def test_a_file_is_copied_and_listed_and_stays_untouched(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules, mine: Path
) -> None:
    before = mine.read_bytes(), mine.stat().st_mtime_ns
    quest = import_quest(save, folder, mine, rules, priority="high", epochs=3, source="test")
    assert (quest.name, quest.file, quest.state) == ("My-songs", "My-songs.jsonl", "queued")
    assert (quest.priority, quest.epochs, quest.format, quest.source) == ("high", 3, "messages", "test")
    assert quest.counts["examples"] == 2
    assert (folder.quests / quest.file).read_bytes() == before[0]
    assert (mine.read_bytes(), mine.stat().st_mtime_ns) == before
    mine.write_text("changed later")
    assert (folder.quests / quest.file).read_bytes() == before[0]
    assert [p.name for p in folder.quests.iterdir()] == [quest.file]


def test_nothing_overwrites_a_name(save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules, mine: Path) -> None:
    (folder.quests / "My-songs.jsonl").write_text("left by someone")
    names = [import_quest(save, folder, mine, rules).name for _ in range(2)]
    assert names == ["My-songs-2", "My-songs-3"]
    assert (folder.quests / "My-songs.jsonl").read_text() == "left by someone"
    assert import_quest(save, folder, mine, rules, name="songs").name == "songs"
    with pytest.raises(UsageError, match="already exists"):
        import_quest(save, folder, mine, rules, name="songs")
    assert len(quests.quests(save)) == 3


@pytest.mark.parametrize("name", ["../out", "", ".hidden", "a/b", "x" * 61, "sp ace"])
def test_a_name_cannot_leave_the_save(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules, mine: Path, name: str
) -> None:
    with pytest.raises(UsageError):
        import_quest(save, folder, mine, rules, name=name)
    assert not list(folder.quests.iterdir())


@pytest.mark.parametrize("wrong", [{"priority": "urgent"}, {"epochs": 0}])
def test_wrong_orders_are_refused(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules, mine: Path, wrong: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        import_quest(save, folder, mine, rules, **wrong)  # type: ignore[arg-type]


def test_a_refused_file_leaves_nothing_behind_and_names_its_lines(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules, tmp_path: Path
) -> None:
    bad = write_lines(tmp_path / "bad.jsonl", chat("a", "b"), {"messages": []}, {"text": "c"})
    with pytest.raises(QuestRefusedError, match=r"bad\.jsonl, line 2: .*1 other line") as caught:
        import_quest(save, folder, bad, rules)
    assert [e.line for e in caught.value.report.errors] == [2, 3]
    assert caught.value.fix
    assert not list(folder.quests.iterdir()) and not quests.quests(save)
    assert bad.exists()


def test_an_example_too_long_is_refused(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules, mine: Path
) -> None:
    pip = load_hero("pip")
    short = pip.model_copy(update={"model": pip.model.model_copy(update={"context_length": 4})})
    with pytest.raises(QuestRefusedError, match="line 1: too long"):
        import_quest(save, folder, mine, rules, reader=reader_for(short))


def test_a_full_disk_adds_nothing_and_says_so(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.quests.board.os.fsync", full)
    with pytest.raises(BlockedError, match="free some disk space"):
        import_quest(save, folder, mine, rules)
    assert not list(folder.quests.iterdir())


def test_a_file_that_grows_while_it_is_read_is_not_taken(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def grow(descriptor: int) -> None:
        with mine.open("a") as file:
            file.write('{"messages": [')
        real(descriptor)

    monkeypatch.setattr("engine.quests.board.os.fsync", grow)
    with pytest.raises(BlockedError, match="changed while it was read"):
        import_quest(save, folder, mine, rules)
    assert not list(folder.quests.iterdir())


# ---------------------------------------------------------------- inbox


def test_a_file_in_the_inbox_becomes_a_quest_and_leaves_the_inbox(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules
) -> None:
    write_lines(folder.inbox / "one.jsonl", chat("a", "b"))
    (folder.inbox / "deep" / "er").mkdir(parents=True)
    write_lines(folder.inbox / "deep" / "er" / "one.jsonl", {"text": "raw"})
    results = scan_inbox(save, folder, rules)
    assert [(r.file, r.quest.name if r.quest else None) for r in results] == [
        ("deep/er/one.jsonl", "one"),
        ("one.jsonl", "one-2"),
    ]
    assert [q.source for q in quests.quests(save)] == ["inbox/deep/er/one.jsonl", "inbox/one.jsonl"]
    assert not [p for p in folder.inbox.rglob("*") if p.is_file()]
    assert scan_inbox(save, folder, rules) == []


def test_a_copy_that_still_runs_is_left_alone(save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules) -> None:
    path = write_lines(folder.inbox / "slow.jsonl", chat("a", "b"))
    patient = rules.model_copy(update={"stable_s": 2.0})
    changed = path.stat().st_ctime
    try:
        clock.use(now=lambda: changed + 1.0)
        assert [r.waiting is not None for r in scan_inbox(save, folder, patient)] == [True]
        with path.open("a") as file:
            file.write('{"messages": [{"role": "us')
        changed = path.stat().st_ctime
        clock.use(now=lambda: changed + 30.0)
        (result,) = scan_inbox(save, folder, patient)
        assert result.waiting and "cut off" in result.waiting and path.exists()
        clock.use(now=lambda: changed + 61.0)
        (result,) = scan_inbox(save, folder, patient)
        assert result.refused
    finally:
        clock.use()
    for name in (".hidden.jsonl", "x.jsonl.part", "y.crdownload", "z.jsonl~"):
        write_lines(folder.inbox / name, chat("a", "b"))
    assert scan_inbox(save, folder, rules) == []


def test_what_cannot_become_a_quest_is_set_aside_with_the_reason(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules, tmp_path: Path
) -> None:
    secret = write_lines(tmp_path / "secret.jsonl", chat("a", "b"))
    for _ in range(2):
        (folder.inbox / "link.jsonl").symlink_to(secret)
        (folder.inbox / "away").symlink_to(tmp_path)
        write_lines(folder.inbox / "bad.jsonl", chat("a", "b"), {"messages": []})
        results = {r.file: r for r in scan_inbox(save, folder, rules)}
        assert results["link.jsonl"].refused and results["away"].refused
        assert results["bad.jsonl"].refused and "line 2" in results["bad.jsonl"].refused
    refused = folder.inbox / "refused"
    names = {p.name for p in refused.iterdir()}
    kept = {"link.jsonl", "link-2.jsonl", "away", "away-2", "bad.jsonl", "bad-2.jsonl"}
    assert names == kept | {f"{name}.txt" for name in kept}
    assert "line 2: `messages` is empty" in (refused / "bad.jsonl.txt").read_text()
    assert (refused / "bad.jsonl").read_text().count("\n") == 2
    assert secret.exists() and not quests.quests(save)
    assert scan_inbox(save, folder, rules) == []


def test_a_crash_before_the_inbox_is_emptied_counts_the_quest_once(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(folder.inbox / "one.jsonl", chat("a", "b"))
    real = Path.unlink

    def crash(self: Path, missing_ok: bool = False) -> None:
        if self == path:
            raise KeyboardInterrupt
        real(self, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", crash)
        with pytest.raises(KeyboardInterrupt):
            scan_inbox(save, folder, rules)
    assert path.exists() and len(quests.quests(save)) == 1
    (result,) = scan_inbox(save, folder, rules)
    assert result.quest and result.quest.name == "one"
    assert not path.exists() and len(quests.quests(save)) == 1


def test_dropping_the_same_file_again_later_is_a_new_quest(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules
) -> None:
    clock.use(now=lambda: 1_000_000.0)  # the first quest was made long before the second file was dropped
    try:
        for _ in range(2):
            write_lines(folder.inbox / "one.jsonl", chat("a", "b"))
            (result,) = scan_inbox(save, folder, rules)
            assert result.quest
    finally:
        clock.use()
    assert [q.name for q in quests.quests(save)] == ["one", "one-2"]


def test_only_one_process_empties_the_inbox(save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules) -> None:
    write_lines(folder.inbox / "one.jsonl", chat("a", "b"))
    code = (
        "import sys; from pathlib import Path; from saves.locks import FileLock;"
        "assert FileLock(Path(sys.argv[1])).acquire(); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(folder.run / "inbox.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        assert scan_inbox(save, folder, rules) == []
        other.communicate("")
    assert [r.quest is not None for r in scan_inbox(save, folder, rules)] == [True]


def test_what_a_killed_import_left_in_the_save_is_swept(
    save: sqlite3.Connection, folder: SaveFolder, rules: QuestRules
) -> None:
    old, young = folder.quests / ".part-a.jsonl", folder.quests / ".part-b.jsonl"
    old.write_text("half")
    young.write_text("half")
    os.utime(old, (1.0, 1.0))
    scan_inbox(save, folder, rules)
    assert not old.exists() and young.exists()

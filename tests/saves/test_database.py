"""A save opens or says why it does not; nothing durable is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from configs.errors import BlockedError, RealmError, UsageError
from configs.loader import load_hero
from configs.paths import SaveFolder
from saves import campaigns, database, exams, filesystem, migrations, steps
from saves.backups import backups
from saves.connection import SaveConnection, transaction
from saves.database import create_save, open_save
from saves.locks import FileLock
from tests.saves import facts


def test_a_new_save_holds_its_hero_and_one_active_campaign(folder: SaveFolder) -> None:
    conn = open_save(folder, write=False)
    campaign = campaigns.active_campaign(conn)
    conn.close()
    assert (campaign.id, campaign.hero_id, campaign.seed) == ("campaign-001", "pip-hatchling", 7)
    assert campaign.hero["training"]["optimizer"] == "muon"
    assert folder.root.stat().st_mode & 0o077 == 0
    rooms = {p.name for p in folder.root.iterdir() if p.is_dir()}
    assert rooms == {"checkpoints", "quests", "inbox", "run", "backups", "logs"}


def test_a_save_is_never_made_over_another(folder: SaveFolder) -> None:
    before = folder.database.read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        create_save(folder, load_hero("pip"), seed=8)
    assert folder.database.read_bytes() == before


def test_a_missing_save_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(RealmError) as caught:
        open_save(SaveFolder(tmp_path / "none"), write=False)
    assert caught.value.code == "NO_SAVE" and "realm play" in caught.value.fix
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("content", [b"", b"this is not a database, but long enough to have a header. " * 10])
def test_a_file_that_is_no_save_is_refused(folder: SaveFolder, content: bytes) -> None:
    folder.database.write_bytes(content)
    with pytest.raises(RealmError) as caught:
        open_save(folder, write=True)
    assert caught.value.code == "SAVE_BROKEN" and "backups/" in caught.value.fix
    assert folder.database.read_bytes() == content


def test_a_database_of_another_program_is_refused(folder: SaveFolder) -> None:
    folder.database.unlink()
    other = sqlite3.connect(folder.database)
    other.execute("CREATE TABLE things (name)")
    other.close()
    with pytest.raises(RealmError, match="not a save of this game"):
        open_save(folder, write=True)


def test_damage_in_the_middle_is_a_clear_message_when_it_is_met(folder: SaveFolder) -> None:
    conn = open_save(folder, write=True)
    facts.train(conn, facts.begin(conn), 1, 100_000)
    conn.close()
    size = folder.database.stat().st_size
    with folder.database.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size // 2))
    with pytest.raises(RealmError) as caught:
        open_save(folder, write=False).execute("SELECT sum(steps) FROM step_windows").fetchone()
    assert caught.value.code == "SAVE_BROKEN"


def test_a_newer_save_is_refused_and_untouched(folder: SaveFolder) -> None:
    raw = sqlite3.connect(folder.database)
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    before = folder.database.read_bytes()
    for write in (False, True):
        with pytest.raises(RealmError) as caught:
            open_save(folder, write=write)
        assert caught.value.code == "SAVE_NEWER"
    assert folder.database.read_bytes() == before


def _with_steps(monkeypatch: pytest.MonkeyPatch, *more: tuple[str, ...]) -> None:
    monkeypatch.setattr(database, "STEPS", (*migrations.STEPS, *more))


def test_an_older_save_is_backed_up_and_migrated(folder: SaveFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_steps(monkeypatch, ("ALTER TABLE campaigns ADD COLUMN motto TEXT",), ("UPDATE campaigns SET motto = 'on'",))
    conn = open_save(folder, write=False)
    assert conn.execute("SELECT motto FROM campaigns").fetchone()[0] == "on"
    assert conn.execute("PRAGMA user_version").fetchone()[0] == len(migrations.STEPS) + 2
    conn.close()
    copy = sqlite3.connect(backups(folder)[0])
    assert copy.execute("PRAGMA user_version").fetchone()[0] == len(migrations.STEPS)
    copy.close()


def test_windows_of_an_older_save_do_not_know_where_their_seconds_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "STEPS", migrations.STEPS[:6])
    folder = SaveFolder(tmp_path / "older")
    create_save(folder, load_hero("pip"), seed=7)
    raw = sqlite3.connect(folder.database)
    raw.execute(
        """INSERT INTO runs (id, campaign_id, first_step, pid, environment_json, started_at)
           VALUES (1, 'campaign-001', 0, 1, '{}', 0.0)"""
    )
    known = {
        k: v
        for k, v in asdict(facts.window(1, 1, 50)).items()
        if k not in ("data_s", "compute_s", "forward_s", "update_s")
    }
    raw.execute(
        f"INSERT INTO step_windows ({', '.join(known)}) VALUES ({', '.join('?' * len(known))})", (*known.values(),)
    )
    raw.commit()
    raw.close()
    monkeypatch.undo()
    conn = open_save(folder, write=True)
    facts.train(conn, 1, 51, 100, data_s=1.0, compute_s=30.0, update_s=10.0)
    old, new = steps.windows(conn, "campaign-001")
    lived = conn.execute(
        "SELECT data_s, forward_s, run_campaign_id FROM live_step_windows ORDER BY last_step"
    ).fetchall()
    conn.close()
    assert old == facts.window(1, 1, 50) and old.data_s is None and old.update_s is None
    assert (new.data_s, new.compute_s, new.forward_s, new.update_s) == (1.0, 30.0, None, 10.0)
    assert [tuple(row) for row in lived] == [(None, None, "campaign-001"), (1.0, None, "campaign-001")]


def test_a_failed_migration_leaves_the_old_version(folder: SaveFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_steps(monkeypatch, ("CREATE TABLE relics (id INTEGER PRIMARY KEY) STRICT", "INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(RealmError) as caught:
        open_save(folder, write=True)
    assert caught.value.code == "MIGRATION_FAILED" and "stays as it was" in caught.value.what
    monkeypatch.undo()
    raw = sqlite3.connect(folder.database)
    assert raw.execute("PRAGMA user_version").fetchone()[0] == len(migrations.STEPS)
    assert raw.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'relics'").fetchone()[0] == 0
    raw.close()


def test_a_migration_that_breaks_a_reference_is_undone(folder: SaveFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_steps(monkeypatch, ("PRAGMA defer_foreign_keys = ON", "UPDATE campaigns SET starting_checkpoint_id = 77"))
    with pytest.raises(RealmError, match="could not be upgraded"):
        open_save(folder, write=True)
    raw = sqlite3.connect(folder.database)
    assert raw.execute("SELECT starting_checkpoint_id FROM campaigns").fetchone()[0] is None
    raw.close()


def test_a_save_of_the_first_schema_keeps_its_exams_and_their_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = SaveFolder(tmp_path / "old")
    monkeypatch.setattr(database, "STEPS", migrations.STEPS[:1])
    create_save(folder, load_hero("pip"), seed=7)
    old = open_save(folder, write=True)
    with transaction(old):
        old.execute(
            """INSERT INTO runs (id, campaign_id, first_step, pid, environment_json, started_at)
               VALUES (1, 'campaign-001', 0, 1, '{}', 1.0)"""
        )
        old.execute(
            """INSERT INTO exams VALUES (5, 1, 25, 'bin', 1, 'hatchling', 'gate', 0, 1, 1, 0, 0, 1, '{}', '{}', 'C', 'ema', 0, 0.1, 2.0)"""
        )
        old.execute("INSERT INTO exam_items VALUES (5, 0, 0, 'add', 'easy', 'd', 'p', 'e', 'e', 'crit', 1, 0)")
    old.close()
    monkeypatch.undo()
    conn = open_save(folder, write=True)
    taken = exams.exam(conn, 5)
    assert taken is not None and (taken.kind, taken.sequence, taken.plan, taken.checkpoint_id) == (
        "gate",
        "C",
        "",
        None,
    )
    assert [i.operation for i in exams.exam_items(conn, 5)] == ["add"]
    assert exams.recent_exams(conn, "campaign-001") == [taken]
    campaign = campaigns.active_campaign(conn)
    assert (campaign.parent_id, campaign.summary, campaign.completed_at) == (None, {}, None)
    assert conn.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    conn.close()


_HOLD = """
import sys
from pathlib import Path
from saves.locks import FileLock
print(FileLock(Path(sys.argv[1])).acquire(), flush=True)
sys.stdin.read()
"""


def test_no_migration_while_an_engine_holds_the_save(folder: SaveFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_steps(monkeypatch, ("ALTER TABLE campaigns ADD COLUMN motto TEXT",))
    engine = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder.keeper_lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert engine.stdin and engine.stdout and engine.stdout.readline() == "True\n"
    with pytest.raises(BlockedError) as caught:
        open_save(folder, write=True)
    assert caught.value.code == "ENGINE_RUNNING" and "realm stop" in caught.value.fix
    engine.stdin.close()
    engine.stdout.close()
    engine.wait(60)
    open_save(folder, write=True).close()
    # Nothing stays locked behind the migration.
    assert FileLock(folder.trainer_lock).acquire()
    FileLock(folder.trainer_lock).release()


def test_a_network_disk_is_refused_with_the_reason(folder: SaveFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    table = folder.root / "mountinfo"
    table.write_text(
        "21 1 8:1 / / rw - ext4 /dev/vda rw\n"
        f"30 21 0:50 / {folder.root.parent} rw shared:5 - nfs4 box:/home rw,vers=4.2\n"
    )
    monkeypatch.setattr(filesystem, "MOUNTS", table)
    with pytest.raises(RealmError) as caught:
        open_save(folder, write=False)
    assert caught.value.code == "NETWORK_DISK" and "nfs4" in caught.value.what and "REALM_HOME" in caught.value.fix


def test_the_innermost_mount_decides(tmp_path: Path) -> None:
    odd = tmp_path / "my saves"
    odd.mkdir()
    escaped = str(odd).replace(" ", "\\040")
    table = f"1 1 0:1 / / rw - nfs4 a:/ rw\n2 1 0:2 / {tmp_path} rw - cifs b rw\n3 1 0:3 / {escaped} rw - xfs c rw\n"
    assert filesystem.filesystem_of(odd, table) == "xfs"
    assert filesystem.filesystem_of(tmp_path, table) == "cifs"


def test_a_transaction_happens_as_a_whole_or_not_at_all(save: SaveConnection) -> None:
    with pytest.raises(RuntimeError), transaction(save):
        campaigns.set_setting(save, "names", "plain")
        with transaction(save, durable=True):
            campaigns.mark_seen(save, "away", {"step": 3})
        raise RuntimeError
    assert campaigns.get_setting(save, "names") is None and campaigns.last_seen(save, "away") is None
    with transaction(save):
        campaigns.set_setting(save, "names", "plain")
    assert campaigns.settings(save) == {"names": "plain"}


def test_only_what_must_survive_a_power_cut_waits_for_the_disk(
    save: SaveConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def watch(fd: int) -> None:
        assert not save.in_transaction, "synced before it was committed"
        synced.append(f"{os.fstat(fd).st_ino}")
        real(fd)

    monkeypatch.setattr(os, "fsync", watch)
    log = str(Path(f"{save.path}-wal").stat().st_ino)
    with transaction(save):
        campaigns.set_setting(save, "names", "plain")
    assert synced == []
    with transaction(save, durable=True):
        campaigns.set_setting(save, "names", "tavern")
    assert synced == [log]
    with transaction(save):
        facts.begin(save)  # durable in itself, inside one that is not
        campaigns.set_setting(save, "names", "plain")
    assert synced == [log, log]


def test_a_busy_save_is_blocked_not_broken(folder: SaveFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    one, two = open_save(folder, write=True), open_save(folder, write=True)
    with transaction(one), pytest.raises(BlockedError, match="busy"):
        campaigns.set_setting(two, "names", "plain")
    campaigns.set_setting(two, "names", "plain")
    one.close()
    two.close()


def test_a_full_disk_is_blocked_and_loses_nothing_that_was_there(save: SaveConnection) -> None:
    run = facts.begin(save)
    facts.train(save, run, 1, 100)
    pages = save.execute("PRAGMA page_count").fetchone()[0]
    save.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(BlockedError) as caught:
        facts.train(save, run, 101, 100_000)
    assert caught.value.code == "DISK_FULL" and not save.in_transaction
    save.execute("PRAGMA max_page_count = 1000000")
    reached = steps.totals(save, facts.CAMPAIGN).live.last_step
    assert reached is not None and reached >= 100
    facts.train(save, run, reached + 1, reached + 50)


_WRITER = """
import sys
from pathlib import Path
from configs.paths import SaveFolder
from saves import journal
from saves.database import open_save
conn = open_save(SaveFolder(Path(sys.argv[1])), write=True)
while True:
    entry = journal.add(conn, 1, 1, "set", {"note": "x" * 500}, changes_training=True)
    print(entry.seq, flush=True)
"""


def test_kill_minus_nine_of_a_writer_loses_no_durable_commit(folder: SaveFolder) -> None:
    conn = open_save(folder, write=True)
    facts.begin(conn)
    conn.close()
    told = 0
    for rounds in range(1, 4):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(folder.root)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        for _ in range(20 * rounds):
            told = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        told = max([told, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        writer.stdout.close()
        assert writer.wait(60) == -signal.SIGKILL
        conn = open_save(folder, write=True)
        assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        seqs = [row[0] for row in conn.execute("SELECT seq FROM journal ORDER BY seq").fetchall()]
        conn.close()
        assert seqs[-1] >= told and seqs == list(range(1, seqs[-1] + 1))

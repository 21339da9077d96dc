"""A save can be taken along and brought back whole; anything that was changed on the way is refused."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from configs.errors import BlockedError, RealmError, UsageError
from configs.paths import SaveFolder
from saves import archive, jobs, ledger, patrols, places, quests, restoring, steps, upkeep, workers
from saves.backups import back_up
from saves.database import open_save
from saves.locks import FileLock
from saves.verify import verify_save
from tests.saves import facts
from tests.saves.facts import CAMPAIGN


@pytest.fixture
def played(folder: SaveFolder) -> SaveFolder:
    """A save with history, three forms (the second is champion), a quest and its file."""
    with closing(open_save(folder, write=True)) as conn:
        run = facts.begin(conn)
        facts.train(conn, run, 1, 300)
        forms = [facts.form(folder, conn, run, step) for step in (100, 200, 300)]
        exam = facts.exam(conn, run, 200)
        (folder.root / "champions").mkdir()
        shutil.copytree(folder.root / forms[1].path, folder.root / "champions" / forms[1].name)
        ledger.crown(conn, forms[1].id, exam, f"champions/{forms[1].name}")
        (folder.quests / "tales.jsonl").write_text('{"text": "once"}\n')
        quests.add_quest(
            conn,
            name="tales",
            file="tales.jsonl",
            digest="d" * 64,
            format="text",
            counts={"examples": 1},
            source="board",
        )
    assert verify_save(folder).ok
    return folder


def _rewritten(path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> Path:
    """A copy of an archive with its members passed through ``change``; None drops a member."""
    target = path.with_name("changed.tar.gz")
    with tarfile.open(path) as old, tarfile.open(target, "w:gz") as new:
        for member in old:
            stream = old.extractfile(member)
            assert stream is not None
            kept = change(member.name, stream.read())
            if kept is not None:
                info = tarfile.TarInfo(kept[0])
                info.size = len(kept[1])
                new.addfile(info, io.BytesIO(kept[1]))
    return target


def test_a_save_comes_back_as_it_was(played: SaveFolder, tmp_path: Path) -> None:
    done = archive.export_save(played, tmp_path / "hero.tar.gz")
    assert len(done.checkpoints) == 3 and done.bytes == (tmp_path / "hero.tar.gz").stat().st_size
    other = SaveFolder.named("other")
    back = restoring.import_save(tmp_path / "hero.tar.gz", other)
    assert (back.save, back.from_save, back.backup) == ("other", "main", None)
    with closing(open_save(played, write=False)) as a, closing(open_save(other, write=False)) as b:
        assert steps.windows(a, CAMPAIGN) == steps.windows(b, CAMPAIGN)
        assert ledger.kept_checkpoints(a) == ledger.kept_checkpoints(b)
        assert ledger.champion(a) == ledger.champion(b)
        assert quests.quests(a) == quests.quests(b)
        reigning = ledger.champion(b)
    assert reigning is not None and reigning.export_path is not None
    assert (other.root / reigning.export_path / "model.safetensors").is_file()
    assert (other.quests / "tales.jsonl").read_text() == '{"text": "once"}\n'
    assert verify_save(other).ok
    assert [e.name for e in upkeep.list_saves()] == ["main", "other"]
    assert not list(tmp_path.glob("realm/saves/.part*")) and not list(played.root.glob(".part*"))


def test_an_archive_brings_no_work_no_servers_and_no_boxes_along(
    played: SaveFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_save(played, write=True)) as conn:
        done = jobs.submit(conn, "report", {})
        assert jobs.claim(conn, "me", ["report"]) and jobs.complete(conn, done.id, "me", {"file": "x"})
        waits = jobs.submit(conn, "data_convert", {"file": "a.csv", "out": "/anywhere"})
        patrols.begin_task(conn, "figures", job_id=waits.id)
        patrols.looked(conn, "hub", "healthy", {}, [patrols.Called("disk", "low", "it is full")])
        workers.put(conn, workers.Worker(
            id="hub-openai", box="arena", kind="openai", strict=False, address="https://elsewhere.example", origin="adopted",
            state="up", created_at=1.0,
        ))  # fmt: skip
        places.put(conn, places.Place(digest="a" * 64, box="hub", path="/x", bytes=1, state="whole"))
    with monkeypatch.context() as patch:  # as somebody else may have made it
        patch.setattr(archive, "strike_machine", lambda conn: None)
        archive.export_save(played, tmp_path / "hero.tar.gz")
    other = SaveFolder.named("other")
    restoring.import_save(tmp_path / "hero.tar.gz", other)
    archive.export_save(played, tmp_path / "own.tar.gz")
    with tarfile.open(tmp_path / "own.tar.gz") as packed:
        packed.extract("realm.db", tmp_path / "own", filter="data")
    with (
        closing(open_save(other, write=False)) as there,
        closing(sqlite3.connect(tmp_path / "own" / "realm.db")) as own,
    ):
        for one in (there, own):
            for table in ("workers", "checkpoint_places", "patrols", "alerts"):
                assert one.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0, table
            assert [r[0] for r in one.execute("SELECT kind FROM jobs").fetchall()] == ["report"]
            assert [r[0] for r in one.execute("SELECT outcome FROM task_runs").fetchall()] == ["gone"]


@pytest.mark.parametrize(("keep", "left"), [("none", []), ("champion", [200])])
def test_fewer_forms_can_be_taken_along(
    played: SaveFolder, tmp_path: Path, keep: archive.Keep, left: list[int]
) -> None:
    archive.export_save(played, tmp_path / "hero.tar.gz", keep=keep)
    other = SaveFolder.named("other")
    restoring.import_save(tmp_path / "hero.tar.gz", other)
    with closing(open_save(other, write=False)) as conn:
        assert [c.step for c in ledger.live_checkpoints(conn, CAMPAIGN)] == left
        assert (ledger.champion(conn) is not None) == bool(left)
    assert verify_save(other).ok
    with closing(open_save(played, write=False)) as conn:
        assert len(ledger.live_checkpoints(conn, CAMPAIGN)) == 3, "the save itself is untouched"


def _flip(name: str, content: bytes) -> tuple[str, bytes]:
    return name, content[:-1] + bytes([content[-1] ^ 1]) if name.endswith("model.safetensors") else content


def _shorten(name: str, content: bytes) -> tuple[str, bytes]:
    return name, content[:-1] if name == "realm.db" else content


def _drop(name: str, content: bytes) -> tuple[str, bytes] | None:
    return None if name.endswith("state.json") else (name, content)


def _rename(name: str, content: bytes) -> tuple[str, bytes]:
    return ("../../escaped" if name.endswith("tales.jsonl") else name), content


def _in_manifest(change: Callable[[dict[str, Any]], None]) -> Callable[[str, bytes], tuple[str, bytes]]:
    def rewrite(name: str, content: bytes) -> tuple[str, bytes]:
        if name != "manifest.json":
            return name, content
        data = json.loads(content)
        change(data)
        return name, json.dumps(data).encode()

    return rewrite


def _escape(data: dict[str, Any]) -> None:
    data["files"]["quests/../../../escaped"] = data["files"].pop("quests/tales.jsonl")


def _elsewhere(data: dict[str, Any]) -> None:
    data["files"]["run/keeper.lock"] = data["files"].pop("quests/tales.jsonl")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_flip, "differs from its digest"),
        (_shorten, "not what the manifest lists"),
        (_drop, "is missing"),
        (_rename, "not what the manifest lists"),
        (_in_manifest(_escape), "no save holds"),
        (_in_manifest(_elsewhere), "no save holds"),
    ],
    ids=["flipped bit", "short database", "missing file", "escaping member", "escaping name", "foreign room"],
)
def test_a_changed_archive_is_refused_and_changes_nothing(
    played: SaveFolder, tmp_path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None], why: str
) -> None:
    archive.export_save(played, tmp_path / "hero.tar.gz")
    restoring.import_save(_rewritten(tmp_path / "hero.tar.gz", lambda n, c: (n, c)), SaveFolder.named("control"))
    before = sorted(p for p in (tmp_path / "realm").rglob("*"))
    with pytest.raises(RealmError) as caught:
        restoring.import_save(_rewritten(tmp_path / "hero.tar.gz", change), played, replace=True)
    assert caught.value.code == "ARCHIVE_REFUSED" and why in caught.value.why
    assert sorted(p for p in (tmp_path / "realm").rglob("*")) == before
    assert not (tmp_path / "escaped").exists() and verify_save(played).ok


def test_a_link_in_an_archive_is_refused(played: SaveFolder, tmp_path: Path) -> None:
    archive.export_save(played, tmp_path / "hero.tar.gz")
    target = tmp_path / "linked.tar.gz"
    with tarfile.open(tmp_path / "hero.tar.gz") as old, tarfile.open(target, "w:gz") as new:
        for member in old:
            if member.name == "quests/tales.jsonl":
                member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0
                new.addfile(member)
            else:
                new.addfile(member, old.extractfile(member))
    with pytest.raises(RealmError, match="refused"):
        restoring.import_save(target, SaveFolder.named("other"))
    assert not SaveFolder.named("other").root.exists()


def test_what_is_no_archive_or_from_a_newer_version_says_so(played: SaveFolder, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not an archive")
    with pytest.raises(UsageError, match="not an archive"):
        restoring.import_save(tmp_path / "notes.txt", SaveFolder.named("other"))
    archive.export_save(played, tmp_path / "hero.tar.gz")
    newer = _rewritten(tmp_path / "hero.tar.gz", _in_manifest(lambda d: d.update(schema=99)))
    with pytest.raises(RealmError) as caught:
        restoring.import_save(newer, SaveFolder.named("other"))
    assert caught.value.code == "SAVE_NEWER"
    whole = (tmp_path / "hero.tar.gz").read_bytes()
    (tmp_path / "half.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RealmError, match="refused"):
        restoring.import_save(tmp_path / "half.tar.gz", SaveFolder.named("other"))
    assert not SaveFolder.named("other").root.exists()


def test_a_database_that_breaks_the_laws_is_not_swapped_in(played: SaveFolder, tmp_path: Path) -> None:
    with closing(open_save(played, write=True)) as conn:
        conn.execute("UPDATE step_windows SET steps = steps + 1 WHERE first_step = 1")
    archive.export_save(played, tmp_path / "hero.tar.gz")
    with pytest.raises(RealmError, match="breaks the laws of a save"):
        restoring.import_save(tmp_path / "hero.tar.gz", SaveFolder.named("other"))
    assert not SaveFolder.named("other").root.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE quests SET file = '../../../escaped'",
        "UPDATE checkpoints SET name = '../../escaped' WHERE step = 200",
        "UPDATE checkpoints SET path = '../../../escaped' WHERE step = 200",
        "UPDATE champions SET export_path = '/tmp/escaped'",
    ],
)
def test_rows_that_lead_out_of_the_save_are_refused(played: SaveFolder, tmp_path: Path, statement: str) -> None:
    archive.export_save(played, tmp_path / "hero.tar.gz")

    with tarfile.open(tmp_path / "hero.tar.gz") as tar:
        tar.extract("realm.db", tmp_path, filter="data")
    with closing(sqlite3.connect(tmp_path / "realm.db")) as raw, raw:
        raw.execute(statement)
    database = (tmp_path / "realm.db").read_bytes()

    def poison(name: str, content: bytes) -> tuple[str, bytes]:
        if name == "manifest.json":
            data = json.loads(content)
            data["files"]["realm.db"] = {"bytes": len(database), "sha256": hashlib.sha256(database).hexdigest()}
            content = json.dumps(data).encode()
        return name, database if name == "realm.db" else content

    with pytest.raises(RealmError, match="breaks the laws of a save"):
        restoring.import_save(_rewritten(tmp_path / "hero.tar.gz", poison), SaveFolder.named("other"))
    assert not SaveFolder.named("other").root.exists() and not list(tmp_path.rglob("escaped"))


def test_import_over_a_save_keeps_the_old_one_whole(played: SaveFolder, tmp_path: Path) -> None:
    archive.export_save(played, tmp_path / "hero.tar.gz")
    with closing(open_save(played, write=True)) as conn:
        run = facts.begin(conn, first_step=300)
        facts.train(conn, run, 301, 400)
    with pytest.raises(UsageError, match="already exists"):
        restoring.import_save(tmp_path / "hero.tar.gz", played)
    back = restoring.import_save(tmp_path / "hero.tar.gz", played, replace=True)
    assert back.backup is not None
    old = SaveFolder.named(back.backup)
    for folder, reached in ((played, 300), (old, 400)):
        with closing(open_save(folder, write=False)) as conn:
            assert steps.totals(conn, CAMPAIGN).live.last_step == reached
        assert verify_save(folder).ok
    assert not upkeep.engine_holds(played) and not upkeep.engine_holds(old)


def test_a_save_in_use_is_neither_replaced_nor_removed(played: SaveFolder, tmp_path: Path) -> None:
    archive.export_save(played, tmp_path / "hero.tar.gz")
    for path in (played.keeper_lock, played.trainer_lock, played.face_lock):
        lock = FileLock(path)
        assert lock.acquire()
        with pytest.raises(BlockedError, match="using the save main"):
            restoring.import_save(tmp_path / "hero.tar.gz", played, replace=True)
        with pytest.raises(BlockedError, match="using the save main"):
            upkeep.remove_save(played, really=True)
        lock.release()
    assert verify_save(played).ok and len(upkeep.list_saves()) == 1


def test_removing_is_a_dry_run_unless_it_is_meant(played: SaveFolder) -> None:
    entry = upkeep.remove_save(played, really=False)
    assert (entry.step, entry.checkpoints, entry.quests) == (300, 3, 1) and played.database.is_file()
    upkeep.remove_save(played, really=True)
    assert not played.root.exists() and upkeep.list_saves() == [] and list(played.root.parent.iterdir()) == []


def test_a_damaged_form_is_found_and_not_exported(played: SaveFolder, tmp_path: Path) -> None:
    with closing(open_save(played, write=False)) as conn:
        form = ledger.kept_checkpoints(conn)[0]
    weights = played.root / form.path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    report = verify_save(played)
    assert [(f.law, f.entity) for f in report.findings] == [("checkpoint", form.name)]
    with pytest.raises(RealmError, match="damaged"):
        archive.export_save(played, tmp_path / "hero.tar.gz")
    assert not (tmp_path / "hero.tar.gz").exists()
    assert list(tmp_path.glob(".part*")) == [] and list(played.root.glob(".part*")) == []


def test_a_copy_of_the_database_takes_its_place_again(played: SaveFolder) -> None:
    copy = back_up(played)
    with closing(open_save(played, write=True)) as conn:
        run = facts.begin(conn, first_step=300)
        facts.train(conn, run, 301, 400)
        later = facts.form(played, conn, run, 400)
        ledger.mark_deleted(conn, ledger.kept_checkpoints(conn)[0].id)
    gone = played.checkpoints / "checkpoint-100-20251124-1600"
    shutil.rmtree(gone)
    size = played.database.stat().st_size
    with played.database.open("r+b") as file:
        file.truncate(size // 2)
    report = verify_save(played)
    assert not report.ok and report.backup == copy.name

    replaced = restoring.restore_copy(copy, played)
    assert (played.backups / replaced).is_file()
    with closing(open_save(played, write=False)) as conn:
        assert steps.totals(conn, CAMPAIGN).live.last_step == 300
        assert [c.step for c in ledger.live_checkpoints(conn, CAMPAIGN)] == [200, 300]
    assert verify_save(played).ok
    assert [p.name for p in (played.root / "set-aside").glob("*/*")] == [later.name], "nothing of the hero is lost"


def test_a_damaged_copy_is_not_put_back(played: SaveFolder) -> None:
    copy = back_up(played)
    with copy.open("r+b") as file:
        file.truncate(copy.stat().st_size // 2)
    before = played.database.read_bytes()
    with pytest.raises(RealmError):
        restoring.restore_copy(copy, played)
    assert played.database.read_bytes() == before and verify_save(played).ok


def test_verify_names_the_law_that_is_broken(played: SaveFolder) -> None:
    def after(*statements: str) -> set[str]:
        with closing(sqlite3.connect(played.database)) as raw, raw:
            for statement in statements:
                raw.execute(statement)
        return {f.law for f in verify_save(played).findings}

    assert after("UPDATE campaigns SET status = 'paused'") == {"law-8"}
    assert after("UPDATE campaigns SET status = 'active'") == set()
    assert after("UPDATE step_windows SET first_step = 40, steps = 61 WHERE first_step = 51") == {"law-2"}
    assert after("UPDATE step_windows SET first_step = 51, steps = 50 WHERE first_step = 40") == set()
    won = "INSERT INTO level_ups VALUES (NULL, 1, 100, 'bin', {}, {}, '[1]', 1, 1.0, 2.0, 1.0, 1, 1100.0)"
    assert after(won.format(1, 2)) == {"law-3"}
    assert after("DELETE FROM level_ups") == set()
    assert after("DROP INDEX one_checkpoint_per_step", "UPDATE checkpoints SET step = 200 WHERE step = 100") >= {
        "law-9"
    }

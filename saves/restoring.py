"""Brings a save back from an archive or from a copy in ``backups/``: everything is checked first, then swapped in."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from configs import clock
from configs.errors import RealmError, UsageError
from configs.paths import SaveFolder, saves_dir
from saves import ledger
from saves.archive import FORMAT, FORMAT_VERSION, MANIFEST, MAX_MANIFEST_BYTES, strike_machine
from saves.checkpoint_folder import export_model, sync_folder
from saves.connection import transaction
from saves.database import open_save
from saves.filesystem import refuse_network_disk
from saves.migrations import SCHEMA_VERSION
from saves.upkeep import alone
from saves.verify import Finding, check_file, check_names, verify_save

ROOMS = ("checkpoints", "quests")
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Imported:
    """What was brought back."""

    save: str
    from_save: str
    checkpoints: tuple[str, ...]
    backup: str | None
    """Name of the save under which what stood there before lives on; None when there was nothing."""


def import_save(
    archive: Path, folder: SaveFolder, *, replace: bool = False, on_progress: Callable[[str], None] | None = None
) -> Imported:
    """Make a save from an archive.

    Everything is unpacked and checked beside the saves; only then is it swapped in by a rename. A save that stood there is
    kept whole under another name (``main.before-…``), which ``--save`` opens.

    Args:
        archive: what `saves.archive.export_save` wrote.
        folder: the save to make.
        replace: allows that a save stands there already.
        on_progress: is told in words what is done now.

    Raises:
        UsageError: a save stands there and ``replace`` is not given, or the file is no archive.
        RealmError: the archive was damaged or changed, or is from a newer version; nothing was changed.
        BlockedError: an engine or a face uses the save that would be replaced.
    """
    tell = on_progress or (lambda _: None)
    if not archive.is_file():
        raise UsageError(f"{archive} is not a file", fix="name an archive made by `realm save export`", code="NO_FILE")
    if folder.database.exists() and not replace:
        raise UsageError(
            f"the save {folder.name} already exists",
            fix="import under another name with --save, or add --replace (the old one is kept under another name)",
            code="SAVE_EXISTS",
        )
    saves_dir().mkdir(parents=True, exist_ok=True, mode=0o700)
    stage = SaveFolder(folder.root.parent / f".part-import-{os.getpid()}")
    shutil.rmtree(stage.root, ignore_errors=True)
    try:
        stage.make()
        refuse_network_disk(stage.root)
        manifest = _unpack(archive, stage.root, tell)
        _check(stage, tell)
        backup = _swap(stage, folder)
    finally:
        shutil.rmtree(stage.root, ignore_errors=True)
    return Imported(folder.name, str(manifest["save"]), tuple(manifest["checkpoints"]), backup)


def _refused(archive: Path, why: str) -> RealmError:
    return RealmError(
        f"{archive.name} was refused, nothing was changed",
        why=why,
        fix="export the save once more, or use another copy of the archive",
        code="ARCHIVE_REFUSED",
    )


def _unpack(archive: Path, stage: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Unpack what the manifest lists, comparing each digest on the way; returns the manifest."""
    try:
        with tarfile.open(archive, mode="r:gz") as tar:
            members = iter(tar)
            first = next(members, None)
            if first is None or first.name != MANIFEST or not first.isreg() or first.size > MAX_MANIFEST_BYTES:
                raise UsageError(
                    f"{archive} is not an archive of a save",
                    fix="name one made by `realm save export`",
                    code="NOT_AN_ARCHIVE",
                )
            stream = tar.extractfile(first)
            assert stream is not None
            manifest = _manifest(archive, stream.read())
            wanted: dict[str, dict[str, Any]] = dict(manifest["files"])
            need, free = sum(f["bytes"] for f in wanted.values()), shutil.disk_usage(stage).free
            if need > free:
                raise _refused(archive, f"it needs {need / 1e9:.2f} GB and {free / 1e9:.2f} GB are free")
            for number, member in enumerate(members, 1):
                expected = wanted.pop(member.name, None)
                if expected is None or not member.isreg() or member.size != expected["bytes"]:
                    raise _refused(archive, f"{member.name!r} is not what the manifest lists")
                tell(f"file {number} of {len(manifest['files'])}")
                source = tar.extractfile(member)
                assert source is not None
                target = stage / member.name
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                digest = hashlib.sha256()
                with target.open("xb") as file:
                    while block := source.read(BLOCK):
                        digest.update(block)
                        file.write(block)
                    file.flush()
                    os.fsync(file.fileno())
                if digest.hexdigest() != expected["sha256"]:
                    raise _refused(archive, f"{member.name} differs from its digest")
            if wanted:
                raise _refused(archive, f"{min(wanted)} is missing")
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        if isinstance(error, tarfile.ReadError) and not _is_gzip(archive):
            raise UsageError(
                f"{archive} is not an archive of a save",
                fix="name one made by `realm save export`",
                code="NOT_AN_ARCHIVE",
            ) from error
        raise _refused(archive, str(error)) from error
    return manifest


def is_database(path: Path) -> bool:
    """Whether a file is an SQLite database rather than an archive."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _manifest(archive: Path, raw: bytes) -> dict[str, Any]:
    """The manifest, checked for version and for names that would leave the save's folder."""
    try:
        data = json.loads(raw)
        files = data["files"]
        known = data["format"] == FORMAT and "realm.db" in files and isinstance(data["save"], str)
        sound = known and all(isinstance(n, str) for n in data["checkpoints"])
        sound = sound and all(
            _safe(n) and type(f["bytes"]) is int and f["bytes"] >= 0 and len(f["sha256"]) == 64
            for n, f in files.items()
        )
        version, schema = int(data["version"]), int(data["schema"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _refused(archive, f"its manifest cannot be read ({error})") from error
    if version > FORMAT_VERSION or schema > SCHEMA_VERSION:
        raise RealmError(
            f"{archive.name} was written by a newer version",
            why=f"archive {version}, schema {schema}; this version knows {FORMAT_VERSION} and {SCHEMA_VERSION}",
            fix="upgrade Realm of Training, then import again",
            code="SAVE_NEWER",
        )
    if not sound:
        raise _refused(archive, "its manifest lists what no save holds")
    assert isinstance(data, dict)
    return data


def _safe(name: str) -> bool:
    """Whether a member may be unpacked: the database, or a file below one of the rooms of a save."""
    parts = PurePosixPath(name).parts
    plain = name == "/".join(parts) and not any(p in ("..", ".") or "\\" in p or "\0" in p for p in parts)
    return name == "realm.db" or (plain and len(parts) > 1 and parts[0] in ROOMS)


def _check(stage: SaveFolder, tell: Callable[[str], None]) -> None:
    """Open, migrate and verify what was unpacked, and export its champion again."""
    with closing(open_save(stage, write=True)) as conn:
        # Names first: the champion is exported to a folder of its checkpoint's name.
        _lawful(check_file(conn) or check_names(conn))
        strike_machine(conn)
        for reigning in ledger.reigning(conn):
            form = ledger.checkpoint(conn, reigning.checkpoint_id)
            tell(f"the champion {form.name}")
            export_model(ledger.folder_of(stage, form), stage.root / "champions" / form.name)
            conn.execute("UPDATE champions SET export_path = ? WHERE id = ?", (f"champions/{form.name}", reigning.id))
    _lawful(verify_save(stage, on_progress=tell).findings)


def _lawful(findings: list[Finding]) -> None:
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        raise RealmError(
            "what was to be imported breaks the laws of a save, nothing was changed",
            why=f"{findings[0].entity}: {findings[0].text}{more}",
            fix="take another copy, or export the save once more after `realm save verify` finds it sound",
            code="ARCHIVE_REFUSED",
        )


def _swap(stage: SaveFolder, folder: SaveFolder) -> str | None:
    """Put the checked save in its place by renames; returns the name under which the old one is kept."""
    there = folder.root.exists()
    with alone(folder) if there else nullcontext():
        kept: Path | None = None
        if there:
            stem = f"{folder.name[:40]}.before-{clock.utc(clock.now()):%Y%m%d-%H%M%S}"
            kept, number = folder.root.with_name(stem), 1
            while kept.exists():
                number += 1
                kept = folder.root.with_name(f"{stem}-{number}")
            folder.root.rename(kept)
        try:
            stage.root.rename(folder.root)
        except OSError:
            if kept is not None:
                kept.rename(folder.root)
            raise
        sync_folder(folder.root.parent)
    return kept.name if kept is not None and (kept / "realm.db").exists() else None


def restore_copy(copy: Path, folder: SaveFolder, *, on_progress: Callable[[str], None] | None = None) -> str:
    """Put a copy of the database (from ``backups/``) back in its place; returns the name of the file it replaced.

    What was there moves to ``backups/``. Forms of the hero that the copy does not know yet move to ``set-aside/``, those it
    knows but the disk no longer has are noted as gone.

    Raises:
        RealmError: the copy is damaged, from a newer version, or none of its forms is left; nothing was changed.
        BlockedError: an engine or a face uses the save.
    """
    tell = on_progress or (lambda _: None)
    stage = SaveFolder(folder.root.parent / f".part-restore-{os.getpid()}")
    shutil.rmtree(stage.root, ignore_errors=True)
    try:
        with alone(folder):
            stage.make()
            shutil.copyfile(copy, stage.database)
            tell("the copy")
            known = _fit_to_disk(copy, stage, folder)
            stamp = f"{clock.utc(clock.now()):%Y%m%d-%H%M%S}"
            replaced = f"{stamp}-replaced.db"
            for tail in ("", "-wal", "-shm"):
                old = folder.root / f"realm.db{tail}"
                if old.exists():
                    old.rename(folder.backups / f"{replaced}{tail}")
            stage.database.rename(folder.database)
            for form in sorted(folder.checkpoints.glob("checkpoint-*")):
                if form.name not in known:
                    aside = folder.root / "set-aside" / stamp
                    aside.mkdir(parents=True, exist_ok=True, mode=0o700)
                    form.rename(aside / form.name)
    finally:
        shutil.rmtree(stage.root, ignore_errors=True)
    return replaced


def _fit_to_disk(copy: Path, stage: SaveFolder, folder: SaveFolder) -> set[str]:
    """Check a staged copy and note which of its forms are gone; returns the names of those that are left."""
    with closing(open_save(stage, write=True)) as conn:
        _lawful(check_file(conn) or check_names(conn))
        kept = ledger.kept_checkpoints(conn)
        gone = [c for c in kept if not ledger.folder_of(folder, c).is_dir()]
        if kept and len(gone) == len(kept):
            raise _refused(copy, "none of the forms it knows is left on the disk")
        now = clock.now()
        with transaction(conn):
            conn.executemany("UPDATE checkpoints SET deleted_at = ? WHERE id = ?", [(now, c.id) for c in gone])
            conn.executemany(
                "UPDATE champions SET retired_at = ? WHERE retired_at IS NULL AND checkpoint_id = ?",
                [(now, c.id) for c in gone],
            )
        # One file without a log beside it can be renamed into its place.
        conn.execute("PRAGMA journal_mode = DELETE")
        return {c.name for c in kept} - {c.name for c in gone}

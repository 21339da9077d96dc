"""One file that holds a whole save: a gzipped tar of database, quests and checkpoints, opened by a manifest with digests.

``manifest.json`` comes first and lists every other member with size and SHA-256. Whatever differs from it is refused.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from configs import clock
from configs.errors import RealmError, UsageError
from configs.paths import SaveFolder
from configs.version import __version__
from saves import ledger
from saves.campaigns import campaigns
from saves.checkpoint_folder import files_in, read_sidecar, sha256, sync_folder, verify_checkpoint
from saves.connection import SaveConnection, transaction
from saves.database import open_save
from saves.migrations import SCHEMA_VERSION

FORMAT = "realm-save"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 64 << 20
SUFFIX = ".realm.tar.gz"
Keep = Literal["none", "champion", "all"]


@dataclass(frozen=True, slots=True)
class Exported:
    """What went into an archive."""

    path: Path
    bytes: int
    files: int
    checkpoints: tuple[str, ...]


def export_save(
    folder: SaveFolder, target: Path, *, keep: Keep = "all", on_progress: Callable[[str], None] | None = None
) -> Exported:
    """Write a save into one archive, also while an engine trains; the file appears by one rename.

    Args:
        folder: the save.
        target: the archive to write; must not exist.
        keep: which checkpoints go along; without any, the hero's weights stay behind and an import starts anew.
        on_progress: is told in words what is written now.

    Raises:
        UsageError: the target exists.
        RealmError: the save or a checkpoint is damaged, or the disk is full.
    """
    tell = on_progress or (lambda _: None)
    if target.exists():
        raise UsageError(f"{target} already exists", fix="choose another file", code="EXISTS")
    if not target.parent.is_dir():
        raise UsageError(f"{target.parent} is not a folder", fix="choose another place", code="NO_FOLDER")
    stage = folder.root / f".part-export-{os.getpid()}"
    part = target.with_name(f".part-{os.getpid()}-{target.name}")
    with _swept(stage, part), _disk_errors(target):
        stage.mkdir(mode=0o700)
        tell("the database")
        kept = _stage(folder, stage, keep, tell)
        files = files_in(stage)
        manifest = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "save": folder.name,
            "schema": SCHEMA_VERSION,
            "created_at": clock.now(),
            "created_by": __version__,
            "keep": keep,
            "checkpoints": list(kept),
            "files": {p.relative_to(stage).as_posix(): {"bytes": p.stat().st_size, "sha256": sha256(p)} for p in files},
        }
        _pack(stage, manifest, part, tell)
        part.rename(target)
        sync_folder(target.parent)
    return Exported(target, target.stat().st_size, len(files), kept)


def _stage(folder: SaveFolder, stage: Path, keep: Keep, tell: Callable[[str], None]) -> tuple[str, ...]:
    """Gather what goes along under ``stage``; checkpoints are linked, so that a living engine may let go of them."""
    copy = stage / "realm.db"
    # VACUUM INTO only reads, but a connection opened for reading refuses it.
    with closing(open_save(folder, write=True)) as conn:
        conn.execute("VACUUM INTO ?", (str(copy),))
    with closing(sqlite3.connect(copy, isolation_level=None, factory=SaveConnection)) as conn:
        conn.row_factory = sqlite3.Row
        wanted = {c.checkpoint_id for c in ledger.reigning(conn)} | _beginnings(conn)
        forms = ledger.kept_checkpoints(conn)
        if keep == "none":
            forms = []
        elif keep == "champion":
            forms = [c for c in forms if c.id in wanted]
        for form in forms:
            tell(f"checkpoint {form.name}")
            source = ledger.folder_of(folder, form)
            names = [*read_sidecar(source)["files"], ".ledger.json"]
            for name in names:
                _link(source / name, stage / form.path / name)
            verify_checkpoint(stage / form.path)
        marks = ", ".join("?" * len(forms))
        ids = [c.id for c in forms]
        conn.execute(
            f"UPDATE checkpoints SET deleted_at = ? WHERE deleted_at IS NULL AND id NOT IN ({marks})",
            (clock.now(), *ids),
        )
        # A champion whose form stays behind does not reign in the copy; the others are exported again on import.
        conn.execute(
            f"UPDATE champions SET retired_at = ? WHERE retired_at IS NULL AND checkpoint_id NOT IN ({marks})",
            (clock.now(), *ids),
        )
        strike_machine(conn)
        listed = [row[0] for row in conn.execute("SELECT file FROM quests WHERE removed_at IS NULL").fetchall()]
    for name in listed:
        if (folder.quests / name).is_file():
            _link(folder.quests / name, stage / "quests" / name)
            meta = folder.quests / f"{name}.meta.json"
            if meta.is_file():
                _link(meta, stage / "quests" / meta.name)
    return tuple(c.name for c in forms)


def strike_machine(conn: sqlite3.Connection) -> None:
    """Take out what belongs to a machine and not to the hero: servers and boxes it knew, and jobs that somebody wanted done there.

    An archive may come from anybody; nothing in it is asked, reached or begun by itself.
    """
    with transaction(conn):
        for table in ("workers", "checkpoint_places", "patrols", "alerts"):
            conn.execute(f"DELETE FROM {table}")
        conn.execute("DELETE FROM jobs WHERE ended_at IS NULL")
        conn.execute(
            "UPDATE task_runs SET outcome = 'gone', error = 'its machine is another', ended_at = ? WHERE ended_at IS NULL",
            (clock.now(),),
        )


def _beginnings(conn: sqlite3.Connection) -> set[int]:
    """Forms without which a campaign that is still played could not begin once its own forms stay behind."""
    return {
        c.starting_checkpoint_id
        for c in campaigns(conn)
        if c.starting_checkpoint_id is not None and c.status != "archived"
    }


def _link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the disk has no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError as error:
        raise RealmError(
            f"{source} vanished while it was exported", fix="export once more", code="CHANGED_MEANWHILE"
        ) from error
    except OSError:
        shutil.copyfile(source, target)


def _pack(stage: Path, manifest: dict[str, Any], part: Path, tell: Callable[[str], None]) -> None:
    text = json.dumps(manifest, indent=1, sort_keys=True).encode()
    with part.open("xb") as raw:
        # Weights hardly shrink, so the fastest level is the right one.
        with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as tar:
            _add(tar, MANIFEST, io.BytesIO(text), len(text), manifest["created_at"])
            for number, name in enumerate(manifest["files"], 1):
                tell(f"file {number} of {len(manifest['files'])}")
                with (stage / name).open("rb") as file:
                    _add(tar, name, file, manifest["files"][name]["bytes"], manifest["created_at"])
        raw.flush()
        os.fsync(raw.fileno())


def _add(tar: tarfile.TarFile, name: str, file: Any, size: int, at: float) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, int(at), 0o600
    tar.addfile(info, file)


@contextmanager
def _swept(*paths: Path) -> Iterator[None]:
    """Remove what is left of the work, however it ended."""

    def sweep() -> None:
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(FileNotFoundError):
                    path.unlink()

    sweep()
    try:
        yield
    finally:
        sweep()


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    """A full disk or a missing permission, in words."""
    try:
        yield
    except OSError as error:
        raise RealmError(
            f"cannot write {target}",
            why=error.strerror or str(error),
            fix="free some space or choose another place; nothing was changed",
            code="CANNOT_WRITE",
        ) from error

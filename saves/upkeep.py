"""Saves as a whole: which there are, and removing one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from configs.errors import BlockedError, RealmError
from configs.paths import SaveFolder, saves_dir
from saves.campaigns import active_campaign
from saves.checkpoint_folder import size_bytes
from saves.database import open_save
from saves.exams import level_ups
from saves.ledger import champion, kept_checkpoints
from saves.locks import FileLock, is_held
from saves.quests import quests
from saves.steps import totals


@dataclass(frozen=True, slots=True)
class SaveEntry:
    """One save in the list; what cannot be read is None, and ``problem`` says why."""

    name: str
    bytes: int
    hero: str | None = None
    hero_id: str | None = None
    campaign: str | None = None
    step: int | None = None
    levels: int | None = None
    """Levels won over all skills."""
    checkpoints: int | None = None
    champion: str | None = None
    quests: int | None = None
    """The player's quests on the board."""
    running: bool = False
    """An engine holds it."""
    modified_at: float | None = None
    problem: str | None = None


def list_saves() -> list[SaveEntry]:
    """Every save under the realm's home, by name."""
    parent = saves_dir()
    if not parent.is_dir():
        return []
    roots = sorted(p for p in parent.iterdir() if not p.name.startswith(".") and (p / "realm.db").is_file())
    return [describe(SaveFolder(root)) for root in roots]


def describe(folder: SaveFolder) -> SaveEntry:
    """What the list says of one save."""
    size, running = size_bytes(folder.root), engine_holds(folder)
    modified = max((p.stat().st_mtime for p in folder.root.glob("realm.db*")), default=None)
    try:
        with closing(open_save(folder, write=False)) as conn:
            campaign = active_campaign(conn)
            reigning = champion(conn)
            kept = kept_checkpoints(conn)
            won: dict[str, int] = {}
            for up in level_ups(conn, campaign.id):
                won[up.skill] = max(won.get(up.skill, 0), up.to_level)
            return SaveEntry(
                name=folder.name,
                bytes=size,
                hero=campaign.name,
                hero_id=campaign.hero_id,
                campaign=campaign.id,
                step=totals(conn, campaign.id).live.last_step or campaign.starting_step,
                levels=sum(won.values()),
                checkpoints=len(kept),
                champion=next((c.name for c in kept if reigning and c.id == reigning.checkpoint_id), None),
                quests=len(quests(conn)),
                running=running,
                modified_at=modified,
            )
    except RealmError as error:
        return SaveEntry(name=folder.name, bytes=size, running=running, modified_at=modified, problem=error.what)


def engine_holds(folder: SaveFolder) -> bool:
    """Whether a keeper or a trainer holds the save."""
    return is_held(folder.keeper_lock) or is_held(folder.trainer_lock)


@contextmanager
def alone(folder: SaveFolder, *, face: bool = True) -> Iterator[None]:
    """Hold every lock of the save, so that neither engine nor face uses it; `BlockedError` names who does.

    Args:
        folder: the save's folder.
        face: the screen's lock too; False where the caller is the screen that holds it.
    """
    locks = [
        (folder.keeper_lock, "an engine is", f"stop it first: `realm stop --save {folder.name}`"),
        (folder.trainer_lock, "a trainer is", f"stop it first: `realm stop --save {folder.name}`"),
    ]
    if face:
        locks.append((folder.face_lock, "`realm play` is", "close it first"))
    with ExitStack() as stack:
        for path, who, fix in locks:
            lock = FileLock(path)
            if not lock.acquire():
                raise BlockedError(f"{who} using the save {folder.name}", fix=fix, code="SAVE_IN_USE")
            stack.callback(lock.release)
        yield


def remove_save(folder: SaveFolder, *, really: bool) -> SaveEntry:
    """Remove a save with all its forms; without ``really`` only says what would go.

    Raises:
        RealmError: there is no such save.
        BlockedError: an engine or a face uses it.
    """
    if not folder.database.is_file():
        raise RealmError(f"there is no save called {folder.name}", fix="see `realm save list`", code="NO_SAVE")
    entry = describe(folder)
    if really:
        with alone(folder):
            # Renamed first, so that a half-removed save is never listed.
            going = folder.root.with_name(f".removed-{folder.name}")
            shutil.rmtree(going, ignore_errors=True)
            folder.root.rename(going)
        shutil.rmtree(going)
    return entry

"""The door of the quest board: a player's file is copied, checked and listed; the inbox folder is emptied into it.

The player's own file is only read. What the board holds is a private copy under ``quests/`` that never changes.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import MappingProxyType
from typing import Any

from configs import clock
from configs.errors import BlockedError, RealmError, UsageError
from configs.paths import SaveFolder
from configs.schema import QuestRules
from engine.quests.fileformat import FileReport, QuestRefusedError, check_file, open_quest
from engine.quests.reader import Reader
from saves import quests
from saves.checkpoint_folder import sync_folder
from saves.locks import FileLock
from saves.rows import Quest

PRIORITIES = ("high", "normal", "low")
REFUSED = "refused"
"""Folder in the inbox for files that cannot become quests, each with its reason beside it."""
UNFINISHED_S = 60.0
"""How long a file whose last line is cut off is taken for a copy that still runs."""
_PARTIAL = (".part", ".partial", ".tmp", ".crdownload", ".download", ".filepart", ".swp", "~")
_CHUNK_BYTES = 1 << 20
_NAME_LENGTH = 60
_LEFT_BEHIND_S = 3600.0
"""Age from which an unfinished copy in the save belongs to a process that died."""


@dataclass(frozen=True, slots=True)
class InboxResult:
    """What became of one file in the inbox; exactly one of the three is set."""

    file: str
    """Path inside the inbox."""
    quest: Quest | None = None
    refused: str | None = None
    """Why it cannot become a quest; it lies in the inbox's ``refused/`` now."""
    waiting: str | None = None
    """Why it stays where it is for now."""


def import_quest(
    conn: sqlite3.Connection,
    folder: SaveFolder,
    path: Path,
    rules: QuestRules,
    *,
    priority: str = "normal",
    epochs: int = 1,
    source: str = "command line",
    name: str | None = None,
    reader: Reader | None = None,
    long_answers: bool = False,
    on_progress: Callable[[str], None] | None = None,
    born: Mapping[str, Any] = MappingProxyType({}),
) -> Quest:
    """Copy a file into the save and put it on the board.

    Args:
        conn: a writable save.
        folder: its folder.
        path: the player's file.
        rules: limits of the check.
        priority: high, normal or low.
        epochs: how often it is trained.
        source: where it came from, as shown later.
        name: its name on the board; None: the file's own, numbered when it is taken.
        reader: see `check_file`.
        long_answers: see `check_file`; remembered with the quest.
        on_progress: see `check_file`.
        born: of a quest that the game wrote: ``origin``, ``checkpoint_id``, ``asked_step``.

    Raises:
        QuestRefusedError: the file cannot become a quest; nothing was added.
        UsageError: no such file, a bad or taken name, an unknown priority.
        RealmError: it changed while it was read, or there is no room for the copy.
    """
    if priority not in PRIORITIES:
        raise UsageError(f"no priority is called {priority!r}", fix="choose high, normal or low", code="BAD_PRIORITY")
    if epochs < 1:
        raise UsageError(f"{epochs} epochs cannot be trained", fix="choose 1 or more", code="BAD_EPOCHS")
    if name is not None and _plain_name(name) != name:
        raise UsageError(
            f"{name!r} is not a name for a quest",
            fix=f"use up to {_NAME_LENGTH} letters, digits, '-', '_' and '.', starting with a letter or digit",
            code="BAD_QUEST_NAME",
        )
    part = _copy(path, folder)
    try:
        report = check_file(
            part, reader=reader, long_answers=long_answers, max_errors=rules.max_errors, on_progress=on_progress
        )
        if not report.ok:
            raise QuestRefusedError(path.name, report)
        return _list(conn, folder, part, report, _names(path, name), priority, epochs, source, born)
    finally:
        part.unlink(missing_ok=True)


def scan_inbox(
    conn: sqlite3.Connection,
    folder: SaveFolder,
    rules: QuestRules,
    *,
    reader: Reader | None = None,
) -> list[InboxResult]:
    """Turn the files that lie ready in the inbox, also in folders inside it, into quests of normal priority.

    A file is ready when it has not changed for ``rules.stable_s``. Links and what is no quest move to ``refused/`` with
    the reason in a text file beside them; nothing is ever overwritten or deleted unread. Hidden and partial files are left alone.

    Returns:
        One result for each file looked at; empty when another process scans the inbox just now.

    Raises:
        RealmError: the inbox cannot be read.
    """
    lock = FileLock(folder.run / "inbox.lock")
    if lock.held or not lock.acquire():
        return []
    try:
        for part in folder.quests.glob(".part-*"):
            if clock.now() - part.stat().st_mtime > _LEFT_BEHIND_S:
                part.unlink(missing_ok=True)
        return [_take(conn, folder, p, rules, reader) for p in list(_dropped(folder.inbox))]
    finally:
        lock.release()


# ---------------------------------------------------------------- the board's own copy


def _copy(path: Path, folder: SaveFolder) -> Path:
    """A synced copy of ``path`` beside the quests; its owner removes it."""
    part: Path | None = None
    try:
        with open_quest(path) as file:
            before = os.fstat(file.fileno())
            with NamedTemporaryFile(dir=folder.quests, prefix=".part-", suffix=".jsonl", delete=False) as copy:
                part = Path(copy.name)
                while chunk := file.read(_CHUNK_BYTES):
                    copy.write(chunk)
                copy.flush()
                os.fsync(copy.fileno())
                copied = copy.tell()
            after = path.stat()
    except OSError as error:
        if part is not None:
            part.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (BlockedError if full else RealmError)(
            f"cannot copy {path.name} into the save",
            why=error.strerror or str(error),
            fix="free some disk space, then add it again" if full else "check the file and the save's folder",
            code="DISK_FULL" if full else "UNREADABLE",
        ) from error
    if _fingerprint(before) != _fingerprint(after) or copied != after.st_size:
        part.unlink()
        raise BlockedError(
            f"{path.name} changed while it was read", fix="add it again when it is complete", code="QUEST_CHANGING"
        )
    return part


def _fingerprint(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _list(
    conn: sqlite3.Connection,
    folder: SaveFolder,
    part: Path,
    report: FileReport,
    names: Iterator[str],
    priority: str,
    epochs: int,
    source: str,
    born: Mapping[str, Any] = MappingProxyType({}),
) -> Quest:
    """Give the checked copy its name, on disk by a link that cannot overwrite, then on the board."""
    for name in names:
        target = folder.quests / f"{name}.jsonl"
        try:
            os.link(part, target)
        except FileExistsError:
            continue
        sync_folder(folder.quests)
        try:
            quest_id = quests.add_quest(
                conn,
                name=name,
                file=target.name,
                digest=report.digest,
                format=str(report.format),
                priority=priority,
                epochs=epochs,
                counts={**report.counts, "warnings": list(report.warnings)} if report.warnings else dict(report.counts),
                source=source,
                **born,
            )
        except BaseException as error:
            target.unlink(missing_ok=True)
            if isinstance(error, UsageError) and error.code == "QUEST_EXISTS":
                continue
            raise
        return quests.quest(conn, quest_id)
    raise UsageError("a quest of that name already exists", fix="choose another name", code="QUEST_EXISTS")


def _names(path: Path, chosen: str | None) -> Iterator[str]:
    """The chosen name alone, or the file's name and then numbered ones."""
    if chosen is not None:
        yield chosen
        return
    stem = _plain_name(path.name.removesuffix(".jsonl").removesuffix(".json"))
    yield stem
    for number in range(2, 100_000):
        yield f"{stem[: _NAME_LENGTH - 6]}-{number}"


def _plain_name(text: str) -> str:
    """``text`` as a file name that is safe everywhere: letters, digits, '-', '_' and '.'."""
    return re.sub(r"[^\w.-]+", "-", text).lstrip("-._")[:_NAME_LENGTH].rstrip("-.") or "quest"


# ---------------------------------------------------------------- the inbox


def _dropped(inbox: Path) -> Iterator[Path]:
    """Everything in the inbox that may be a quest, by name; links are not followed."""
    try:
        entries = sorted(os.scandir(inbox), key=lambda e: e.name)
    except OSError as error:
        raise RealmError(
            f"cannot read {inbox}", why=error.strerror or "", fix="make the folder readable", code="INBOX_UNREADABLE"
        ) from error
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name.lower().endswith(_PARTIAL):
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name != REFUSED:
                yield from _dropped(path)
        else:
            yield path


def _take(
    conn: sqlite3.Connection,
    folder: SaveFolder,
    path: Path,
    rules: QuestRules,
    reader: Reader | None,
) -> InboxResult:
    shown = str(path.relative_to(folder.inbox))
    source = f"inbox/{shown}"
    try:
        status = path.lstat()
    except FileNotFoundError:
        return InboxResult(shown, waiting="it was taken away")
    if not stat.S_ISREG(status.st_mode):
        kind = "a link" if stat.S_ISLNK(status.st_mode) else "no file"
        reason = f"{shown} is {kind}; only files themselves are taken"
        _set_aside(folder.inbox, path, reason)
        return InboxResult(shown, refused=reason)
    # A time in the future comes from another machine's clock and says nothing about a running copy.
    age_s = clock.now() - max(status.st_mtime, status.st_ctime)
    if 0 <= age_s < rules.stable_s:
        return InboxResult(shown, waiting="it may still be copied")
    try:
        report = check_file(path, reader=reader, max_errors=rules.max_errors)
        if report.unfinished and 0 <= age_s < UNFINISHED_S:
            return InboxResult(shown, waiting="its last line is cut off; it may still be copied")
        quest = _left_over(conn, report.digest, source, status) if report.ok else None
        if quest is None:
            quest = import_quest(conn, folder, path, rules, source=source, reader=reader)
    except QuestRefusedError as error:
        listed = "\n".join(error.report.reasons)
        end = "" if error.report.complete else "\n(the check stopped here)"
        _set_aside(folder.inbox, path, f"{shown} cannot become a quest.\n{listed}{end}\nWay out: {error.fix}.")
        return InboxResult(shown, refused=error.what)
    except RealmError as error:
        return InboxResult(shown, waiting=error.text())
    if quest.digest == report.digest:
        path.unlink(missing_ok=True)
    return InboxResult(shown, quest=quest)


def _left_over(conn: sqlite3.Connection, digest: str, source: str, status: os.stat_result) -> Quest | None:
    """The quest this very file already became, when a crash kept it from being removed from the inbox.

    A file dropped anew, even the same one, was put in the inbox after the quest was made.
    """
    for quest in quests.quests(conn, removed=True):
        if (quest.digest, quest.source) == (digest, source) and quest.created_at >= status.st_ctime:
            return quest
    return None


def _set_aside(inbox: Path, path: Path, reason: str) -> None:
    """Move a refused file to ``refused/``, its reason first; a name in use gets a number."""
    room = inbox / REFUSED
    room.mkdir(exist_ok=True, mode=0o700)
    number = 1
    while True:
        name = path.name if number == 1 else f"{path.stem}-{number}{path.suffix}"
        target, note = room / name, room / f"{name}.txt"
        number += 1
        if os.path.lexists(target):
            continue
        try:
            with note.open("x", encoding="utf-8") as file:
                file.write(reason + "\n")
        except FileExistsError:
            continue
        path.rename(target)
        return

"""The quest board as a player uses it: check a file, add it, list, remove. Short transactions, with or without an engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from configs.errors import BlockedError, UsageError
from configs.paths import SaveFolder
from configs.schema import GameConfig, HeroConfig
from engine.quests.board import PRIORITIES, import_quest
from engine.quests.fileformat import FileReport, check_file
from engine.quests.reader import reader_for
from realm_tui.runtime.opened import OpenedSave, opened
from saves import quests
from saves.connection import transaction
from saves.rows import Quest

__all__ = ["PRIORITIES", "add", "again", "check", "listed", "move", "move_before", "one", "prioritise", "remove"]


def check(
    path: Path,
    hero: HeroConfig,
    rules: GameConfig,
    *,
    long_answers: bool = False,
    on_progress: Callable[[str], None] | None = None,
) -> FileReport:
    """Judge a file without adding it; the file is only read.

    Args:
        path: the player's file.
        hero: whose context every example must fit, and whose turn format and data profile say what is trained.
        rules: limits of the check.
        long_answers: code or long answers, of which less needs to be masked.
        on_progress: told from time to time how far the check is.

    Raises:
        UsageError: there is no such file.
        RealmError: it cannot be read.
    """
    return check_file(
        path,
        reader=reader_for(hero),
        long_answers=long_answers,
        max_errors=rules.quests.max_errors,
        on_progress=on_progress,
    )


def add(
    folder: SaveFolder,
    path: Path,
    *,
    priority: str = "normal",
    epochs: int = 1,
    name: str | None = None,
    source: str = "command line",
    long_answers: bool = False,
    on_progress: Callable[[str], None] | None = None,
) -> Quest:
    """Copy a file into the save and put it on the board; a living engine takes it at its next choice.

    Args:
        folder: the save's folder.
        path: the player's file, which stays as it is.
        priority: high, normal or low.
        epochs: how often every example is read.
        name: its name on the board; None is the file's own.
        source: where it came from, as shown later.
        long_answers: code or long answers, of which less needs to be masked.
        on_progress: told from time to time how far the check is.

    Raises:
        engine.quests.fileformat.QuestRefusedError: it cannot become a quest, with line and reason.
        UsageError: no such file, a taken name, an unknown priority.
    """
    with opened(folder, write=True) as save:
        return import_quest(
            save.conn,
            folder,
            path,
            save.rules.quests,
            priority=priority,
            epochs=epochs,
            source=source,
            name=name,
            reader=reader_for(save.hero),
            long_answers=long_answers,
            on_progress=on_progress,
        )


def listed(save: OpenedSave, *, removed: bool = False) -> list[Quest]:
    """The board, in the order quests are taken; ``removed`` also shows those taken off it."""
    return quests.quests(save.conn, removed=removed)


def one(save: OpenedSave, which: int | str) -> Quest:
    """A quest by id or name; `UsageError` when there is none."""
    return quests.quest(save.conn, which)


def remove(folder: SaveFolder, which: int | str) -> Quest:
    """Take a quest off the board; its copy and its history stay.

    Raises:
        UsageError: there is no such quest, or it is off the board already.
        BlockedError: it is being trained.
    """
    with opened(folder, write=True) as save:
        found = quests.quest(save.conn, which)
        if found.state == "removed":
            raise UsageError(f"{found.name} is off the board already", fix="see `realm quest list`", code="REMOVED")
        quests.remove_quest(save.conn, found.id)
        return found


def prioritise(folder: SaveFolder, which: int | str, priority: str) -> Quest:
    """Let a waiting quest be taken sooner or later; among those of its priority it keeps its place.

    Raises:
        UsageError: there is no such quest or priority.
        BlockedError: it does not wait any more.
    """
    if priority not in PRIORITIES:
        raise UsageError(f"no priority is called {priority!r}", fix="choose high, normal or low", code="BAD_PRIORITY")
    with opened(folder, write=True) as save:
        found = _waiting(save, which)
        quests.set_priority(save.conn, found.id, priority)
        return quests.quest(save.conn, found.id)


def move(folder: SaveFolder, which: int | str, by: int) -> tuple[Quest, Quest] | None:
    """Let a waiting quest change places with its neighbour among the waiting ones of its priority.

    Args:
        folder: the save's folder.
        which: its id or name.
        by: -1: one place sooner, 1: one later.

    Returns:
        The quest and its neighbour; None where there is none on that side.

    Raises:
        UsageError: there is no such quest.
        BlockedError: it does not wait any more.
    """
    with opened(folder, write=True) as save:
        found = _waiting(save, which)
        others = [q for q in quests.quests(save.conn) if q.priority == found.priority and _may_wait(save, q)]
        at = next((i for i, q in enumerate(others) if q.id == found.id), None)
        if at is None or not 0 <= at + by < len(others):
            return None
        neighbour = others[at + by]
        first, second = (found, neighbour) if by < 0 else (neighbour, found)
        quests.place_quest(save.conn, first.id, second.id)
        return found, neighbour


def move_before(folder: SaveFolder, which: int | str, other: int | str) -> Quest:
    """Put a waiting quest right before another one of the same priority.

    Raises:
        UsageError: there is no such quest, or the other one has another priority.
        BlockedError: it does not wait any more.
    """
    with opened(folder, write=True) as save:
        found = _waiting(save, which)
        quests.place_quest(save.conn, found.id, quests.quest(save.conn, other).id)
        return quests.quest(save.conn, found.id)


def _waiting(save: OpenedSave, which: int | str) -> Quest:
    found = quests.quest(save.conn, which)
    if found.state in ("completed", "removed", "processing"):
        raise BlockedError(
            f"{found.name} does not wait any more",
            why=f"it is {found.state}",
            fix="only quests that wait have a place in the queue",
            code="QUEST_ENDED",
        )
    return found


def _may_wait(save: OpenedSave, quest: Quest) -> bool:
    return quest.state == "queued" or (quest.state == "failed" and quest.failures < save.rules.quests.max_attempts)


def again(folder: SaveFolder, which: int | str) -> Quest:
    """Put a quest that is done, failed or skipped on the board anew; the new one.

    Raises:
        UsageError: there is no such quest.
        BlockedError: it has not ended, or its file was swept up (``QUEST_FILE_GONE``).
    """
    with opened(folder, write=True) as save, transaction(save.conn, durable=True):
        found = quests.quest(save.conn, which)
        made = quests.again(save.conn, found.id)
        if not (folder.quests / found.file).is_file():
            raise BlockedError(
                f"the copy of {found.name} is gone",
                why="the Groundskeeper lets go of files of quests that are long done (`garrison.grounds.quest_days`)",
                fix="add your own file again (`realm quest add`)",
                code="QUEST_FILE_GONE",
            )
        return quests.quest(save.conn, made)

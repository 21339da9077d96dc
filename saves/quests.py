"""The player's quests (written by face and command line) and the engine's attempts at them.

A quest's state is never stored: the view ``quest_states`` derives it from the newest live attempt.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from configs import clock
from configs.errors import BlockedError, UsageError
from saves.connection import transaction
from saves.rows import Quest, QuestAttempt, encode, read

DEFAULT_MAX_FAILURES = 3
_ORDER = "CASE priority WHEN 'high' THEN 0 WHEN 'normal' THEN 1 ELSE 2 END, coalesce(place_at, id)"


def add_quest(
    conn: sqlite3.Connection,
    *,
    name: str,
    file: str,
    digest: str,
    format: str,  # noqa: A002 - the column's name
    priority: str = "normal",
    epochs: int = 1,
    counts: dict[str, Any],
    source: str,
    origin: str = "player",
    checkpoint_id: int | None = None,
    asked_step: int | None = None,
) -> int:
    """Put a quest on the board, durably; its file already lies in the save's ``quests/``.

    A sparring quest (``origin``) names the newest checkpoint and the step at which its failures were seen; it goes before
    every other quest of its priority that waits.

    Raises:
        UsageError: the name is taken (removed quests keep theirs).
    """
    with transaction(conn, durable=True):
        if conn.execute("SELECT 1 FROM quests WHERE name = ?", (name,)).fetchone() is not None:
            raise UsageError(f"a quest called {name!r} already exists", fix="choose another name", code="QUEST_EXISTS")
        cursor = conn.execute(
            """INSERT INTO quests (name, file, digest, format, priority, epochs, counts_json, source, created_at, origin,
                   checkpoint_id, asked_step)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                *(name, file, digest, format, priority, epochs, encode(counts), source, clock.now()),
                *(origin, checkpoint_id, asked_step),
            ),
        )
        made = int(cursor.lastrowid or 0)
        if origin == "sparring":
            first = conn.execute(
                f"""SELECT id FROM quest_states WHERE state IN ('queued', 'failed') AND priority = ? AND origin <> 'sparring'
                    ORDER BY {_ORDER} LIMIT 1""",
                (priority,),
            ).fetchone()
            if first is not None:
                place_quest(conn, made, int(first[0]))
        return made


def quests(conn: sqlite3.Connection, *, removed: bool = False) -> list[Quest]:
    """Quests in the order they are taken: high to low, then oldest first but for those the player moved."""
    found = conn.execute(f"SELECT * FROM quest_states WHERE removed_at IS NULL OR ? ORDER BY {_ORDER}", (removed,))
    return [read(Quest, row) for row in found.fetchall()]


def quest(conn: sqlite3.Connection, which: int | str) -> Quest:
    """A quest by id or name; `UsageError` when there is none."""
    row = conn.execute(
        "SELECT * FROM quest_states WHERE id = ? OR name = ? ORDER BY name = ? DESC LIMIT 1",
        (int(which) if str(which).isdecimal() else -1, str(which), str(which)),
    ).fetchone()
    if row is None:
        raise UsageError(f"there is no quest {which!r}", fix="see `realm quest list`", code="UNKNOWN_QUEST")
    return read(Quest, row)


def next_quest(conn: sqlite3.Connection, *, max_failures: int = DEFAULT_MAX_FAILURES) -> Quest | None:
    """The quest to train next, waiting or failed fewer than ``max_failures`` times; None when the board is empty."""
    row = conn.execute(
        f"""SELECT * FROM quest_states WHERE state IN ('queued', 'failed') AND failures < ?
            ORDER BY {_ORDER} LIMIT 1""",
        (max_failures,),
    ).fetchone()
    return None if row is None else read(Quest, row)


def stale_since(conn: sqlite3.Connection, found: Quest, campaign_id: str, step: int) -> str | None:
    """Why a sparring quest is out of date at ``step``; None while it is not.

    Its failures are another campaign's, or the hero has gone beyond the checkpoint after the one that failed.
    """
    if found.asked_step is None:
        return None
    failed = conn.execute("SELECT campaign_id FROM checkpoints WHERE id = ?", (found.checkpoint_id,)).fetchone()
    if failed is not None and failed[0] != campaign_id:
        return f"its failures are those of {failed[0]}"
    beyond = gone_beyond(conn, campaign_id, found.asked_step, step)
    return beyond and f"its failures are of step {found.asked_step}; the hero has gone beyond {beyond}"


def gone_beyond(conn: sqlite3.Connection, campaign_id: str, asked_step: int, step: int) -> str | None:
    """The first checkpoint after ``asked_step`` that the hero of ``step`` has left behind; None: none."""
    row = conn.execute(
        """SELECT name FROM live_checkpoints WHERE run_campaign_id = ? AND step > ? AND step < ?
           ORDER BY step LIMIT 1""",
        (campaign_id, asked_step, step),
    ).fetchone()
    return None if row is None else str(row["name"])


def remove_quest(conn: sqlite3.Connection, quest_id: int) -> None:
    """Take a quest off the board; its file and its history stay. One in training must be skipped first."""
    with transaction(conn, durable=True):
        found = quest(conn, quest_id)
        if found.state == "processing":
            raise BlockedError(
                f"{found.name} is being trained", fix="`realm skip` it first, then remove it", code="QUEST_RUNNING"
            )
        conn.execute("UPDATE quests SET removed_at = ? WHERE id = ? AND removed_at IS NULL", (clock.now(), quest_id))


def set_priority(conn: sqlite3.Connection, quest_id: int, priority: str) -> None:
    """Let a quest be taken sooner or later, durably; one in training is finished first all the same."""
    with transaction(conn, durable=True):
        conn.execute("UPDATE quests SET priority = ? WHERE id = ? AND removed_at IS NULL", (priority, quest_id))


def place_quest(conn: sqlite3.Connection, quest_id: int, before: int | None) -> None:
    """Put a quest right before another one of its priority, durably; nothing else changes its order.

    Args:
        conn: a writable save.
        quest_id: which quest.
        before: id of the one that comes after it from now on; None: it goes last.

    Raises:
        UsageError: the other one has another priority, or is the quest itself.
    """
    with transaction(conn, durable=True):
        found = quest(conn, quest_id)
        rows = conn.execute(
            f"SELECT id, coalesce(place_at, id) FROM quests WHERE removed_at IS NULL AND priority = ? ORDER BY {_ORDER}",
            (found.priority,),
        ).fetchall()
        order, places = [int(row[0]) for row in rows if row[0] != found.id], [int(row[1]) for row in rows]
        if before is not None and before not in order:
            raise UsageError(
                f"{found.name} cannot stand there",
                why=f"only quests of {found.priority} priority stand in its order",
                fix="give both the same priority first",
                code="BAD_PRIORITY",
            )
        order.insert(len(order) if before is None else order.index(before), found.id)
        conn.executemany(
            "UPDATE quests SET place_at = ? WHERE id = ? AND coalesce(place_at, id) <> ?",
            [(place, one, place) for one, place in zip(order, places, strict=True)],
        )


def again(conn: sqlite3.Connection, quest_id: int) -> int:
    """Put a quest that ended on the board anew, under a name of its own and with no attempt yet, durably.

    The one that ended leaves the board; its history stays.

    Raises:
        BlockedError: it has not ended.
    """
    with transaction(conn, durable=True):
        found = quest(conn, quest_id)
        if found.state not in ("completed", "failed", "skipped"):
            why = "it was taken off the board" if found.state == "removed" else f"it is {found.state}"
            raise BlockedError(
                f"{found.name} has not ended",
                why=why,
                fix="choose one that is done, failed or skipped",
                code="QUEST_WAITS",
            )
        name, number = f"{found.name}-again", 2
        while conn.execute("SELECT 1 FROM quests WHERE name = ?", (name,)).fetchone() is not None:
            name, number = f"{found.name}-again-{number}", number + 1
        made = add_quest(
            conn,
            name=name,
            file=found.file,
            digest=found.digest,
            format=found.format,
            priority=found.priority,
            epochs=found.epochs,
            counts=dict(found.counts),
            source=f"again: {found.name}",
            origin=found.origin,
        )
        conn.execute("UPDATE quests SET removed_at = ? WHERE id = ?", (clock.now(), quest_id))
        return made


def start_attempt(
    conn: sqlite3.Connection,
    quest_id: int,
    run_id: int,
    *,
    first_step: int,
    steps_total: int | None = None,
    continues_id: int | None = None,
    examples_done: int = 0,
    loss_before: float | None = None,
    samples: Sequence[dict[str, Any]] = (),
) -> int:
    """Begin a try at a quest, durably.

    Args:
        conn: a writable save.
        quest_id: which quest.
        run_id: the run it trains in.
        first_step: its first optimizer step; in a resumed run the first one after the checkpoint.
        steps_total: steps the whole quest takes, where known.
        continues_id: the attempt of an earlier run that this one goes on with.
        examples_done: examples already trained in it.
        loss_before: held-out loss before the quest.
        samples: answers before (and later after).
    """
    with transaction(conn, durable=True):
        cursor = conn.execute(
            """INSERT INTO quest_attempts (quest_id, run_id, continues_id, first_step, state, steps_total, examples_done,
                                           loss_before, samples_json, started_at)
               VALUES (?, ?, ?, ?, 'processing', ?, ?, ?, ?, ?)""",
            (
                quest_id,
                run_id,
                continues_id,
                first_step,
                steps_total,
                examples_done,
                loss_before,
                encode(list(samples)),
                clock.now(),
            ),
        )
        return int(cursor.lastrowid or 0)


def update_attempt(conn: sqlite3.Connection, attempt_id: int, **changes: Any) -> None:
    """Change columns of an attempt in training: ``last_step, steps_total, examples_done, tokens, loss_before, samples``."""
    allowed = {"last_step", "steps_total", "examples_done", "tokens", "loss_before", "samples"}
    if unknown := set(changes) - allowed:
        raise TypeError(f"an attempt has no changeable {', '.join(sorted(unknown))}")
    values = {
        (k + "_json" if k in ("tokens", "samples") else k): (encode(v) if k in ("tokens", "samples") else v)
        for k, v in changes.items()
    }
    if values:
        with transaction(conn):
            conn.execute(
                f"UPDATE quest_attempts SET {', '.join(f'{k} = ?' for k in values)} WHERE id = ?",
                (*values.values(), attempt_id),
            )


def finish_attempt(
    conn: sqlite3.Connection,
    attempt_id: int,
    state: str,
    *,
    last_step: int,
    reason: str | None = None,
    loss_after: float | None = None,
    **changes: Any,
) -> None:
    """End an attempt as completed, failed, skipped or interrupted, durably; other columns as in `update_attempt`."""
    with transaction(conn, durable=True):
        update_attempt(conn, attempt_id, **changes)
        conn.execute(
            "UPDATE quest_attempts SET state = ?, last_step = ?, reason = ?, loss_after = ?, ended_at = ? WHERE id = ?",
            (state, last_step, reason, loss_after, clock.now(), attempt_id),
        )


def attempts(conn: sqlite3.Connection, quest_id: int) -> list[QuestAttempt]:
    """Every attempt at a quest, oldest first, also those a resume left behind."""
    found = conn.execute("SELECT * FROM quest_attempts WHERE quest_id = ? ORDER BY id", (quest_id,))
    return [read(QuestAttempt, row) for row in found.fetchall()]


def recent_attempts(conn: sqlite3.Connection, campaign_id: str, *, since: float = 0.0) -> list[QuestAttempt]:
    """Live attempts that began or ended after ``since``, oldest first."""
    found = conn.execute(
        """SELECT * FROM live_quest_attempts WHERE run_campaign_id = ? AND (started_at > ? OR ended_at > ?) ORDER BY id""",
        (campaign_id, since, since),
    )
    return [read(QuestAttempt, row) for row in found.fetchall()]


def completed_quests(conn: sqlite3.Connection) -> int:
    """How many of the player's quests are done; removing one later takes nothing away."""
    row = conn.execute(
        """SELECT count(DISTINCT a.quest_id) FROM live_quest_attempts a JOIN runs r ON r.id = a.run_id
           WHERE a.state = 'completed' AND a.last_step <= coalesce(r.superseded_after, a.last_step)"""
    ).fetchone()
    return int(row[0])

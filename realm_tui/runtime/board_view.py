"""The quest board as a player looks at it: every quest with what it will take, where it came from and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from configs.errors import RealmError
from configs.paths import SaveFolder
from realm_tui.runtime.opened import OpenedSave
from saves import quests, steps
from saves.rows import Quest, QuestAttempt

_PACE_WINDOWS = 8
_TURN_LETTERS = 2000
"""Letters of a turn that are kept for showing."""


@dataclass(frozen=True, slots=True)
class QuestView:
    """One quest, and what it costs."""

    quest: Quest
    steps: int | None
    """Optimizer steps it takes: planned by the engine, else estimated from examples and tokens; None when they are unknown."""
    planned: bool
    """The engine planned them; otherwise `steps` is an estimate."""
    done: int | None
    """Steps taken of them by the newest attempt; None before one."""
    seconds: float | None
    """What is left, at the newest pace of training; None when nothing is left or the pace is unknown."""
    place: int | None
    """Its place in the queue, from 1; None when it does not wait."""
    tries_left: int
    """How often a failed one is still tried again by itself."""

    @property
    def key(self) -> str:
        """Stays the same while the board changes."""
        return str(self.quest.id)

    @property
    def may_repeat(self) -> bool:
        """Whether it can be put on the board anew."""
        return self.quest.state in ("completed", "skipped", "failed")


@dataclass(frozen=True, slots=True)
class QuestStory:
    """What became of one quest."""

    quest: Quest
    attempts: tuple[QuestAttempt, ...]
    """Oldest first, also those a resume left behind."""
    stale: str | None
    """Why a sparring quest is out of date; None while it is not."""
    form: str | None
    """The form whose failures a sparring quest holds."""


@dataclass(frozen=True, slots=True)
class BoardView:
    """The whole board."""

    quests: tuple[QuestView, ...]
    """What trains, what waits in the order it is taken, then what ended, newest first."""
    removed: int
    """Quests taken off the board."""
    steps_per_s: float | None
    refused: int
    """Files in the inbox's folder of refused ones."""
    inbox: str
    """The folder whose files become quests by themselves, within the home of all saves."""
    story: QuestStory | None = None
    """Of the quest that is looked at."""


def board_view(save: OpenedSave, *, removed: bool = False, chosen: int | None = None) -> BoardView:
    """Read the board.

    Args:
        save: whose.
        removed: also those taken off it.
        chosen: id of the quest whose story is wanted.
    """
    everything = quests.quests(save.conn, removed=True)
    most = save.rules.quests.max_attempts
    listed = sorted((q for q in everything if removed or q.removed_at is None), key=lambda q: _rank(q, most))
    pace = newest_pace(save)
    waiting = [q.id for q in listed if _waits(q, most)]
    return BoardView(
        quests=tuple(_seen(save, q, pace, waiting) for q in listed),
        removed=sum(q.removed_at is not None for q in everything),
        steps_per_s=pace,
        refused=_refused(save.folder),
        inbox="/".join(save.folder.inbox.parts[-3:]),
        story=next((_story(save, q) for q in everything if q.id == chosen), None),
    )


def newest_pace(save: OpenedSave) -> float | None:
    """Steps in a second of training, over the newest windows; None before the first."""
    found = steps.windows(save.conn, save.campaign.id, _PACE_WINDOWS)
    seconds = sum(w.active_s for w in found)
    return sum(w.steps for w in found) / seconds if seconds > 0 else None


def estimated_steps(save: OpenedSave, quest: Quest) -> int | None:
    """Optimizer steps of a quest that nobody has planned yet: as many as its examples, or its tokens, fill.

    The share that is held out is not taken off, and a step that is not quite full counts whole, so the plan may differ a little.
    """
    examples, tokens = quest.counts.get("examples"), quest.counts.get("tokens")
    if not examples:
        return None
    training = save.hero.training
    by_examples = ceil(examples / (training.batch_size * training.accumulation))
    by_tokens = ceil((tokens or 0) / (training.batch_tokens * training.accumulation))
    return int(quest.epochs * max(by_examples, by_tokens))


def _waits(quest: Quest, most: int) -> bool:
    return quest.state == "queued" or (quest.state == "failed" and quest.failures < most)


def _rank(quest: Quest, most: int) -> tuple[int, float]:
    if quest.removed_at is not None:
        return 3, -quest.removed_at
    if quest.state == "processing":
        return 0, 0.0
    return (1, 0.0) if _waits(quest, most) else (2, -(quest.ended_at or 0.0))


def _seen(save: OpenedSave, quest: Quest, pace: float | None, waiting: Sequence[int]) -> QuestView:
    most = save.rules.quests.max_attempts
    total = quest.steps_total if quest.steps_total is not None else estimated_steps(save, quest)
    done = _done(quest)
    left = None
    if total is not None and (quest.state == "processing" or quest.id in waiting):
        left = max(0, total - (done or 0) if quest.state == "processing" else total)
    return QuestView(
        quest=quest,
        steps=total,
        planned=quest.steps_total is not None,
        done=done,
        seconds=left / pace if left is not None and pace else None,
        place=waiting.index(quest.id) + 1 if quest.id in waiting else None,
        tries_left=max(0, most - quest.failures) if quest.state == "failed" else 0,
    )


def _done(quest: Quest) -> int | None:
    """Steps of a quest that are done, over all runs that went on with it."""
    examples = (quest.tokens or {}).get("examples")
    if not examples or quest.examples_done is None or not quest.steps_total:
        return None
    share = float(quest.examples_done) / float(examples * quest.epochs)
    return min(quest.steps_total, round(quest.steps_total * share))


def _story(save: OpenedSave, quest: Quest) -> QuestStory:
    row = save.conn.execute("SELECT name, step FROM checkpoints WHERE id = ?", (quest.checkpoint_id,)).fetchone()
    newest = save.conn.execute("SELECT max(last_step) FROM step_windows").fetchone()[0]
    return QuestStory(
        quest=quest,
        attempts=tuple(quests.attempts(save.conn, quest.id)),
        stale=quests.stale_since(save.conn, quest, save.campaign.id, int(newest or 0)),
        form=None if row is None else str(row["name"]),
    )


def _refused(folder: SaveFolder) -> int:
    from engine.quests.board import REFUSED

    room = folder.inbox / REFUSED
    try:
        return sum(not path.name.endswith(".txt") for path in room.iterdir())
    except OSError:
        return 0


# ---------------------------------------------------------------- a quest's examples


@dataclass(frozen=True, slots=True)
class Peek:
    """One example of a quest as its file says it."""

    line: int
    turns: tuple[tuple[str, str], ...]
    """Role and words; a raw text has the role ``text``. As the player wrote them: clean them before they are drawn."""
    cut: bool
    """Words were too long to be kept."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"line": self.line, "turns": [{"role": r, "text": t} for r, t in self.turns], "cut": self.cut}


def peek(folder: SaveFolder, quest: Quest, count: int = 5) -> tuple[Peek, ...]:
    """A few examples from all over a quest's file; the file is only read.

    Raises:
        RealmError: its copy is gone or cannot be read (``QUEST_FILE_GONE``).
    """
    from engine.quests.records import LINE_LIMIT_BYTES, BadLineError, read_record

    total = max(count, int(quest.counts.get("examples") or count))
    wanted = {round(i * (total - 1) / max(1, count - 1)) for i in range(count)}
    found: list[Peek] = []
    index, form = 0, None
    try:
        with (folder.quests / quest.file).open("rb") as file:
            line = 0
            while len(found) < count and (raw := file.readline(LINE_LIMIT_BYTES)):
                line += 1
                if form is not None and index not in wanted:
                    index += bool(raw.strip())
                    continue
                example = read_record(raw, index, line, form)
                if example is None:
                    continue
                form = "messages" if example.messages is not None else "text"
                if index in wanted:
                    found.append(_peeked(line, example))
                index += 1
    except (OSError, BadLineError) as error:
        raise RealmError(
            f"the examples of {quest.name} cannot be read",
            why=str(error),
            fix="see `realm doctor`; add the file again",
            code="QUEST_FILE_GONE",
        ) from error
    return tuple(found)


def _peeked(line: int, example: Any) -> Peek:
    turns: list[tuple[str, str]] = []
    cut = False
    if example.messages is None:
        said = [("text", str(example.text))]
    else:
        said = [(str(m.get("role", "")), str(m.get("content") or m.get("tool_calls") or "")) for m in example.messages]
    for role, text in said:
        cut = cut or len(text) > _TURN_LETTERS
        turns.append((role, text[:_TURN_LETTERS]))
    return Peek(line, tuple(turns), cut)

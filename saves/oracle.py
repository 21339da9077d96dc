"""What was asked of the Oracle and what it answered. Written by face and command line, one row an answer."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field, replace
from typing import ClassVar

from saves.connection import transaction
from saves.rows import JSON, Json, Row, insert, read

Messages = tuple[Json, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn(Row):
    """One question to one form, and its answer as far as there was one."""

    table: ClassVar[str] = "oracle_turns"
    id: int = 0
    talk: str
    """The conversation it belongs to."""
    kind: str
    """ask, chat or compare."""
    campaign_id: str
    name: str
    """The form's name when it was asked."""
    step: int | None
    digest: str
    """Of the form that was asked; where ``strict``, proved by the server that answered."""
    box: str
    worker: str
    server: str
    """own, vllm, sglang or openai."""
    strict: bool
    messages: Messages = field(metadata=JSON)
    """All turns that were sent, oldest first: ``role`` and ``content`` each; the last is the question."""
    answer: str | None
    """As it came; the beginning of it where it was stopped or broke off; None: there was none."""
    sampling: Json = field(metadata=JSON)
    finish: str | None
    """stop (the form ended), length (cut), stopped (by the player); None: it failed."""
    prompt_tokens: int | None
    tokens: int | None
    seconds: float | None
    """From the question to the last token."""
    first_token_s: float | None
    error_code: str | None
    error: str | None
    detail: Json = field(metadata=JSON, default_factory=dict)
    """``question``: what two answers of one comparison share; ``forgotten``: how many exchanges no longer fitted."""
    at: float

    @property
    def question(self) -> str:
        """The player's words."""
        return str(self.messages[-1].get("content", "")) if self.messages else ""

    @property
    def tokens_per_s(self) -> float | None:
        """Speed of the answer, its wait for the first token included; None where it is not known."""
        return self.tokens / self.seconds if self.tokens and self.seconds else None


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation in one line."""

    id: str
    kind: str
    names: tuple[str, ...]
    """The forms that answered."""
    turns: int
    first: str
    """Its first question."""
    at: float
    """When it was last continued."""


def add_turn(conn: sqlite3.Connection, turn: Turn, *, keep: int) -> Turn:
    """Write a turn; of all turns the newest ``keep`` stay.

    Returns:
        The turn with its number.
    """
    with transaction(conn):
        number = insert(conn, turn)
        conn.execute("DELETE FROM oracle_turns WHERE id <= ?", (number - keep,))
    return replace(turn, id=number)


def talk_turns(conn: sqlite3.Connection, talk: str) -> tuple[Turn, ...]:
    """The turns of one conversation, oldest first."""
    found = conn.execute("SELECT * FROM oracle_turns WHERE talk = ? ORDER BY id", (talk,))
    return tuple(read(Turn, row) for row in found.fetchall())


def newest_turns(conn: sqlite3.Connection, *, limit: int, words: str = "") -> tuple[Turn, ...]:
    """Turns in whose question, answer or form all the words occur, the newest first."""
    marks, values = [], []
    for word in words.split():
        like = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        marks.append(
            "(coalesce(answer, '') LIKE ? ESCAPE '\\' OR messages_json LIKE ? ESCAPE '\\' OR name LIKE ? ESCAPE '\\')"
        )
        values += [like, like, like]
    where = f"WHERE {' AND '.join(marks)}" if marks else ""
    found = conn.execute(f"SELECT * FROM oracle_turns {where} ORDER BY id DESC LIMIT ?", (*values, limit))
    return tuple(read(Turn, row) for row in found.fetchall())


def talks(conn: sqlite3.Connection, *, limit: int) -> tuple[Talk, ...]:
    """The conversations, the one continued last first."""
    heads = conn.execute(
        """SELECT talk, count(*) AS turns, min(id) AS first, max(id) AS last FROM oracle_turns
           GROUP BY talk ORDER BY last DESC LIMIT ?""",
        (limit,),
    ).fetchall()
    out = []
    for head in heads:
        ends = [
            read(Turn, row)
            for row in conn.execute(
                "SELECT * FROM oracle_turns WHERE id IN (?, ?) ORDER BY id", (head["first"], head["last"])
            ).fetchall()
        ]
        names = conn.execute(
            "SELECT name FROM oracle_turns WHERE talk = ? GROUP BY name ORDER BY min(id)", (head["talk"],)
        ).fetchall()
        out.append(
            Talk(
                id=head["talk"],
                kind=ends[0].kind,
                names=tuple(row["name"] for row in names),
                turns=head["turns"],
                first=ends[0].question,
                at=ends[-1].at,
            )
        )
    return tuple(out)

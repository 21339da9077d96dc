"""One example as tokens, and which of them are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Message: TypeAlias = Mapping[str, Any]
"""``{"role": "system" | "user" | "assistant" | "tool", "content": text}``; an assistant's may hold ``reasoning_content``
(text) and ``tool_calls`` (each with ``name`` and ``arguments``, or those under ``function``)."""
ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as tokens."""

    ids: list[int]
    trained: list[bool]
    """True where the token is an answer's text or its end mark, so that the loss is taken there."""

    @property
    def trained_tokens(self) -> int:
        """Number of tokens that carry loss (the very first token of an example never does)."""
        return sum(self.trained[1:])


@dataclass(frozen=True, slots=True)
class TurnMarks:
    """The ids from which answers can be found again among the tokens of a conversation."""

    answer_header: tuple[int, ...]
    """Opens an answer; empty where the turn before it does."""
    answer_after: frozenset[int]
    """Marks that an answer may follow at once, where it has no header."""
    openers: frozenset[int]
    """Marks that begin or belong to the head of any turn; none of them is ever trained."""
    end: int
    """Ends an answer."""

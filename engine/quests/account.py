"""The token ledger of a quest: where every token of a player's file went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.quests.reader import Reading


@dataclass(frozen=True, slots=True)
class TokenLedger:
    """Where a quest's tokens went: in = trained + masked + truncated + dropped; the held-out share is apart."""

    trained: int
    masked: int
    truncated: int
    dropped: int
    held_out: int
    examples: int
    held_out_examples: int
    truncated_examples: int
    dropped_examples: int

    @property
    def taken_in(self) -> int:
        """Every token of every example that is not held out."""
        return self.trained + self.masked + self.truncated + self.dropped

    def values(self) -> dict[str, int]:
        """JSON form, with the sum as ``in``."""
        return {"in": self.taken_in, **{k: getattr(self, k) for k in self.__dataclass_fields__}}


def account(readings: Iterable[tuple[Reading, bool]]) -> TokenLedger:
    """The ledger of a quest.

    Args:
        readings: every example, and whether it is held out.
    """
    counts = dict.fromkeys(TokenLedger.__dataclass_fields__, 0)
    for reading, kept in readings:
        encoded = reading.encoded
        if encoded is None:
            counts["dropped"] += reading.tokens
            counts["dropped_examples"] += 1
        elif kept:
            counts["held_out"] += len(encoded.ids)
            counts["held_out_examples"] += 1
        else:
            trained = encoded.trained_tokens
            counts["trained"] += trained
            counts["masked"] += len(encoded.ids) - trained
            counts["truncated"] += reading.truncated
            counts["truncated_examples"] += reading.truncated > 0
            counts["examples"] += 1
    return TokenLedger(**counts)

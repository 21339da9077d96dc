"""Sparring records: from every wrong answer one to recognise it, one to mend it, and one that a right answer is right.

Contract ``sparring_v1``: questions of at least 20 characters, answers of at least 5, no record without a verified right answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

IDENTIFY, CORRECT, CONFIRM = (
    "sparring_identify_incorrect",
    "sparring_correction",
    "sparring_confirm_correct",
)
LEAST_QUESTION, LEAST_ANSWER = 20, 5
NOTHING = "(no answer)"


@dataclass(frozen=True, slots=True)
class Record:
    """One training record of a bout."""

    type: str
    question: str
    answer: str
    digest: str
    """Of the problem that was failed."""

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the quest's file."""
        return {
            "messages": [{"role": "user", "content": self.question}, {"role": "assistant", "content": self.answer}],
            "type": self.type,
            "problem": self.digest,
        }


def records(failed: Iterable[Mapping[str, Any]]) -> Iterator[Record]:
    """The three records of each failure, as `engine.trainer.bout` tells them."""
    for one in failed:
        wrong = str(one["wrong"]).strip() or NOTHING
        digest = str(one["digest"])
        shown = f"{one['prompt']}\n\n{wrong}\n\n"
        yield Record(IDENTIFY, f"{shown}Is this correct?", "It is incorrect.", digest)
        yield Record(CORRECT, f"{shown}This is incorrect. What is correct?", told(str(one["right"])), digest)
        fresh = one["fresh"]
        yield Record(CONFIRM, f"{fresh['prompt']}\n\n{fresh['right']}\n\nIs this correct?", "It is correct.", digest)


def told(right: str) -> str:
    """The right answer, in a sentence where it is too short to stand alone."""
    return right if len(right) >= LEAST_ANSWER else f"The answer is {right}"


def kept(found: Iterable[Record]) -> tuple[list[Record], int]:
    """The records that keep the contract, and how many do not."""
    every = list(found)
    good = [r for r in every if len(r.question) >= LEAST_QUESTION and len(r.answer) >= LEAST_ANSWER]
    return good, len(every) - len(good)

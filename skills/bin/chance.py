"""Reproducible chance and the split, both from one hash, so that every machine makes the same problems."""

from __future__ import annotations

from hashlib import blake2b

from skills.contract import Split

EXAM_SHARE = 5
"""One canonical problem in this many is held out for exams."""

# Chosen only for evenness: at two digits the hatchling's operations and verdicts then each hold out about a fifth.
_SALT = b"bin-split-15507"


class Entropy:
    """512 reproducible bits, spent as mixed-radix digits."""

    __slots__ = ("_state",)

    def __init__(self, label: str) -> None:
        self._state = int.from_bytes(blake2b(label.encode()).digest(), "big")

    def below(self, bound: int) -> int:
        """An integer in ``[0, bound)``."""
        self._state, value = divmod(self._state, bound)
        return value


def problem_hash(canonical: str) -> bytes:
    """The hash of a canonical problem; it is both its public digest and its side of the split."""
    return blake2b(canonical.encode(), digest_size=12, salt=_SALT).digest()


def side(digest: bytes) -> Split:
    """The split that a problem hash belongs to; the rule can be checked from a problem's public digest alone."""
    return "train" if int.from_bytes(digest[:8], "big") % EXAM_SHARE else "exam"


def item_digest(prompt: str, answer: str) -> str:
    """Hash of a rendered item."""
    return blake2b(f"{prompt}\x00{answer}".encode(), digest_size=12).hexdigest()

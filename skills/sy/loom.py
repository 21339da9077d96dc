"""The written form of a puzzle: its tiles, and the JSON of its solution."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

STATUS = "complete"


def tiles_text(bank: Sequence[str]) -> str:
    """The bank as it stands in a prompt."""
    return " ".join(bank)


def answer_text(words: Sequence[Sequence[str]], bank: Sequence[str]) -> str:
    """The whole answer: solutions in order, then the account of the tiles."""
    solutions = [
        {"ans_num": i, "syllables": list(syllables), "answer": "".join(syllables).upper()}
        for i, syllables in enumerate(words, 1)
    ]
    return json.dumps({"solutions": solutions, "inventory_check": inventory(words, bank)})


def inventory(words: Sequence[Sequence[str]], bank: Sequence[str]) -> dict[str, Any]:
    """The account of the tiles, each named where it first lies in the bank."""
    usage = Counter(bank)
    used = Counter(syllable for syllables in words for syllable in syllables)
    left = [tile for tile, count in usage.items() for _ in range(count - used[tile])]
    return {
        "total_tiles": len(bank),
        "usage": dict(usage),
        "used": {tile: used[tile] for tile in usage if used[tile]},
        "unused_tiles": left,
        "status": STATUS,
    }

"""One answer of the hero to a player's question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from configs.errors import UsageError
from engine.chat.template import answer_text, decode, encode_prompt, with_system
from engine.generate import sample
from engine.hero.model import Hero

MAX_ANSWER_TOKENS = 256
"""Most tokens of an answer, unless others are asked for."""
MAX_TEMPERATURE = 5.0


def answer(hero: Hero, prompt: str, system: str, args: dict[str, Any]) -> dict[str, Any]:
    """One answer with a random stream of its own; the training streams do not move.

    Args:
        hero: in evaluation mode with the weights that answer.
        prompt: the player's words.
        system: the hero's system turn, or nothing.
        args: ``temperature`` (0 is greedy), ``seed``, ``max_tokens``.

    Raises:
        UsageError: there is no question, it is too long, or a number is out of bounds.
    """
    temperature = _number(args, "temperature", 0, MAX_TEMPERATURE, whole=False)
    seed, wanted = _number(args, "seed", -(2**63), 2**63 - 1), _number(args, "max_tokens", 0, 2**31)
    if not prompt.strip():
        raise UsageError("there is no question", fix='give one: realm ask "…"', code="BAD_ARGUMENT")
    ids = encode_prompt(hero, with_system([{"role": "user", "content": prompt}], system))
    room = hero.context_length - len(ids)
    if room < 1:
        raise UsageError(
            f"the question is {len(ids)} tokens long, the hero reads {hero.context_length}",
            fix="ask a shorter one",
            code="TOO_LONG",
        )
    most = int(wanted) or MAX_ANSWER_TOKENS
    with torch.no_grad():
        said = sample(
            hero,
            ids,
            temperature=float(temperature),
            seed=int(seed),
            max_new_tokens=max(1, min(most, room)),
        )
    return {"answer": answer_text(hero, said), "tokens": len(said), "raw": decode(hero, said)}


def _number(args: Mapping[str, Any], name: str, low: float, high: float, *, whole: bool = True) -> float:
    """A number of an order; 0 where it is left out."""
    value = args.get(name)
    if value is None:
        return 0
    numeric = isinstance(value, int) or (not whole and isinstance(value, float))
    if isinstance(value, bool) or not numeric or not low <= value <= high:
        raise UsageError(f"{value!r} is no {name}", fix=f"give a number from {low:g} to {high:g}", code="BAD_ARGUMENT")
    return float(value) if not whole else int(value)

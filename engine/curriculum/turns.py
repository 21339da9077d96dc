"""Whose turn it is: which skill an optimizer step trains, a pure function of the skills, their weights and the step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it, modulo one, fill the unit interval more evenly than any random draw."""


def skill_of_step(skills: Sequence[str], weights: Mapping[str, float] | None, step: int) -> str:
    """The skill of optimizer step ``step``.

    Args:
        skills: all of the hero's, in order.
        weights: share of the steps for each, up to a common factor; a skill that is not named gets none. None: all in turn.
        step: counted from 1.
    """
    if weights is None:
        return skills[step % len(skills)]
    return skill_at(skills, weights, (step * GOLDEN) % 1.0)


def skill_at(skills: Sequence[str], weights: Mapping[str, float], place: float) -> str:
    """The skill whose part of a line, cut by ``weights``, holds ``place`` (from 0 to 1)."""
    place, reached = place * sum(weights.get(skill, 0.0) for skill in skills), 0.0
    chosen = ""
    for skill in skills:
        weight = weights.get(skill, 0.0)
        if weight > 0:
            chosen = skill
            reached += weight
            if place < reached:
                break
    return chosen

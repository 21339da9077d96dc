"""Reads spans of time and skill levels as people write them on a command line."""

from __future__ import annotations

import re

from configs.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds_of(text: str) -> float:
    """``90``, ``90s``, ``30m``, ``1.5h``, ``7d`` or ``2w`` in seconds; `UsageError` for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", text.strip().lower())
    if found is None:
        raise UsageError(f"{text!r} is not a span of time", fix="write e.g. 90s, 30m, 12h or 7d", code="BAD_SPAN")
    return float(found[1]) * _UNITS[found[2] or "s"]


def goal_of(text: str) -> tuple[str, int]:
    """``bin:5`` as a skill's id and a level of it; `UsageError` for anything else."""
    from skills.registry import get_skill

    name, colon, level = text.partition(":")
    if not colon or not level.isdecimal():
        raise UsageError(f"{text!r} is not a goal", fix="write SKILL:LEVEL, e.g. bin:5", code="BAD_GOAL")
    config = get_skill(name).config
    if not 1 <= int(level) <= config.max_level:
        raise UsageError(f"{config.id} has no level {level}", fix=f"choose 1 to {config.max_level}", code="BAD_GOAL")
    return config.id, int(level)

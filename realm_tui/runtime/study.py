"""Ways to study: every preset and strategy as it would share the next steps for this hero; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from configs.errors import RealmError
from configs.paths import SaveFolder
from realm_tui.runtime.guild_view import AHEAD_STEPS
from realm_tui.runtime.opened import opened


@dataclass(frozen=True, slots=True)
class Way:
    """One way to study."""

    key: str
    name: str
    description: str
    change: Mapping[str, Any]
    """What it changes, as `engine.curriculum.presets.changed` takes it."""
    in_force: bool
    turns: Mapping[str, int]
    """How many of the next steps each skill would get."""
    decision: str
    """What would train next, and why."""
    trouble: str = ""
    """Why this hero cannot; empty: it can."""


def ways(folder: SaveFolder) -> tuple[Way, ...]:
    """Every way, presets first; those that this hero cannot take come last with the reason."""
    from engine.curriculum.strategy import Rules
    from realm_tui.runtime.course import course, what_if

    found: list[Way] = []
    with opened(folder) as save:
        view, rules = course(save), Rules.of(save.rules)
        for key, name, description, change in _known(list(save.hero.skills)):
            now = view.settings
            in_force = now.preset == change.get("preset") if "preset" in change else (
                now.preset is None and now.strategy == change["strategy"] and now.focus == change.get("focus", now.focus)
            )  # fmt: skip
            try:
                after = what_if(save, view, change)
                turns = after.preview(rules, AHEAD_STEPS)
                found.append(Way(key, name, description, change, in_force, turns, after.decision.text))
            except RealmError as error:
                found.append(Way(key, name, description, change, False, {}, "", error.text()))
    return tuple(sorted(found, key=lambda one: bool(one.trouble)))


def _known(skills: list[str]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    from configs.curriculum import load_book

    book = load_book()
    for name, preset in book.presets.items():
        yield f"preset {name}", name, preset.description, {"preset": name}
    for name, description in book.strategies.items():
        if name == "focus":
            for skill in skills:
                yield f"focus {skill}", f"focus {skill}", description, {"strategy": "focus", "focus": skill}
        else:
            yield f"strategy {name}", name, description, {"strategy": name}

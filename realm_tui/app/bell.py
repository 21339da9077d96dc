"""The terminal's bell: eight sounds, each a rhythm of its own, for what one would look up for. Off unless the player wants it."""

from __future__ import annotations

from collections.abc import Iterator

from engine.link.state import EngineState
from realm_tui.app.facts import Facts

RHYTHMS: dict[str, tuple[float, ...]] = {
    "fallen": (0.0, 0.5, 1.0, 1.5),
    "incident": (0.0, 0.5, 1.0),
    "failed": (0.0, 0.7),
    "crown": (0.0, 0.2, 0.4, 0.9),
    "level": (0.0, 0.2, 0.4),
    "region": (0.0, 0.2, 0.7),
    "deed": (0.0, 0.2),
    "quest": (0.0,),
}
"""Occasion to the seconds at which its strokes fall; what matters most comes first."""


def occasions(before: Facts, now: Facts) -> Iterator[str]:
    """What happened between two looks at the same campaign that is worth a sound, as keys of `RHYTHMS`."""
    old, new = before.status, now.status
    if old.campaign != new.campaign:
        return
    if new.state is EngineState.CRASHED and old.state is not EngineState.CRASHED:
        yield "fallen"
    if new.incidents > old.incidents:
        yield "incident"
    states = {quest.name: quest.state for quest in before.quests}
    ended = {q.state for q in now.quests if q.name in states and states[q.name] != q.state}
    if "failed" in ended:
        yield "failed"
    if new.champion is not None and (old.champion is None or old.champion.step != new.champion.step):
        yield "crown"
    if any(key in old.skills and skill.mastered > old.skills[key].mastered for key, skill in new.skills.items()):
        yield "level"
    if now.hero.region and before.hero.region and now.hero.region != before.hero.region:
        yield "region"
    if before.hero.deeds is not None and now.hero.deeds is not None and set(now.hero.deeds) - set(before.hero.deeds):
        yield "deed"
    if "completed" in ended:
        yield "quest"


class Bell:
    """Hears every look at the facts; says which rhythm to sound, the weightiest of those that are due."""

    def __init__(self) -> None:
        self._before: Facts | None = None

    def hear(self, facts: Facts) -> tuple[float, ...]:
        """Seconds from now at which the bell is struck; empty: silence. The first look is always silent."""
        before, self._before = self._before, facts
        if before is None or before is facts:
            return ()
        due = set(occasions(before, facts))
        return next((strokes for name, strokes in RHYTHMS.items() if name in due), ())
